"""The measures of `measure=full`, under the flat names of a record: robustness, calibration, gradient support."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from poolab.measure.corruptions import CORRUPTIONS, SEVERITIES, corruption_accuracy
from poolab.measure.diagram import reliability_diagram
from poolab.measure.gradients import gradient_support
from poolab.measure.predictions import Predict
from poolab.measure.probabilities import calibration_of
from poolab.measure.scales import SCALES, scale_accuracy
from poolab.measure.shifts import shift_accuracy, shift_consistency
from poolab.measure.style import default_style

ROBUSTNESS = ("shift", "corruption", "scale")
Figures = dict[str, float]
Notes = dict[str, str]


def run_full(
    predict: Predict,
    images: Tensor,
    labels: Tensor | None,
    *,
    model: nn.Module | None = None,
    robustness: Sequence[str] = ROBUSTNESS,
    max_shift: int | None = None,
    shift_padding: str = "circular",
    corruptions: Sequence[str] = CORRUPTIONS,
    severities: Sequence[int] = SEVERITIES,
    scales: Sequence[float] = SCALES,
    scale_mode: str = "canvas",
    gradient_support_images: int = 64,
    examples: Mapping[str, Tensor] | None = None,
    picture: str | Path | None = None,
    batch_size: int = 512,
    device: torch.device | str | None = None,
    report: Callable[[str, float], None] = lambda name, seconds: None,
    tolerant: bool = False,
) -> tuple[Figures, Notes]:
    """Measure the robustness, calibration and gradient support of one network.

    Args:
        predict: uint8 images (n, C, H, W) to logits (n, classes), in eval mode.
        images: the test images, uint8 (N, C, H, W).
        labels: their classes, int64 (N,); None (no single class for an image) leaves robustness out.
        model: the network that `predict` runs, not compiled; None leaves the gradient support out.
        robustness: which of "shift", "corruption" and "scale".
        max_shift, shift_padding: see `shift_consistency`.
        corruptions, severities: see `corruption_accuracy`.
        scales, scale_mode: see `scale_accuracy`.
        gradient_support_images: the number of images, from the first on, that the gradient support is computed on.
        examples: the columns that `calibration_of` takes, over the whole test set; None leaves calibration out.
        picture: the path of the reliability diagram; None draws none.
        batch_size, device: as `predictions` takes them.
        report: called with each measure's name and seconds when the measure is done.
        tolerant: if True, a measure that fails leaves a note, and the next one follows; if False it raises.

    Returns:
        The figures by name (see docs/robustness.md), with each measure's own time as seconds/<measure>; and a note on
        each measure that failed.

    >>> blank = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    >>> net = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(1, 3))
    >>> figures, notes = run_full(lambda x: net(x.float()), blank, torch.zeros(4), model=net, robustness=["shift"])
    >>> figures["robust/shift_consistency"], figures["gradient_support/0/input_coverage"], notes
    (1.0, 1.0, {})
    """
    figures: Figures = {}
    notes: Notes = {}
    how: dict[str, Any] = {"batch_size": batch_size, "device": device}

    def shift() -> Figures:
        return _shift(predict, images, labels, max_shift=max_shift, padding=shift_padding, **how)

    def corruption() -> Figures:
        return _corruption(predict, images, labels, corruptions=corruptions, severities=severities, **how)

    def scale() -> Figures:
        return _scale(predict, images, labels, notes, scales=scales, mode=scale_mode, **how)

    def measured_calibration() -> Figures:
        return _calibration(examples or {}, picture)

    def support() -> Figures:
        return _gradient_support(model, predict, images[:gradient_support_images].to(device or images.device))

    measures = {"shift": shift, "corruption": corruption, "scale": scale}
    wanted = {name: measures[name] for name in robustness} if labels is not None else {}
    if wanted:
        figures["robust/images"] = len(images)
    wanted |= {"calibration": measured_calibration} if examples is not None else {}
    wanted |= {"gradient_support": support} if model is not None else {}
    for name, measure in wanted.items():
        start = perf_counter()
        try:
            figures |= measure()
        except Exception as fault:
            if not tolerant:
                raise
            why = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
            notes[f"robust/{name}" if name in ROBUSTNESS else name] = f"not measured: {why}"
        figures[f"seconds/{name}"] = perf_counter() - start
        report(name, figures[f"seconds/{name}"])
    return figures, notes


def _shift(predict: Predict, images: Tensor, labels: Any, **how: Any) -> Figures:
    along = shift_accuracy(predict, images, labels, **how)
    return {
        "robust/shift_consistency": shift_consistency(predict, images, **how),
        "robust/shift_accuracy_mean": _mean(along.values()),
        **{f"robust/shift_accuracy/{step}": value for step, value in along.items()},
    }


def _corruption(predict: Predict, images: Tensor, labels: Any, **how: Any) -> Figures:
    found = corruption_accuracy(predict, images, labels, **how)
    kinds = {f"robust/corruption/{kind}": _mean(by_severity.values()) for kind, by_severity in found.items()}
    each = {
        f"robust/corruption/{kind}/{severity}": value
        for kind, by_severity in found.items()
        for severity, value in by_severity.items()
    }
    return {"robust/corruption_accuracy": _mean(kinds.values()), **kinds, **each}


def _scale(
    predict: Predict, images: Tensor, labels: Any, notes: Notes, scales: Sequence[float], mode: str, **how: Any
) -> Figures:
    found: Figures = {}
    for scale in scales:
        name = f"robust/scale_accuracy/{scale:g}"
        try:
            found[name] = scale_accuracy(predict, images, labels, scales=[scale], mode=mode, **how)[scale]
        except (ValueError, RuntimeError) as fault:
            if mode == "canvas":
                raise
            notes[name] = f"not measured, the network does not take this size: {fault}"
    return found | ({"robust/scale_accuracy_mean": _mean(found.values())} if found else {})


def _calibration(examples: Mapping[str, Tensor], picture: str | Path | None) -> Figures:
    found = {f"calibration/{name}": value for name, value in calibration_of(examples).items()}
    if picture is not None:
        try:
            with default_style():
                reliability_diagram(examples["confidence"], examples["label"] == examples["predicted"], picture)
        except Exception as fault:  # a picture costs no figure
            why = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
            warnings.warn(f"without a picture: {Path(picture).name} ({why})", stacklevel=2)
    return found


def _gradient_support(model: Any, predict: Predict, images: Tensor) -> Figures:
    found = gradient_support(model, images, predict=predict)
    shares = {f"gradient_support/{slot}/input_coverage": each.input_coverage for slot, each in found.items()}
    return shares | {f"gradient_support/{slot}/entropy": each.entropy for slot, each in found.items()}


def _mean(values: Any) -> float:
    values = list(values)
    return sum(values) / len(values)
