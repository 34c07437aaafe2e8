"""The measures of a finished run: those that it has, and those that a new request lacks; needs no torch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from poolab.records import Record
from poolab.run_config import FullMeasureConfig, RunConfig

# The note of a run that was tested and then ended before it was measured; its end changed with the versions.
UNMEASURED = "not measured: the process ended before"
ENDED_BEFORE = f"{UNMEASURED}; the same command measures it from last.ckpt"
ROBUSTNESS = ("shift", "corruption", "scale")


class Measure(NamedTuple):
    """The metrics by which a record shows that something was measured, and the settings that change its figures."""

    prefixes: tuple[str, ...]
    settings: tuple[str, ...]


MEASURES = {
    "costs": Measure(("cost/parameters",), ("latency_batch_size", "throughput_batch_size")),
    "shift": Measure(("seconds/shift", "robust/shift_"), ("images", "max_shift", "shift_padding")),
    "corruption": Measure(("seconds/corruption", "robust/corruption"), ("images", "corruptions", "severities")),
    "scale": Measure(("seconds/scale", "robust/scale_"), ("images", "scales", "scale_mode")),
    "calibration": Measure(("seconds/calibration", "calibration/"), ()),
    "gradient_support": Measure(("seconds/gradient_support", "gradient_support/"), ("gradient_support_images",)),
}
# Figures of a measure that is taken again, which must not stand beside the new ones.
FIGURES = {
    "costs": ("cost/parameters", "cost/multiply_adds", "cost/pooling_saved_bytes", "speed/infer_"),
    **{name: measure.prefixes for name, measure in MEASURES.items() if name != "costs"},
}


def asked_measures(config: RunConfig) -> tuple[str, ...]:
    """Return the measures that a configuration asks for, in the order of `MEASURES`."""
    measure = config.measure
    if not isinstance(measure, FullMeasureConfig):
        return ("costs",)
    asked = {"costs"} | ({"gradient_support"} if measure.gradient_support else set())
    if config.task != "segmentation":  # the others take one class for each image
        asked |= {*measure.robustness} | ({"calibration"} if measure.calibration else set())
    return tuple(name for name in MEASURES if name in asked)


def missing_measures(config: RunConfig, record: Record) -> tuple[str, ...]:
    """Return the measures that a configuration asks for and a record does not have, or has with other settings.

    A measure that was tried and failed is not missing: its note says why, and `poolab measure RUN --again` tries again.
    A run without a trained network lacks nothing.
    """
    if not record.completed:
        return ()
    before = record.config.get("measure")
    known: Mapping[str, Any] = before if isinstance(before, Mapping) else {}
    asked = config.measure.tree()
    return tuple(
        name
        for name in asked_measures(config)
        if not _is_there(name, record)
        or any(key in known and known[key] != asked[key] for key in MEASURES[name].settings)
    )


def only(config: RunConfig, names: tuple[str, ...]) -> RunConfig:
    """Return a configuration that asks for these measures of `measure=full`, and for no others of it."""
    measure = config.measure
    if not isinstance(measure, FullMeasureConfig):
        return config
    chosen = replace(
        measure,
        robustness=tuple(name for name in measure.robustness if name in names),
        calibration="calibration" in names,
        gradient_support="gradient_support" in names,
    )
    return replace(config, measure=chosen)


def merged_settings(before: Any, config: RunConfig, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the `measure` of a record after some measures were added: its own settings, and those of the new ones.

    Args:
        before: the record's settings so far.
        names: the measures that were added.
    """
    found = dict(before) if isinstance(before, Mapping) else {}
    asked = config.measure.tree()
    if asked["name"] == "full" and found.get("name") != "full":
        empty = {"robustness": [], "calibration": False, "gradient_support": False}
        found = {**asked, **found, "name": "full", **empty}
    for name in names:
        found |= {key: asked[key] for key in MEASURES[name].settings}
        if name in ROBUSTNESS:
            found["robustness"] = [one for one in ROBUSTNESS if one in (*found["robustness"], name)]
        elif name != "costs":
            found[name] = True
    return found


def without_figures(record: Record, names: tuple[str, ...]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the metrics and notes of a record without those of some measures."""
    gone = tuple(prefix for name in names for prefix in FIGURES[name])
    noted = {*names, *(f"robust/{name}" for name in names)}
    noted |= {"cost", "speed"} if "costs" in names else set()
    noted |= {"robust"} if set(ROBUSTNESS) & set(names) else set()
    metrics = {key: value for key, value in record.metrics.items() if not key.startswith(gone)}
    notes = {key: note for key, note in record.notes.items() if key not in noted and not key.startswith(gone)}
    return metrics, notes


def _is_there(name: str, record: Record) -> bool:
    """Return whether a measure was taken, or tried and failed."""
    key = {"costs": "cost", "calibration": "calibration", "gradient_support": "gradient_support"}.get(name, "robust")
    note = record.notes.get(key, "")
    has_failed = bool(note) and not note.startswith(UNMEASURED)
    return has_failed or any(key.startswith(MEASURES[name].prefixes) for key in record.metrics)
