"""One group of the network benchmark: the same training step with each pooling, and with `nn.MaxPool2d`."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import nn

from poolab.backbones import create_backbone, to_channels_last
from poolab.bench import backends
from poolab.bench.interleaved import Case, Interleaved, Plan
from poolab.bench.ops_group import BASELINE
from poolab.bench.result import Cell, Group, Setting, interval_of
from poolab.measure import synchronise

TARGET = 1.05  # of the step with max pooling
TARGET_METHOD = "avg_topk"
SIDE = 32
WIDTH = 64  # of the first stage in ResNet-18 as it is published


@dataclass(frozen=True)
class Place:
    """The device and settings with which the steps of a group are measured."""

    batch_size: int
    width: int
    layout: str
    dtype: str
    device: str
    mode: str
    network: str = "resnet18_cifar"

    def described(self) -> Setting:
        """Return the benchmark setting as the result has it."""
        return {
            "network": f"resnet18-{self.width}" if self.network == "resnet18_cifar" else self.network,
            "shape": f"{self.batch_size}x3x{SIDE}x{SIDE}",
            "layout": self.layout,
            "dtype": self.dtype,
            "device": self.device,
            "mode": self.mode,
        }


class TrainingStep:
    """Forward, cross entropy, backward, step of SGD with momentum; the same images and initial weights in each network.

    Args:
        place: batch, layout, dtype, device, and whether the network is compiled.
        method: the pooling in every slot.
        backend: plain, fused, or "nn.MaxPool2d" for torch's own layer.
    """

    def __init__(self, place: Place, method: str, backend: str) -> None:
        self.place = place
        size = {"in_channels": 3, "num_classes": 10, "image_size": SIDE, "width_mult": place.width / WIDTH}
        model = create_backbone(place.network, pooling={"name": method}, seed=0, **size)  # type: ignore[arg-type]
        if (method, backend) == BASELINE:
            for slot in (name for name in model.slots if name != "head"):
                parent, _, name = model.path_of(slot).rpartition(".")
                ours = model.get_submodule(model.path_of(slot))
                own = nn.MaxPool2d(ours.kernel_size, ours.stride, ours.padding)  # type: ignore[arg-type]
                setattr(model.get_submodule(parent), name, own)
        format = torch.channels_last if place.layout == "channels_last" else torch.contiguous_format
        model = model.to(place.device).train()
        if place.layout == "channels_last":
            to_channels_last(model)
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(place.batch_size, 3, SIDE, SIDE, generator=generator)
        self.images = images.to(place.device).contiguous(memory_format=format)
        self.labels = torch.randint(10, (place.batch_size,), generator=generator).to(place.device)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        self.model: Callable[[torch.Tensor], torch.Tensor] = model
        if place.mode == "compile":
            # One graph: a graph break by a pooling must be reported, and not be timed.
            self.model = torch.compile(model, fullgraph=True)

    def __call__(self) -> None:
        """Run one step."""
        loss = self.loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def loss(self) -> torch.Tensor:
        """Run the forward and return the loss."""
        kind = torch.device(self.place.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.place.dtype == "bfloat16"):
            return F.cross_entropy(self.model(self.images), self.labels)


def measure_group(
    place: Place,
    methods: Sequence[str],
    paths: Sequence[str],
    plan: Plan,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> Group:
    """Measure the training step with each method and path in the same interleaved rounds, with `nn.MaxPool2d`."""
    wanted = [BASELINE, *((method, path) for method in methods for path in paths)]
    cases = {_key(*each): _case(place, *each) for each in wanted}
    device = torch.device(place.device)
    timed = Interleaved(cases, plan, synchronise=lambda: synchronise(device), progress=progress)
    with _compiling(len(wanted)) if place.mode == "compile" else nullcontext():
        timed.run()
    return {**place.described(), "cells": [_cell(timed, method, backend) for method, backend in wanted]}


def _case(place: Place, method: str, backend: str) -> Case:
    """Return the step as a case. Its first warm-up builds the network, and reports a method that fits no slot."""

    @cache
    def step() -> TrainingStep:
        return TrainingStep(place, method, backend)

    baseline = None if (method, backend) == BASELINE else _key(*BASELINE)
    return Case(step, baseline, partial(backends.using, backend))


def _compiling(networks: int) -> AbstractContextManager[object]:
    """Raise dynamo's limit of 8: each network compiles the same code anew."""
    import torch._dynamo

    torch._dynamo.reset()
    limit = max(torch._dynamo.config.recompile_limit, 2 * networks + 8)
    context: AbstractContextManager[object] = torch._dynamo.config.patch(
        recompile_limit=limit, fail_on_recompile_limit_hit=True
    )
    return context


def _cell(timed: Interleaved, method: str, backend: str) -> Cell:
    samples = timed.samples[_key(method, backend)]
    cell: Cell = {
        "method": method,
        "backend": backend,
        "direction": "step",
        "seconds": interval_of(timed.seconds(_key(method, backend))),
        "ratio": interval_of(timed.ratio(_key(method, backend))),
        "target": TARGET if method == TARGET_METHOD else None,
        "repeats": samples.repeats,
    }
    return {**cell, "fault": samples.fault} if samples.fault else cell


def _key(method: str, backend: str) -> str:
    return f"{method} {backend}"
