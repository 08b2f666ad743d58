"""Figures as SVG text, drawn without a plotting library so that pages stay small."""
