"""Show a plan on the terminal: the runs of a study, their time, and the difference it can detect."""

import math
from collections.abc import Iterator, Mapping, Sequence

from poolab.data import count_test_images
from poolab.records import Record
from poolab.study.plan.estimate import Estimate
from poolab.study.plan.plan import Plan
from poolab.study.plan.power import ALPHA, ASSUMED, POWER, detectable, paired_deviation
from poolab.study.plan.threads import threads_words
from poolab.study.sweep.own_command import FORM
from poolab.study.sweep.sweep_file import Study

SHOWN_ARMS = 20


def page(
    plan: Plan, estimate: Estimate | None, records: Sequence[Record], per_hour: float | None = None
) -> list[tuple[str, str]]:
    """Return the lines of a plan, each with its title.

    Args:
        per_hour: what an hour of a device costs.
    """
    study = plan.study
    lines = [("study", f"{study.path}: {study.method} over {study.program}")]
    lines += [("", study.description)] if study.description else []
    if study.method == "grid":
        lines += _grid(plan)
    else:
        lines += _search(study, plan)
    lines += [("time", _time(plan, estimate)), ("costs", _costs(plan, estimate, per_hour))]
    lines += [("threads", threads_words(plan))]
    lines += [("detects", _detects(plan, records))] if study.method == "grid" else []
    return lines + [("on W&B", note) for note in wandb_notes(study)]


def _grid(plan: Plan) -> Iterator[tuple[str, str]]:
    arms, seeds = plan.arms, plan.seeds
    yield "cells", f"{len(plan.cells)}, of which {len(plan.finished)} are finished in {plan.runs_dir}"
    more = f"; and {len(arms) - SHOWN_ARMS} more" if len(arms) > SHOWN_ARMS else ""
    yield "arms", f"{len(arms)}: {'; '.join(arms[:SHOWN_ARMS])}{more}"
    yield "seeds", f"{len(seeds)}: {', '.join(map(str, seeds))}"
    yield "on", "; ".join(plan.settings)


def _search(study: Study, plan: Plan) -> Iterator[tuple[str, str]]:
    for parameter in study.parameters:
        yield "draws", f"{parameter.name} from {parameter}"
    how_many = study.run_cap or "as many as are asked for: run_cap is not set"
    yield "runs", f"{how_many}; {len(plan.cells)} cells with every choice and end of range were checked"
    drawn = "at random" if study.method == "random" else "by TPE"
    yield "drawn", f"{drawn} where `poolab study run` runs it; --sampler tpe, random or genetic chooses another way"
    if study.metric:
        yield "goes by", f"{study.metric.name}, {study.metric.goal}d"
    if study.early_terminate:
        rest = ", ".join(f"{key} {value}" for key, value in study.early_terminate.items() if key != "type")
        yield "stops", f"by {study.early_terminate['type']}: {rest}"


def _time(plan: Plan, estimate: Estimate | None) -> str:
    if estimate is None:
        return (
            f"not known: {plan.runs_dir} has no record of a like run (same backbone, data and epochs); "
            "--measure runs an epoch, or run one cell"
        )
    if plan.study.method == "grid":
        left = len(plan.cells) - len(plan.finished)
        part = f" ({estimate.known} of {left} cells left)" if estimate.known < left else ""
        return f"{duration(estimate.seconds)} one after the other{part}, from {estimate.source}"
    each = estimate.seconds / max(estimate.known, 1)
    count = plan.study.run_cap
    whole = f", {duration(each * count)} for {count} one after the other" if count else ""
    return f"{duration(each)} a run{whole}, from {estimate.source}"


def _costs(plan: Plan, estimate: Estimate | None, per_hour: float | None) -> str:
    """Return the remaining device-hours, and their cost if a price is given. (Energy is not measured and not shown.)"""
    if estimate is None:
        return "not known, as the time is not"
    if estimate.device_seconds is None:
        return "not known: with trainer.devices=auto or -1 the machine says how many there are"
    whole, of = estimate.device_seconds, ""
    if plan.study.method != "grid":
        whole *= (plan.study.run_cap or 1) / estimate.known
        of = "" if plan.study.run_cap else " a run"
    hours = whole / 3600
    price = (
        f", {hours * per_hour:,.2f} at {per_hour:g} for each" if per_hour is not None else "; --per-hour sets a price"
    )
    return f"{hours:,.{1 if hours >= 10 else 2}f} device-hours{of}{price}"


def _detects(plan: Plan, records: Sequence[Record]) -> str:
    seeds = len(plan.seeds)
    comparisons = max(len({one.arm for one in plan.cells if one.setting == setting}) for setting in plan.settings) - 1
    if seeds < 2 or comparisons < 1:
        need = "two seeds" if seeds < 2 else "two arms"
        return f"nothing: a paired difference needs {need} at least"
    known = paired_deviation(records)
    deviation = known[0] if known else ASSUMED * math.sqrt(2)
    what = _difference(detectable(seeds, deviation, comparisons), _test_images(plan, records))
    how = (
        f"to the baseline with {seeds} paired seeds ({POWER:.0%} power if differences are normal, {ALPHA:.0%} level, "
        f"Holm over {comparisons} comparison{'s' * (comparisons != 1)}"
    )
    if known is None:
        return (
            f"not known yet: run two seeds and plan again. It is assumed that seeds deviate by {100 * ASSUMED:g} "
            f"points, and arms independently; that gives {what} {how})"
        )
    return f"{what} {how}; paired differences of {known[1]} like arms deviate by {100 * deviation:.2f} points)"


def _difference(least: float, images: int | None) -> str:
    """Write a difference that is detected: at most what is possible, and at least what one test image is worth."""
    if least > 1:
        return "no difference that is possible"
    if images is not None and least < 1 / images:
        return f"a difference of {100 / images:.2f} points (one of {images} test images)"
    return f"a difference of {100 * least:.2f} points"


def _test_images(plan: Plan, records: Sequence[Record]) -> int | None:
    """Return the number of test images, the least of several settings.

    None where neither data nor records tell it, and for segmentation, whose scores do not go in steps of an image.
    """
    if any(planned.config.task != "classification" for planned in plan.cells):
        return None
    configs = {planned.setting: planned.config.data for planned in plan.cells}
    counts = [count_test_images(data.reading) for data in configs.values()]
    counts += [int(count) for record in records if (count := record.value("test/samples"))]
    return min((count for count in counts if count), default=None)


def wandb_notes(study: Study) -> Iterator[str]:
    """Return notes on what W&B's agent does differently with the same file: it passes str(value) to the process."""
    if study.trains and not study.command:
        yield f"only if `wandb agent` shall run this file: it needs a command, since its own gives --key=value: {FORM}"
    ends = [key for key in ("early_terminate", "run_cap") if getattr(study, key)] if study.method == "grid" else []
    if ends:
        yield f"{' and '.join(ends)} may end a grid early there; `poolab study run` runs each of its cells to the end"
    for parameter in study.parameters:
        if None in parameter.values:
            yield f"{parameter.name}: null arrives as the text None; leave it out, or set it behind the command"
        if any(isinstance(value, Mapping) for value in parameter.values):
            yield f"{parameter.name}: a mapping does not arrive in Hydra's form; use dotted names"


def duration(seconds: float) -> str:
    """Return seconds in the unit that a person would use.

    >>> duration(42), duration(600), duration(9000), duration(200000)
    ('42 s', '10 min', '2.5 h', '2.3 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} days"
