"""Shares this machine's cores among the runs of a study."""

import os
from collections import Counter
from pathlib import Path

from poolab.errors import PoolabError
from poolab.study.plan.plan import Plan, Planned

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # a container's share of the processor: "MICROSECONDS PERIOD", or "max PERIOD"


def cores() -> int:
    """Return the number of cores that this process may use, at least 1."""
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return free if quota is None else max(1, min(free, int(quota)))


def share(workers: int) -> int:
    """Return torch's threads for each of `workers` runs at a time: together they have no more than there are cores.

    Each of two runs would else take all cores, and torch's small operations then wait milliseconds for each other. A
    smaller OMP_NUM_THREADS holds.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    most = int(asked) if asked.isdecimal() and int(asked) > 0 else None
    each = max(1, cores() // workers)
    return each if most is None else min(each, most)


def threads_words(plan: Plan) -> str:
    """Return how many threads the runs of a plan get."""
    known = Counter(one.config.trainer.threads for one in plan.cells)
    if None not in known:
        return f"{', '.join(str(number) for number in sorted(map(int, filter(None, known))))}, as trainer.threads says"
    here = cores()
    words = f"{share(1)} of {here} core{'s' * (here != 1)} for a run"
    if share(here) != share(1):
        words += f", {share(here)} with --workers {here}"
    return f"{words}; trainer.threads sets another number{_others(plan, {share(1), share(here)})}"


def differing_threads(left: list[Planned], finished: list[Planned], threads: int) -> str | None:
    """Return a sentence on finished runs of a study that had another number of threads than its other runs will have.

    The number of threads is not in a run's identity: it changes rounding alone, and training makes that larger.
    """
    if not any(one.config.trainer.threads is None for one in left):
        return None
    others = Counter(number for one in finished if (number := _had(one)) not in (None, threads))
    if not others:
        return None
    most, count = others.most_common(1)[0]
    return (
        f"{sum(others.values())} finished runs of this study had another number of threads ({most}: {count}) than the "
        f"runs that are left will have ({threads}). Threads change how sums are rounded, and a report names the pairs "
        f"that differ; trainer.threads={most} gives them the same"
    )


def _others(plan: Plan, planned: set[int]) -> str:
    finished = [one for one in plan.cells if one.signature in plan.finished]
    had = {number for one in finished if (number := _had(one)) is not None} - planned
    return f". Finished runs had {', '.join(map(str, sorted(had)))}" if had else ""


def _had(planned: Planned) -> int | None:
    """Return the threads that a finished run was computed with."""
    try:
        record = planned.folder.result
    except PoolabError:
        return None
    number = record.environment.get("threads") if record is not None else None
    return number if isinstance(number, int) else None


def _quota() -> float | None:
    try:
        allowed, period = QUOTA.read_text(encoding="ascii").split()
        return None if allowed == "max" else int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
