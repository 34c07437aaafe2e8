"""Says what the arms cost beside the baseline; measured costs only where they may be compared."""

from __future__ import annotations

from collections.abc import Sequence

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.costs import COSTS, Cost
from poolab.report.sentence import NAMED, Sentence, listed


def cost_sentences(analysis: Analysis, table: Table) -> list[Sentence]:
    """Return what the arms cost beside the baseline; measured costs only where they may be compared."""
    base = table.baseline
    if base is None or not table.others:
        return []
    found = [_parameters(base, table.others, COSTS["parameters"])]
    measured = [name for name in ("step_ms", "latency_ms") if name in base.costs]
    if measured and table.comparable_costs:
        found += [_cost(name, base, table.others) for name in measured]
    elif measured:
        found.append(
            Sentence(
                "cost",
                "Times and memory are shown, but no arm is called faster or smaller: the records do not say that they "
                "were measured one at a time on one idle machine.",
            )
        )
    if "peak_memory_mb" in base.costs and any(str(run.environment.get("device")) == "cpu" for run in base.arm.runs):
        found.append(
            Sentence(
                "cost",
                "Peak memory on the CPU is that of a whole process: in a test of poolab itself, not of this study, "
                "five equal runs gave 72 to 109 MB.",
            )
        )
    return [one for one in found if one is not None]


def _parameters(base: Row, others: Sequence[Row], cost: Cost) -> Sentence | None:
    own = base.costs.get("parameters")
    if own is None:
        return None
    more = [(row, row.costs["parameters"].median) for row in others if "parameters" in row.costs]
    differing = [f"{row.label} {cost.written(value)}" for row, value in more if value != own.median]
    if not differing:
        return Sentence("cost", f"All arms have {cost.written(own.median)} parameters.")
    if len(differing) > NAMED:
        least, most = (cost.written(pick(value for _, value in more)) for pick in (min, max))
        text = f"{base.label} has {cost.written(own.median)} parameters, the others have {least} to {most}."
        return Sentence("cost", text)
    return Sentence("cost", f"{base.label} has {cost.written(own.median)} parameters; {listed(differing)}.")


def _cost(name: str, base: Row, others: Sequence[Row]) -> Sentence | None:
    cost, own = COSTS[name], base.costs[name].median
    ratios = sorted((row.costs[name].median / own, row.label) for row in others if name in row.costs and own > 0)
    if not ratios:
        return None
    least, most = ratios[0], ratios[-1]
    text = f"The {cost.name} of {base.label} takes {cost.written(own)} {cost.unit}"
    if len(ratios) == 1:
        return Sentence("cost", f"{text}, that of {least[1]} {least[0]:.2f} times as long.")
    return Sentence("cost", f"{text}; {least[1]} takes {least[0]:.2f} and {most[1]} {most[0]:.2f} times as long.")
