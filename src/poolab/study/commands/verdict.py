"""The last output of `poolab study run`: the verdict, and the path of the report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.errors import PoolabError
from poolab.records import RunFolder
from poolab.study.commands.looks import remember, with_looks
from poolab.study.folders import without_folder
from poolab.study.sweep.sweep_file import Study

if TYPE_CHECKING:
    from poolab.report import Analysis

DETAILED = 6  # up to so many arms beside the baseline get their sentences: they fit on a terminal's page
FORMATS = ("svg",)  # PDF and PNG take most of the time of a report; `poolab report` writes them


def report_run(study: Study, runs: Path, extra: Sequence[str], say: Callable[[str], None]) -> None:
    """Write the report of a study into its runs' folder, and print the verdict.

    Whatever goes wrong costs one sentence: the runs are made, and their study ended as it ended.
    """
    try:
        _report(study, runs, extra, say)
    except PoolabError as error:
        say(f"no report: {' '.join(str(error).split())}")
    except Exception as error:
        say(f"no report: {type(error).__name__}: {' '.join(str(error).split())}; try `poolab report {study.path}`")


def _report(study: Study, runs: Path, extra: Sequence[str], say: Callable[[str], None]) -> None:
    from poolab.report import verdict_text, width, write_report
    from poolab.study.commands.report_verb import analysis_of, document_of
    from poolab.study.evidence import study_evidence

    evidence = with_looks(study_evidence(study, runs, without_folder(extra))[0], [(study, runs)])
    analysis = analysis_of([study], evidence)
    command = f"poolab study run {study.path}"
    document = document_of(analysis, study.name, command, [study])
    page = write_report(document, report_folder(study, runs), formats=FORMATS)
    remember(evidence, [(study, runs)], "run")
    details = sum(len(table.others) for table in analysis.tables) <= DETAILED
    say(f"\n{verdict_text(analysis, width(), details)}\n\nreport: {page}")
    folder = trained_folder(analysis)
    if folder is not None:
        say(f"use a trained network: poolab predict {shlex.quote(str(folder))} PICTURE")


def trained_folder(analysis: Analysis) -> Path | None:
    """Return the folder of a trained network: of the arm with the best mean validation score, the first seed.

    Without validation scores it is the baseline's, since no arm may be chosen by its test score. Of several settings it
    is the first one's. None where no run has kept its network.
    """
    rows = [row for row in analysis.tables[0].rows if row.arm.runs]
    sign = 1 if analysis.metric.higher_is_better else -1
    scored = [(sign * row.validation, -place) for place, row in enumerate(rows) if row.validation is not None]
    best = rows[-max(scored)[1]] if scored else next(iter(rows), None)
    runs = sorted(best.arm.runs, key=lambda run: run.seed) if best else []
    folders = [run.folder for run in runs if run.folder is not None]
    return next((folder for folder in folders if RunFolder(folder.parent, folder.name).checkpoint), None)


def report_folder(study: Study, runs: Path) -> Path:
    """Return the folder of a study's report: studies/NAME.report below its runs."""
    return runs / "studies" / f"{study.name}.report"
