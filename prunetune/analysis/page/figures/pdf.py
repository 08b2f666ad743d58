"""Figures as PDF, from their SVG files: the one door to svglib and reportlab."""

from __future__ import annotations

import io
import logging


def pdf_of(svg: bytes) -> bytes:
    """A stand-alone SVG figure as a PDF of one page, of the figure's size."""
    from reportlab.graphics import renderPDF
    from svglib.svglib import svg2rlg

    logging.getLogger("svglib").setLevel(logging.ERROR)  # it warns of every tooltip
    drawing = svg2rlg(io.BytesIO(svg))
    file = io.BytesIO()
    renderPDF.drawToFile(drawing, file, invariant=1)
    return file.getvalue()
