"""`poolab.study(FILE)`: a study from Python, with what the verbs of `poolab study` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.records import Records, html_table
from poolab.study.sweep.sweep_file import Study, read_study

if TYPE_CHECKING:
    import pandas

    from poolab.report import Analysis
    from poolab.study.run import Outcome
    from poolab.study.status import State


@dataclass(frozen=True)
class PlanView:
    """The plan of a study: titles and lines; a notebook shows them as a table."""

    lines: tuple[tuple[str, str], ...]
    cells: int

    def __str__(self) -> str:
        """Return the lines as `poolab study plan` prints them."""
        width = max((len(title) for title, _ in self.lines), default=0)
        return "\n".join(f"{title:<{width}}  {text}" for title, text in self.lines)

    def _repr_html_(self) -> str:
        return html_table(("", ""), self.lines)


@dataclass(frozen=True)
class Comparison:
    """The arms of a study beside a baseline; `analysis` has every number."""

    analysis: Analysis

    @property
    def verdict(self) -> str:
        """The verdict in sentences."""
        from poolab.report import verdict_text

        return verdict_text(self.analysis, columns=100, details=False)

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with a row for each arm and setting, with all digits.

        Raises:
            ImportError: pandas is not installed.
        """
        import io

        import pandas

        from poolab.report import csv_tables

        return pandas.read_csv(io.StringIO(csv_tables(self.analysis)))

    def __str__(self) -> str:
        """Return the tables as Markdown, and the verdict."""
        from poolab.report import markdown_tables

        return f"{markdown_tables(self.analysis)}\n\n{self.verdict}"

    def _repr_html_(self) -> str:
        from poolab.report import text_tables

        tables = "".join(
            f"<p><b>{escape(table.title)}</b></p>{html_table(table.heads, table.rows)}"
            for table in text_tables(self.analysis)
        )
        return f"{tables}<p>{escape(self.verdict)}</p>"


class StudyHandle:
    """A study file and the folder of its runs. `poolab.study` makes one.

    Args:
        file: the path of a study file.
        runs_dir: the folder of the runs; None is the file's own, or `runs`.

    Raises:
        ConfigError: the file is not a valid study.

    >>> import poolab
    >>> study = poolab.study("sweeps/topk_k.yaml")
    >>> study.plan().cells
    60
    """

    def __init__(self, file: str | Path, runs_dir: str | Path | None = None) -> None:
        from poolab.study.folders import runs_folder

        self.file: Study = read_study(str(file))
        self.runs_dir = runs_folder(self.file, None if runs_dir is None else str(runs_dir))

    def plan(self, *words: str) -> PlanView:
        """Check all cells without running them, and estimate the time and the smallest difference that can be seen.

        Args:
            words: settings for every cell, e.g. "trainer.epochs=3".

        Raises:
            ConfigError: cells that cannot be run; all errors at once.
        """
        from poolab.study.plan.estimate import from_records, like_records
        from poolab.study.plan.page import page
        from poolab.study.plan.plan import plan
        from poolab.study.record_file import read_records
        from poolab.study.sweep.cells import in_words

        planned = plan(self.file, [*words, f"runs_dir={in_words(str(self.runs_dir))}"])
        left = [one for one in planned.cells if one.signature not in planned.finished]
        like = like_records(planned, read_records(self.runs_dir))
        records = [record for some in like.values() for record in some]
        return PlanView(tuple(page(planned, from_records(left, like), records)), len(planned.cells))

    def run(self, *words: str, workers: int = 1, retries: int | None = None) -> Outcome:
        """Run every cell that has no result yet, `workers` at a time, and return what became of them.

        Args:
            words: settings for every cell.
            workers: the number of cells that run at the same time.
            retries: how often a cell that crashed is tried again (default: 2).

        Raises:
            ConfigError: cells that cannot be run; nothing has begun.
            KeyboardInterrupt: it was interrupted; the same call goes on.
        """
        from poolab.study.run import RETRIES, run_study

        outcome = run_study(
            self.file,
            words,
            workers=workers,
            runs_dir=self.runs_dir,
            retries=RETRIES if retries is None else retries,
        )
        if outcome.interrupted:
            raise KeyboardInterrupt(str(outcome))
        return outcome

    def status(self, *words: str) -> list[State]:
        """Return the state of every run, in the order of the file."""
        from poolab.study.status import status

        return status(self.file, self.runs_dir, words)

    def records(self, *words: str) -> Records:
        """Return the records of the study's cells."""
        from poolab.study.evidence import study_evidence

        return Records(study_evidence(self.file, self.runs_dir, words)[1])

    def table(
        self, *words: str, baseline: str | None = None, margin: float | None = None, metric: str | None = None
    ) -> Comparison:
        """Compare the arms with a baseline: paired differences, simultaneous intervals and verdicts.

        Args:
            words: settings for every cell that the study was run with.
            baseline: an arm or a pooling (default: max).
            margin: smaller differences do not matter; in points, or in the metric's unit where it is no share.
            metric: a metric of the records (default: test/accuracy or test/mean_iou).

        Raises:
            ConfigError: there is no record, or no such baseline or metric.
        """
        return Comparison(self._analysis(words, baseline, margin, metric))

    def report(
        self,
        out: str | Path = "report",
        *words: str,
        baseline: str | None = None,
        margin: float | None = None,
        metric: str | None = None,
        formats: Sequence[str] | None = None,
    ) -> Path:
        """Write the report into a folder, and return the path of its page; the arguments are those of `table`."""
        from poolab.report import write_report
        from poolab.study.commands.report_verb import document_of

        analysis = self._analysis(words, baseline, margin, metric)
        command = f"poolab report {self.file.path}"
        return write_report(
            document_of(analysis, self.file.name, command, [self.file]), Path(out).expanduser(), formats=formats
        )

    def _analysis(
        self, words: Sequence[str], baseline: str | None, margin: float | None, metric: str | None
    ) -> Analysis:
        from argparse import Namespace

        from poolab.errors import ConfigError
        from poolab.study.commands.report_verb import analysis_of
        from poolab.study.evidence import study_evidence

        evidence, own = study_evidence(self.file, self.runs_dir, words)
        if not own:
            raise ConfigError(f"{self.runs_dir} has no record of {self.file.path}: run it first")
        return analysis_of([self.file], evidence, Namespace(baseline=baseline, margin=margin, metric=metric))

    def __repr__(self) -> str:
        return f"StudyHandle({str(self.file.path)!r}, runs_dir={str(self.runs_dir)!r})"
