"""The arms of a study as its table has them, one after the other."""

from dataclasses import dataclass

from poolab.records import Record
from poolab.report.analysis import analyse
from poolab.report.gathering import gather
from poolab.study.evidence import Cells


@dataclass(frozen=True)
class Arm:
    """One arm in one place."""

    place: str
    arm: str
    scores: dict
    missing: int
    failed: int
    stopped: int
    baseline: str | None
    pairs: int
    difference: float | None
    mean: float | None
    interval: tuple | None


def read(records):
    """Records of their JSON, where they are none yet."""
    return [one if isinstance(one, Record) else Record.from_json(one, where="runs") for one in records]


def gathered(study, records, extra=(), runs=None):
    """The evidence of a study's records."""
    cells, found = Cells(), read(records)
    cells.add(study, found, extra, runs)
    return gather(cells.of(found), expected=cells.expected, searched=cells.searched)


def compare(study, records, extra=(), baseline=None, runs=None):
    """Each arm of each place, in the order of the table."""
    analysis = analyse(gathered(study, records, extra, runs), baseline=baseline)
    return [
        Arm(table.label, row.label, row.arm.scores(analysis.metric.name), len(row.arm.missing), len(row.arm.failed),
            len(row.arm.stopped), None if row.is_baseline or table.baseline is None else analysis.baseline,
            row.compared.pairs, row.compared.difference, row.compared.mean, row.compared.interval_single)
        for table in analysis.tables for row in table.rows
    ]  # fmt: skip
