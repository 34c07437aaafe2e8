"""The last output of `poolab study run`: the verdict, and the path of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from poolab.errors import PoolabError
from poolab.study.commands.looks import remember, with_looks
from poolab.study.folders import without_folder
from poolab.study.sweep.sweep_file import Study

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


def report_folder(study: Study, runs: Path) -> Path:
    """Return the folder of a study's report: studies/NAME.report below its runs."""
    return runs / "studies" / f"{study.name}.report"
