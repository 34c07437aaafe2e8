"""Draws all figures of a report and writes them as SVG, PDF and PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.bars import calibration, robustness
from poolab.report.figures.critical import critical
from poolab.report.figures.curves import curves
from poolab.report.figures.forest import forest
from poolab.report.figures.heat import heat
from poolab.report.figures.pareto import pareto
from poolab.report.figures.printing import import_drawing, print_pdf, print_png, print_svg
from poolab.report.figures.ranks import ranks
from poolab.report.figures.seeds import seeds
from poolab.report.figures.style import styled
from poolab.report.forked import shared_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "pdf", "png")
FAULT = "it could not be drawn: "
WORK = {"svg": 1, "pdf": 3, "png": 2}  # of a figure in each format, nearly
LEAST_WORK = 8  # for a process of its own: the figures of one setting as SVG
# A figure for each setting: its name, its title, what it shows, and how it is drawn.
OF_SETTING: tuple[tuple[str, str, str, Callable[[Analysis, Table], Figure | str]], ...] = (
    (
        "forest",
        "Differences from the baseline",
        "the difference of each arm from the baseline, with its intervals",
        forest,
    ),
    ("seeds", "Scores of every seed", "the score of every seed in every arm, and the means", seeds),
    (
        "pareto",
        "Score and cost",
        "the mean score beside each cost; arms that another one beats in both are grey, and the table names them",
        pareto,
    ),
    ("curves", "Learning curves", "the validation score after each epoch, mean over the seeds", curves),
    ("ranks", "Possible ranks", "the best and the worst rank that each arm can have", ranks),
    ("robustness", "Robustness", "the scores on shifted, corrupted and rescaled test images", robustness),
    ("calibration", "Calibration", "how far the predicted probabilities can be trusted; less is better", calibration),
)


@dataclass(frozen=True)
class Drawn:
    """A figure: its name (of its files), title, description for those who cannot see it, setting, and SVG text.

    `reason` says why there is no figure; `svg` is empty then.
    """

    name: str
    title: str
    description: str
    setting: str
    svg: str = ""
    reason: str = ""


def draw_all(
    analysis: Analysis,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    formats: Sequence[str] = FORMATS,
    processes: int = 1,
) -> list[Drawn]:
    """Draw every figure; with a folder, write each into it in the given formats.

    A figure that Matplotlib cannot draw is absent with its reason, which `say` is told.

    Args:
        processes: that may share the work (`forked.cores`). A few figures are drawn by this process alone.
    """
    wanted = list(_wanted(analysis))
    each = sum(WORK[form] for form in formats) if folder is not None else WORK["svg"]
    number = min(processes, each * len(wanted) // LEAST_WORK)
    if number > 1:
        import_drawing()  # once, and not in each process
    with styled():
        drawn = shared_out(lambda one: _drawn(one, folder, formats), wanted, number)
    for one in drawn:
        if one.reason.startswith(FAULT):
            say(f"figure {one.name}: {one.reason}")
    return drawn


Wanted = tuple[str, str, str, str, "Callable[[], Figure | str]"]


def _drawn(wanted: Wanted, folder: Path | None, formats: Sequence[str]) -> Drawn:
    name, title, what, setting, make = wanted
    try:
        found = make()
        svg = "" if isinstance(found, str) else _svg(found)
        for form in formats if svg and folder is not None else ():
            _save(found, svg, Path(folder or ".") / f"{name}.{form}", form)  # type: ignore[arg-type]
    except OSError:  # the disk: nothing else could be written either
        raise
    except Exception as fault:  # fonts and texts that Matplotlib cannot set
        found, svg = f"{FAULT}{fault}", ""
    return Drawn(name, title, what, setting, svg=svg, reason=found if isinstance(found, str) else "")


def _wanted(analysis: Analysis) -> Iterator[Wanted]:
    yield (
        "heat",
        "All settings",
        "the difference from the baseline of each arm in each setting",
        "",
        lambda: heat(analysis),
    )
    yield (
        "critical_difference",
        "Mean ranks over the settings",
        "the mean rank of each arm over the settings, and the groups of arms that are not told apart",
        "",
        lambda: critical(analysis),
    )
    several = len(analysis.tables) > 1
    names: set[str] = set()
    for number, table in enumerate(analysis.tables, 1):
        for name, title, what, make in OF_SETTING:
            full = f"{name}-{number}-{slug(table.label)}" if several else name
            names.add(full)
            yield full, title, what, table.label, (lambda make=make, table=table: make(analysis, table))  # type: ignore[misc]


def slug(text: str) -> str:
    """Return a text as a part of a file's name.

    >>> slug("image_folder, keras_cnn, epochs=3")
    'image_folder-keras_cnn-epochs-3'
    """
    return re.sub(r"[^\w.]+", "-", text, flags=re.ASCII).strip("-")[:80]


def _svg(figure: Figure) -> str:
    # Laid out and drawn once: savefig does both twice for each format.
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    buffer = io.StringIO()
    print_svg(figure, buffer)
    return buffer.getvalue()


def _save(figure: Figure, svg: str, path: Path, form: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "svg":
        path.write_text(svg, encoding="utf-8", newline="\n")
    elif form == "pdf":
        print_pdf(figure, path)
    else:
        print_png(figure, path)
