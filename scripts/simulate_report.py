"""Simulate studies, count how often the report's statistics are right, and write docs/report_statistics.md's tables.

    python scripts/simulate_report.py                 # 5,000 studies a line
    python scripts/simulate_report.py --studies 100 --out /tmp/quick.md

A line that lies outside its bound by less than 2.5 Monte Carlo errors is simulated once more, with other draws and as
many studies as `--repeat` says, and both results are on the page (of the first table those with normal noise).
The page keeps its own text: the tables stand between the lines `<!-- tables -->` and `<!-- end of tables -->`.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy
import scipy
from report_simulation import examples, families, forms, sequential
from report_simulation.cells import Cell, Outcome, run_cell
from report_simulation.page import cell_table, is_near, row_table
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
    "Differences that are not normal: the one that 80 % power is stated for is found": forms.rows,
}


def main() -> None:
    """Run all cells and sections, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=5000)
    parser.add_argument("--others", type=int, default=0, help="studies of a line of the other tables; 0: the same")
    parser.add_argument("--repeat", type=int, default=10_000, help="studies of a line near its bound; 0 repeats none")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PAGE)
    chosen = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(chosen.processes) as pool:
        others = chosen.others or chosen.studies
        cells, rows = _simulate(pool, CELLS, list(SECTIONS), (chosen.studies, others), chosen.seed)
        tables = {"One setting": cell_table(cells)}
        tables |= {name: row_table(found) for name, found in rows.items()}
        near = {name: {row.what for row in found if is_near(row)} for name, found in rows.items()}
        # With heavy tails power is above what is stated (Limits), so that its lines are near or beyond the bound.
        again = [one.cell for one in cells if is_near(one) and one.cell.tails == "normal"]
        sections = [name for name, found in near.items() if found]
        if chosen.repeat and (again or sections):
            cells, rows = _simulate(pool, again, sections, (chosen.repeat, chosen.repeat), chosen.seed + 1)
            found = [row for name in sections for row in rows[name] if row.what in near[name]]
            tables[f"Lines marked \\* once more, with {chosen.repeat} studies and other draws"] = "\n\n".join(
                table for table, some in ((cell_table(cells), cells), (row_table(found), found)) if some
            )
    made = (
        f"Made by `python scripts/simulate_report.py --studies {chosen.studies} --others {others} "
        f"--repeat {chosen.repeat} --seed {chosen.seed}`: "
        f"{chosen.studies} studies a line of the first table and {others} of the others ({forms.TIMES} times as many "
        "where differences are not normal), "
        f"numpy {numpy.__version__}, scipy {scipy.__version__}."
    )
    text = "\n\n".join([made, *(f"### {name}\n\n{table}" for name, table in tables.items())])
    before, after = _around(chosen.out)
    chosen.out.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    print(f"{chosen.out} after {time.monotonic() - began:.0f} s", file=sys.stderr)


def _simulate(
    pool: ProcessPoolExecutor, cells: Sequence[Cell], sections: Sequence[str], studies: tuple[int, int], seed: int
) -> tuple[list[Outcome], dict[str, list[Row]]]:
    """Return the outcomes of the cells and the rows of the sections; `studies` has the number of each."""
    began = time.monotonic()
    parts = {name: pool.submit(SECTIONS[name], studies[1], seed) for name in sections}
    outcomes = []
    for outcome in pool.map(partial(run_cell, studies=studies[0], seed=seed), cells):
        outcomes.append(outcome)
        print(f"{len(outcomes)}/{len(cells)} after {time.monotonic() - began:.0f} s: {outcome}", file=sys.stderr)
    return outcomes, {name: part.result() for name, part in parts.items()}


def _around(path: Path) -> tuple[str, str]:
    """Return the page's own text, before and after its tables."""
    if not path.exists():
        return "", "\n"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    return before, rest.partition(END)[2]


if __name__ == "__main__":
    main()
