"""Prints a figure as SVG, PDF or PNG. The size of a text is measured once for all figures of a report.

Matplotlib measures each text once for each figure and format, and the figures of ten settings have the same names in
them: that took half of the time of a figure.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.textpath import text_to_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

PIXELS = 200  # of a PNG, an inch
POINTS = 72  # of an SVG, an inch
TEXTS = 4096  # whose sizes are kept


class LayoutCanvas(FigureCanvasBase):
    """The canvas of a figure that is laid out: all figures measure their texts with one renderer."""

    def get_renderer(self) -> RendererAgg:
        """Return the renderer that measures texts; Matplotlib keeps the sizes as long as the renderer lives."""
        return _measuring(self.figure.dpi)


@lru_cache(maxsize=1)
def _measuring(dpi: float) -> RendererAgg:
    return RendererAgg(1, 1, dpi)  # nothing is drawn with it, so that its own size does not matter


class _RendererSVG(RendererSVG):
    """Matplotlib's renderer, which keeps the sizes of texts for the next figure."""

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        return _size(s, prop, ismath)


@lru_cache(maxsize=TEXTS)
def _size(text: str, font: FontProperties, ismath: Any) -> tuple[float, float, float]:
    """Measure a text as RendererSVG does. Matplotlib gives a copy of the font, which nobody changes later."""
    return text_to_path.get_text_width_height_descent(text, font, ismath)


def text_width(text: str, font: FontProperties) -> float:
    """Return the width of a text in points, in one line."""
    return _size(text, font.copy(), False)[0]


def print_svg(figure: Figure, out: TextIO) -> None:
    """Draw a figure as SVG, as FigureCanvasSVG does, which takes no renderer."""
    width, height = figure.get_size_inches()
    dpi, figure.dpi = figure.dpi, POINTS
    plain = {"Date": None, "Creator": None}
    own = _RendererSVG(width * POINTS, height * POINTS, out, image_dpi=dpi, metadata=plain)
    renderer = MixedModeRenderer(figure, width, height, dpi, own)
    figure.draw(renderer)  # type: ignore[arg-type]  # it stands for the renderer that it holds
    renderer.finalize()
    figure.dpi = dpi


def print_pdf(figure: Figure, path: Path) -> None:
    """Draw a figure as PDF."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})


def print_png(figure: Figure, path: Path) -> None:
    """Draw a figure as PNG, on white."""
    figure.set_facecolor("white")
    figure.set_dpi(PIXELS)
    FigureCanvasAgg(figure).print_png(path)
