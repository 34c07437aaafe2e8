"""Prints a figure as SVG, PDF or PNG. The size of a text is measured once for all figures of a report.

Matplotlib measures each text once for each figure and format, and the figures of ten settings have the same names in
them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

PIXELS = 200  # of a PNG, an inch
POINTS = 72  # of an SVG, an inch
TEXTS = 4096  # whose sizes are kept


def share_sizes(figure: Figure) -> None:
    """Let the layout of a figure measure its texts with the renderer of all figures.

    A canvas without get_renderer, as a new figure has it, makes another renderer for each figure; Matplotlib keeps the
    sizes of texts as long as their renderer lives.
    """
    figure.canvas.get_renderer = lambda: _measuring(figure.dpi)  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _measuring(dpi: float) -> RendererAgg:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, dpi)  # nothing is drawn with it, so that its own size does not matter


@lru_cache(maxsize=TEXTS)
def _size(text: str, font: FontProperties, ismath: Any) -> tuple[float, float, float]:
    """Measure a text as RendererSVG does. Matplotlib gives a copy of the font, which nobody changes later."""
    from matplotlib.textpath import text_to_path

    return text_to_path.get_text_width_height_descent(text, font, ismath)


def text_width(text: str, font: FontProperties) -> float:
    """Return the width of a text in points, in one line."""
    return _size(text, font.copy(), False)[0]


def import_drawing() -> None:
    """Import the parts of Matplotlib that a figure loads as it is made and drawn."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_mixed
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def print_svg(figure: Figure, out: TextIO) -> None:
    """Draw a figure as SVG, as FigureCanvasSVG does, which takes no renderer."""
    from matplotlib.backends.backend_mixed import MixedModeRenderer
    from matplotlib.backends.backend_svg import RendererSVG

    width, height = figure.get_size_inches()
    dpi, figure.dpi = figure.dpi, POINTS
    plain = {"Date": None, "Creator": None}
    own = RendererSVG(width * POINTS, height * POINTS, out, image_dpi=dpi, metadata=plain)
    own.get_text_width_height_descent = _size  # type: ignore[method-assign]
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_facecolor("white")
    figure.set_dpi(PIXELS)
    FigureCanvasAgg(figure).print_png(path)
