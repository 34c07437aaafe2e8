"""Looks at a study's results while seeds are added: which there were, and the rule that the intervals go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poolab.report.statistics import Looks


@dataclass(frozen=True)
class Look:
    """A report or a table that was made earlier, as the study's journal has it.

    Args:
        seeds: the seeds that had a result then.
        planned: the seeds that the study file named then; None for a search.
        arms: what was compared, a hash of each arm in each setting (`arm_hashes`).
        command: report, table or run.
        time: ISO 8601.
        records: a hash of the runs that were seen (`records_hash`); empty in journals of earlier versions.
    """

    seeds: int
    planned: int | None
    arms: frozenset[str]
    command: str = "report"
    time: str = ""
    records: str = ""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Look | None:
        """Return the look of a journal's line; None of a line that is none.

        >>> Look.from_json({"looked": "table", "seeds": 3, "planned": 5, "arms": ["a"], "time": ""}).seeds
        3
        >>> Look.from_json({"looked": "table", "seeds": "three"}) is None
        True
        """
        seeds, planned, arms = (entry.get(name) for name in ("seeds", "planned", "arms"))
        whole = [isinstance(one, int) and not isinstance(one, bool) for one in (seeds, planned)]
        if not isinstance(entry.get("looked"), str) or not whole[0] or not isinstance(arms, list):
            return None
        assert isinstance(seeds, int)
        return cls(
            seeds=seeds,
            planned=planned if whole[1] else None,
            arms=frozenset(map(str, arms)),
            command=entry["looked"],
            time=str(entry["time"]),
            records=str(entry.get("records", "")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the line of a journal."""
        return {
            "looked": self.command,
            "seeds": self.seeds,
            "planned": self.planned,
            "arms": sorted(self.arms),
            "time": self.time,
            "records": self.records,
        }

    @property
    def whole(self) -> bool:
        """True if every seed that the study named then had a result."""
        return self.planned is not None and self.seeds >= self.planned


def added_after(looked: Sequence[Look], planned: int | None) -> Look | None:
    """Return the last look at a whole study after which seeds were added to its file; None where there is none.

    A look at a part of the seeds that were planned changes nothing: their number was fixed before.

    >>> first = Look(3, 3, frozenset("a"))
    >>> added_after([first], 5) == first, added_after([first], 3), added_after([Look(2, 5, frozenset("a"))], 5)
    (True, None, None)
    """
    before = [look for look in looked if look.whole and planned is not None and (look.planned or 0) < planned]
    return before[-1] if before else None


def rule(declared: Looks | None, looked: Sequence[Look] | None, planned: int | None) -> Looks | None:
    """Return how looks are counted: as declared, or without a plan where seeds were added after a look.

    >>> rule(None, [Look(3, 3, frozenset("a"))], 5), rule(None, [], 5)
    (Looks(declared=(), spending=None, seeds=None), None)
    """
    return Looks() if declared is None and added_after(looked or (), planned) is not None else declared


def rule_sentence(declared: Looks | None, added: Look | None, methods: Sequence[str]) -> str:
    """Say how looks were counted.

    Args:
        declared: the looks that the study file declares; None where it says nothing.
        added: the look after which seeds were added.
        methods: how the intervals of each setting were made.
    """
    if added is not None:
        return (
            f"Seeds were added after a look at the whole study with {_counted(added.planned or 0, 'seed')}, and no "
            "looks were declared: the intervals are those of a t e-process, which hold at any number of seeds."
        )
    if declared is None:
        return "No looks at intermediate results were declared: the number of seeds counts as fixed in advance."
    if not declared.declared:
        return (
            "Seeds are added without a plan (looks: []): the intervals are those of a t e-process, which hold at any "
            "number of seeds."
        )
    numbers = ", ".join(map(str, declared.declared))
    other = methods.count("e_process")
    if not other:
        return f"Looks were declared at {numbers} seeds, of which each uses a part of the error; this is one of them."
    where = (
        "this is none of them" if other == len(methods) else f"{other} of {len(methods)} settings have another number"
    )
    return (
        f"Looks were declared at {numbers} seeds, and {where}: the intervals there are those of a t e-process, which "
        "hold at any number of seeds."
    )


def seen_sentence(looked: Sequence[Look] | None, records: str = "") -> str:
    """Count the looks that the journal shows, by their numbers of seeds; looks at the same runs count once.

    Args:
        records: the hash of the runs that are looked at now: what was seen of them before is no other look.
    """
    if looked is None:
        return "The records come without the journal of a study: earlier looks at them are not known."
    if not looked:
        return "The study's journal shows no earlier look at these arms."
    # Earlier versions noted no hash: there the arms and the number of seeds tell looks apart.
    others = {
        look.records or (look.seeds, look.arms): look for look in looked if not records or look.records != records
    }
    if not others:
        return "The same runs were looked at before; the study's journal shows no look at other runs of these arms."
    counts = Counter(look.seeds for look in others.values())
    places = ", ".join(f"{count} at {_counted(seeds, 'seed')}" for seeds, count in sorted(counts.items()))
    return f"The study's journal shows {_counted(len(others), 'earlier look')} at these arms: {places}."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
