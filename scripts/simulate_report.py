"""Simulate studies, count how often the report's statistics are right, and write docs/report_statistics.md's tables.

    python scripts/simulate_report.py                 # 5,000 studies a line
    python scripts/simulate_report.py --studies 100 --out /tmp/quick.md

The page keeps its own text: the tables stand between the lines `<!-- tables -->` and `<!-- end of tables -->`.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy
import scipy
from report_simulation import examples, families, sequential
from report_simulation.cells import Cell, run_cell
from report_simulation.page import cell_table, row_table
from report_simulation.rows import Row

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"
PAGE = Path(__file__).parents[1] / "docs" / "report_statistics.md"

KINDS = ((0.0, "normal"), (0.9, "normal"), (0.5, "t3"))
CELLS = [
    *(
        Cell(arms, seeds, correlation, tails)
        for arms, seeds, (correlation, tails) in itertools.product((2, 5, 12), (3, 5, 8, 20), KINDS)
    ),
    *(Cell(arms, seeds, 0.5) for arms, seeds in itertools.product((3, 8), (4, 6, 12))),
    *(
        Cell(arms, seeds, 0.5, tails, missing=0.25)
        for arms, seeds, tails in itertools.product((3, 12), (5, 20), ("normal", "t3"))
    ),
]

SECTIONS: dict[str, Callable[..., list[Row]]] = {
    "Seeds added later: a claim at some look, nothing to find": sequential.rows,
    "Tests of ten arms beside the intervals": families.adjusted_p,
    "A metric that moves in steps: 364 test examples, 12 of them hard; false better/worse": examples.steps,
    "New images: the interval holds the true difference": examples.new_images,
    "Ranks": families.ranks,
    "Several settings: random effects, five seeds in each": families.settings,
    "Deviation of the differences": families.deviations,
}


def main() -> None:
    """Run all cells and sections, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PAGE)
    chosen = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(chosen.processes) as pool:
        parts = {name: pool.submit(run, chosen.studies, chosen.seed) for name, run in SECTIONS.items()}
        outcomes = []
        for outcome in pool.map(partial(run_cell, studies=chosen.studies, seed=chosen.seed), CELLS):
            outcomes.append(outcome)
            print(f"{len(outcomes)}/{len(CELLS)} after {time.monotonic() - began:.0f} s: {outcome}", file=sys.stderr)
        tables = {"One setting": cell_table(outcomes)}
        tables |= {name: row_table(part.result()) for name, part in parts.items()}
    made = (
        f"Made by `python scripts/simulate_report.py --studies {chosen.studies} --seed {chosen.seed}` in "
        f"{(time.monotonic() - began) / 60:.0f} minutes ({chosen.processes} processes): "
        f"{chosen.studies} studies a line, numpy {numpy.__version__}, scipy {scipy.__version__}."
    )
    text = "\n\n".join([made, *(f"### {name}\n\n{table}" for name, table in tables.items())])
    before, after = _around(chosen.out)
    chosen.out.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    print(f"{chosen.out} after {time.monotonic() - began:.0f} s", file=sys.stderr)


def _around(path: Path) -> tuple[str, str]:
    """Return the page's own text, before and after its tables."""
    if not path.exists():
        return "", "\n"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    return before, rest.partition(END)[2]


if __name__ == "__main__":
    main()
