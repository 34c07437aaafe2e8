"""Records of one run that are in several folders or files: one of them is taken, and the others are named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from poolab.records import Record


@dataclass(frozen=True)
class Doubled:
    """A record that is left out because another one of the same run is taken."""

    run: Record
    taken: Record

    def __str__(self) -> str:
        """Return one sentence."""
        same = self.run.metrics == self.taken.metrics
        return (
            f"{self.run.signature} (seed {self.run.seed}) is in {self.run.where} and in {self.taken.where}, "
            f"{'with the same figures' if same else 'with other figures'}; the record in {self.taken.where} is taken"
        )


def without_doubles(runs: Iterable[Record]) -> tuple[list[Record], list[Doubled]]:
    """Keep one record for each signature: a completed one before others, then the one that started first."""
    best: dict[str, Record] = {}
    doubled: list[Doubled] = []
    for run in runs:
        other = best.setdefault(run.signature, run)
        if other is run:
            continue
        first, second = sorted((other, run), key=lambda one: (not one.completed, one.started))
        best[run.signature] = first
        doubled.append(Doubled(second, first))
    return list(best.values()), doubled
