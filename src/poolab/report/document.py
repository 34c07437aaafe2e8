"""Everything that a report says, before it is written in one of its forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from poolab.records import Record
from poolab.report import provenance
from poolab.report.analysis import Analysis, Table
from poolab.report.compared import records_hash
from poolab.report.looks import rule_sentence, seen_sentence
from poolab.report.methods import methods
from poolab.report.provenance import Fact, hours
from poolab.report.sentence import Sentence
from poolab.report.verdict import verdict
from poolab.text import one_line

if TYPE_CHECKING:
    from poolab.report.figures import Drawn

READING = (
    "The difference is the mean, over the seeds that both arms have, of the arm's score minus the baseline's. With the "
    "same seed two arms have the same initial weights where both have them, the same batches and the same "
    "augmentation, so that much of the chance is common to both and drops out.",
    "An interval says which true differences the runs are compatible with. The intervals of this page hold for all "
    "arms of a setting together: in 95 of 100 such studies every one of them contains its true difference. The thick "
    "bars of the figure hold for one arm alone and are shorter; among many arms some of them miss the truth.",
    "Better and worse: the interval lies on one side of zero. Equivalent: the difference is shown to be smaller than "
    "the margin. Undecided: neither is shown, which is not the same as no difference. Two arms that are not the "
    "baseline are not compared.",
    "P(better) is the chance that a run of the arm beats a run of the baseline, ties counted half. The adjusted p is "
    "that of a paired t test over the seeds, Holm's correction over the arms of the setting. An interval for new "
    "images also counts that other test images would have been drawn. Where the scores hardly vary over the seeds, "
    "interval and p come from the outcomes of the single test images instead.",
)


@dataclass(frozen=True)
class Document:
    """A report.

    Args:
        title: the name of the study, or of the folder.
        command: what was typed to make the report.
        command_of: returns the command that makes a run again; without it none is shown.
        selected_by: the metric that a study or search selects by.
    """

    analysis: Analysis
    title: str
    command: str
    version: str
    figures: Sequence[Drawn] = ()
    formats: Sequence[str] = ("svg", "pdf", "png")
    command_of: Callable[[Record], str] | None = field(default=None, repr=False)
    selected_by: str | None = None

    @cached_property
    def verdict(self) -> list[Sentence]:
        """The answer."""
        return verdict(self.analysis)

    @property
    def estimand(self) -> str:
        """Say what is estimated."""
        margin = self.analysis.metric.size(self.analysis.margin) if self.analysis.margin else "none"
        return (
            f"What is estimated: the expected difference in {self.analysis.metric.title}, arm minus "
            f"{self.analysis.baseline}, over seeds (initialisation, order of the batches, augmentation, held-out "
            f"split), on this test set. Intervals: {100 * self.analysis.confidence:g} %, for all arms of a setting "
            f"together. Margin of equivalence: {margin}."
        )

    @property
    def looks(self) -> str:
        """Say how looks at the results were counted, and which the journal shows."""
        analysis = self.analysis
        methods = [str(table.compared.method) for table in analysis.tables]
        seen = seen_sentence(analysis.evidence.looked, records_hash(analysis.evidence))
        return f"{rule_sentence(analysis.looks, analysis.added, methods)} {seen}"

    @property
    def reading(self) -> Sequence[str]:
        """Say how to read the page."""
        return READING

    @cached_property
    def remarks(self) -> list[str]:
        """List what a reviewer would remark."""
        analysis = self.analysis
        return provenance.remarks(analysis.evidence, analysis.metric.name, self.selected_by, analysis.baseline)

    @cached_property
    def facts(self) -> list[Fact]:
        """Code, machines and budget."""
        evidence = self.analysis.evidence
        took = Fact("run time", {f"{hours(evidence.runs):.1f} hours in all": len(evidence.runs)})
        return [*provenance.facts(evidence), took]

    @cached_property
    def left_out(self) -> list[str]:
        """One sentence for each run or record that takes no part."""
        evidence = self.analysis.evidence
        out = [
            f"{one.setting}, {one.arm}, seed {one.run.seed} ({one.run.signature}): {one.reason}"
            for one in evidence.left_out
        ]
        missing = [
            f"{setting.label}, {arm.label}: no run of seed {', '.join(map(str, arm.missing))}"
            for setting in evidence.settings
            for arm in setting.arms
            if arm.missing
        ]
        return [*out, *missing, *map(str, evidence.doubled), *evidence.faults]

    @cached_property
    def methods(self) -> list[str]:
        """The paragraphs for a method section."""
        return methods(self.analysis).strip().split("\n\n")

    def commands_of(self, table: Table) -> list[tuple[str, str]]:
        """Return the command of the first run of each arm."""
        return self._commands[table.label]

    @cached_property
    def _commands(self) -> dict[str, list[tuple[str, str]]]:
        make = self.command_of
        return {
            table.label: [
                (row.label, one_line(make(row.arm.runs[0]))) for row in table.rows if row.arm.runs and make is not None
            ]
            for table in self.analysis.tables
        }

    @staticmethod
    def inline(drawn: Drawn) -> str:
        """Return a figure as SVG for a page."""
        from poolab.report.figures.inline import inlined

        return inlined(drawn)
