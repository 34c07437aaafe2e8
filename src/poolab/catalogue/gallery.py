"""One picture of all window methods: the output of each, and the gradient below it, on the same photograph."""

from pathlib import Path
from textwrap import wrap
from typing import Any

from torch import Tensor

from poolab.catalogue import drawing
from poolab.catalogue.chosen import known, make, own
from poolab.catalogue.kept import kept
from poolab.catalogue.photograph import grey, photograph
from poolab.catalogue.picture import KERNELS, part
from poolab.catalogue.table import listed
from poolab.pooling import Pool

COLUMNS = 8
DPI = 200  # twice the width of a README's column, for sharp pixels
WIDE, TILE, GAP = 8.5, 0.98, 0.06  # inches: the picture, a tile, and the space between tiles
FRAME = 0.5  # points
LABEL, LEGEND = 0.36, 0.86  # inches: the name over a tile, and the lines under all
CAPTION = (
    "Above, what comes out of each window method at a kernel and stride of 4 (or as its second line says), with its "
    "default options. Below, where the gradient of some outputs goes, each window by itself, on the part of the "
    "photograph at the top left; the frames are the windows. Methods that learn are shown at the weights that training "
    'starts from; "stretched" is an output far beyond the photograph\'s values, or in a small part of them.'
)


def gallery(file: str | Path, image: str | Path | None = None) -> Path:
    """Write the picture of all window methods that come with poolab; the file."""
    from matplotlib.figure import Figure

    names = [name for name in listed("window") if name in own()]
    colour = photograph(image)
    light = grey(colour)
    reference, _ = make(known("max"), {"kernel_size": 4}, channels=1)
    told = kept(reference, light)
    window = _trimmed(part(light, reference, told))
    rows = -(-(len(names) + 1) // COLUMNS)
    height = rows * (LABEL + 2 * TILE + GAP) + LEGEND
    figure = Figure(figsize=(WIDE, height), dpi=DPI)
    above, below = _cell(figure, 0, height, "input", "the photograph")
    drawing.draw_input(above, colour[0])
    drawing.draw_input(below, light[0])
    drawing.draw_windows(below, reference, told.output, told.step, FRAME)
    _limit(below, window)
    for index, name in enumerate(names, start=1):
        _method(figure, index, height, known(name), colour, window)
    _legend(figure, height)
    drawing.save(figure, str(file))
    return Path(file)


def _method(figure: Any, index: int, height: float, cls: type[Pool], colour: Tensor, window: Any) -> None:
    pool, made = make(cls, {}, channels=3, kernels=KERNELS)
    single, _ = make(cls, {}, channels=1, kernels=KERNELS)
    seen, told = (kept(each, x, cls.random) for each, x in ((pool, colour), (single, grey(colour))))
    notes = ["a training draw"] * cls.random
    notes += [f"kernel {made['kernel_size']}"] if made["kernel_size"] != KERNELS[0] else []
    above, below = _cell(figure, index, height, cls.name, "")
    notes += ["stretched"] * drawing.draw_map(above, seen.output)
    drawing.draw_gradient(below, told.apart)
    drawing.draw_windows(below, single, told.output, told.step, FRAME)
    _limit(below, window)
    above.text(0, 1.05, ", ".join(notes), transform=above.transAxes, fontsize=5.6, color="#52606d")


def _cell(figure: Any, index: int, height: float, name: str, note: str) -> tuple[Any, Any]:
    """Draw the two tiles of one method under its name."""
    row, column = divmod(index, COLUMNS)
    left = GAP / 2 + column * (WIDE - GAP) / COLUMNS
    top = height - row * (LABEL + 2 * TILE + GAP) - LABEL
    box = [[left / WIDE, (top - place * (TILE + 0.02) - TILE) / height, TILE / WIDE, TILE / height] for place in (0, 1)]
    above, below = (figure.add_axes(each) for each in box)
    above.text(0, 1.15, name, transform=above.transAxes, fontsize=8, color=drawing.INK)
    above.text(0, 1.05, note, transform=above.transAxes, fontsize=5.6, color="#52606d")
    return above, below


def _trimmed(window: tuple[float, float, float, float], margin: int = 2) -> tuple[float, float, float, float]:
    left, right, top, bottom = window
    return left + margin, right - margin, top + margin, bottom - margin


def _limit(axes: Any, window: Any) -> None:
    axes.set(xlim=window[:2], ylim=window[:1:-1])


def _legend(figure: Any, height: float) -> None:
    from matplotlib.patches import Rectangle

    caption = "\n".join(wrap(CAPTION, 172))
    figure.text(GAP / WIDE, (LEGEND - 0.16) / height, caption, fontsize=7, va="top", color=drawing.INK)
    level = 0.1 / height
    figure.text(GAP / WIDE, level, "share of a tap in the gradient:", fontsize=7, color=drawing.INK)
    for index, (label, share) in enumerate(drawing.SHARES):
        left = (1.75 + 0.5 * index) / WIDE
        box = Rectangle(
            (left, level - 0.02 / height), 0.12 / WIDE, 0.12 / height, edgecolor=drawing.PALE, linewidth=0.6
        )
        box.set_facecolor(drawing.colours()(float(drawing.scale()(share))))
        figure.add_artist(box)
        figure.text(left + 0.16 / WIDE, level, label, fontsize=7, color=drawing.INK)
