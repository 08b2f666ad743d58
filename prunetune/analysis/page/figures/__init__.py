"""Figures as SVG text: drawn from tables, with no plotting library, so that pages stay light."""
