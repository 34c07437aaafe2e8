"""Tells which arms and seeds a report compares, as the journal of a study notes them at a look."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from poolab.report.evidence import Evidence
from poolab.report.looks import Look

DIGITS = 12


def arm_hashes(evidence: Evidence) -> frozenset[str]:
    """Return a hash of each arm in each setting: of its settings without the seed."""
    return frozenset(
        hashlib.sha256(repr(sorted({**setting.facts, **arm.settings}.items())).encode("utf-8", "replace")).hexdigest()[
            :DIGITS
        ]
        for setting in evidence.settings
        for arm in setting.arms
        if arm.runs or arm.diverged
    )


def records_hash(evidence: Evidence) -> str:
    """Return a hash of the runs that have a result: two looks at the same runs have the same."""
    names = sorted(run.signature for run in evidence.runs)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:DIGITS]


def seeds_seen(evidence: Evidence) -> int:
    """Return how many seeds have a result."""
    return len({run.seed for run in evidence.runs})


def of_these_arms(looked: Sequence[Look], evidence: Evidence) -> tuple[Look, ...]:
    """Return the looks at which some arm of this evidence was seen: a study of other settings is another study."""
    own = arm_hashes(evidence)
    return tuple(look for look in looked if look.arms & own)
