"""Size, type and colours that all figures share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from poolab.report.figures.printing import share_sizes, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b1c1d"  # text and axes; the page replaces it by the colour of its text, so that it can be read in the dark
GREY = "#8a8d91"
# Okabe and Ito's palette without its yellow, which is too light on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7f5539", "#5a5a5a")
VERDICTS = {
    "better": ("#0072B2", "^"),
    "worse": ("#D55E00", "v"),
    "equivalent": ("#009E73", "s"),
    "undecided": (GREY, "o"),
}
WIDTH = 7.0  # inches; 3.5 is a column of a two-column paper

SETTINGS: dict[str, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # no ticks above: Matplotlib need not measure them to place a title
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "svg.hashsalt": "poolab",  # the same figure gives the same file
    "pdf.fonttype": 42,
    "text.usetex": False,
    "text.parse_math": False,  # an arm or class may be called $x$
    "axes.unicode_minus": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """Use the style of the reports, whatever the user's matplotlibrc says."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        yield


def canvas(height: float, columns: int = 1, width: float = WIDTH, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure that belongs to no window, and its axes from left to right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    share_sizes(figure)
    axes = figure.subplots(1, columns, squeeze=False, **options)
    return figure, list(axes[0])


def name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Write a name beside each row, from below to above at 0, 1, 2, ...; the rows have no other axis.

    Texts, not labels of ticks: Matplotlib measures those several times and draws a mark for each, which took a third of
    the time of a report with 40 arms. The layout leaves room for the widest name and need not measure the others.
    """
    from matplotlib.transforms import ScaledTranslation

    axes.yaxis.set_visible(False)
    side = axes.get_yaxis_transform() + ScaledTranslation(-5 / 72, 0, axes.figure.dpi_scale_trans)
    names = [axes.text(0, at, label, transform=side, ha="right", va="center") for at, label in enumerate(labels)]
    widest = max(names, key=lambda name: text_width(name.get_text(), name.get_fontproperties()), default=None)
    for name in names:
        name.set_in_layout(name is widest)


Point = tuple[float, float]


def strokes(
    axes: Axes, points: Sequence[Point], reach: float, colour: str, width: float = 0.8, cap: str = "butt"
) -> None:
    """Draw an upright stroke at each point, from `reach` below it to `reach` above: one path, not a marker for each."""
    lines(axes, [((across, up - reach), (across, up + reach)) for across, up in points], colour, width, cap)


def lines(axes: Axes, ends: Sequence[tuple[Point, Point]], colour: str, width: float, cap: str = "butt") -> None:
    """Draw lines of one colour, each from a point to a point, as one path; Matplotlib's hlines makes one for each."""
    gap = float("nan")
    x = [one for first, second in ends for one in (first[0], second[0], gap)]
    y = [one for first, second in ends for one in (first[1], second[1], gap)]
    axes.plot(x, y, "-", color=colour, lw=width, solid_capstyle=cap)


def row_height(rows: int, least: float = 1.6, each: float = 0.26) -> float:
    """Return the height in inches of a figure with a line for each arm."""
    return max(least, 1.0 + each * rows)


def shortened(label: str, most: int = 34) -> str:
    """Shorten a long label in its middle.

    >>> shortened("avg_topk k=2 slots=[stage2,stage3] with as many parameters as lip")
    'avg_topk k=2 slot…arameters as lip'
    """
    half = (most - 1) // 2
    return label if len(label) <= most else f"{label[: half + 1]}…{label[-half:]}"
