"""One group of the operator benchmark: all layers on one map, one window, one layout, one dtype, one device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch
from torch import Tensor, nn

from poolab.bench import backends
from poolab.bench.bandwidth import least_bytes
from poolab.bench.choices import Kernel, Shape, target
from poolab.bench.interleaved import Case, Interleaved, Plan, Step
from poolab.bench.memory import peak_bytes, saved_bytes
from poolab.bench.peers import Peer, peers_of
from poolab.bench.result import Cell, Group, Interval, Setting, interval_of
from poolab.measure import synchronise
from poolab.pooling import create_pool

BASELINE = ("max", "nn.MaxPool2d")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Place:
    """The device and settings with which the layers of a group are measured."""

    shape: Shape
    kernel: Kernel
    layout: str
    dtype: str
    device: str

    def described(self) -> Setting:
        """Return the benchmark setting as the result has it."""
        return {
            "shape": "x".join(map(str, self.shape)),
            "kernel": str(self.kernel),
            "layout": self.layout,
            "dtype": self.dtype,
            "device": self.device,
        }

    def map(self) -> Tensor:
        """Return normal numbers with a gradient, the same in every group of this shape."""
        numbers = torch.randn(self.shape, generator=torch.Generator().manual_seed(0))
        format = torch.channels_last if self.layout == "channels_last" else torch.contiguous_format
        placed = numbers.to(device=self.device, dtype=getattr(torch, self.dtype))
        return placed.contiguous(memory_format=format).requires_grad_()


class Layer:
    """One layer on one map: its steps to be timed, and its memory.

    Args:
        method: the pooling's name.
        backend: how it is computed: plain, fused, or the name of another implementation.
        module: the layer, in training mode.
        input: the map.
    """

    def __init__(self, method: str, backend: str, module: nn.Module, input: Tensor) -> None:
        self.method, self.backend, self.input = method, backend, input
        self.module = module.to(device=input.device, dtype=input.dtype).train()
        self.inputs = [input, *self.module.parameters()]
        with self.around():
            output = self.module(input)
        self.output_gradient = torch.randn_like(output)

    def around(self) -> AbstractContextManager[object]:
        """Return the context that selects the path."""
        return backends.using(self.backend)

    def prepare(self, direction: str) -> Step:
        """Return the step of a direction; for a backward, run its forward here."""
        if direction == "forward":
            return lambda: self.module(self.input)
        if direction == "backward":
            # Here and not once: the graphs of a whole group would fill the memory (adapool's holds 1.6 GB for 3x3).
            return partial(self._gradients, self.module(self.input), retain_graph=True)
        return lambda: self._gradients(self.module(self.input))

    def memory(self) -> tuple[int, int]:
        """Measure the bytes saved for backward and at the peak, after a first pass, which compiles."""
        with self.around():
            self.prepare("both")()
            saved = saved_bytes(self.module, self.input)
            return saved, peak_bytes(self.module, self.input, self.inputs, self.output_gradient)

    def _gradients(self, output: Tensor, retain_graph: bool = False) -> tuple[Tensor, ...]:
        given = self.output_gradient
        return torch.autograd.grad(output, self.inputs, given, retain_graph=retain_graph, allow_unused=True)


def measure_group(
    place: Place,
    methods: Sequence[str],
    *,
    paths: Sequence[str] = ("plain",),
    packages: Sequence[str] = (),
    directions: Sequence[str] = ("both", "forward", "backward"),
    plan: Plan | None = None,
    bandwidth: float | None = None,
    progress: Progress = lambda done, total, text: None,
    clock: Callable[[], float] = perf_counter,
) -> Group:
    """Measure all layers of a group in the same interleaved rounds, with `nn.MaxPool2d`.

    Args:
        place: map, window, layout, dtype and device.
        methods: names of window methods.
        paths: plain, fused or both.
        packages: those whose implementations are compared with poolab's.
        directions: both (forward and backward in one stretch), forward, backward.
        plan: how many rounds.
        bandwidth: the device's copy bandwidth in bytes a second.
        progress: called with the state of the measurement.
        clock: seconds.
    """
    layers, faults = _layers(place, methods, paths, packages)
    cases = {
        _key(layer.method, layer.backend, direction): Case(
            partial(layer.prepare, direction),
            None if (layer.method, layer.backend) == BASELINE else _key(*BASELINE, direction),
            layer.around,
        )
        for layer in layers
        for direction in directions
    }
    device = torch.device(place.device)
    timed = Interleaved(cases, plan or Plan(), synchronise=lambda: synchronise(device), clock=clock, progress=progress)
    timed.run()
    cells: list[Cell] = []
    for layer in layers:
        shared = _memory(layer)
        for direction in directions:
            cells.append({**shared, **_times(timed, layer, direction, place, bandwidth)})
            others = [each for each in layers if each.method == layer.method and each.backend not in backends.BACKENDS]
            if layer.backend in backends.BACKENDS:
                cells[-1]["times_faster_than"] = _against(timed, layer, others, direction)
    return {**place.described(), "cells": cells + faults}


def _layers(
    place: Place, methods: Sequence[str], paths: Sequence[str], packages: Sequence[str]
) -> tuple[list[Layer], list[Cell]]:
    """Return the layers that run on this map, the baseline first; and those that do not, with the reason."""
    input, kernel = place.map(), place.kernel
    own = nn.MaxPool2d(kernel.size, kernel.stride, kernel.padding)
    layers = [Layer(*BASELINE, own, input)]
    faults: list[Cell] = []
    size = layers[0].output_gradient.shape
    for method, backend, make in _wanted(place, methods, paths, packages):
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # learned weights start alike
                layer = Layer(method, backend, make(), input)
            if backend not in backends.BACKENDS and layer.output_gradient.shape != size:
                raise ValueError(f"its output is {tuple(layer.output_gradient.shape)}, not {tuple(size)}")
            layers.append(layer)
        except Exception as fault:  # a layer that is not made for this window or dtype: the others go on
            reason = f"{type(fault).__name__}: {str(fault).strip().partition(chr(10))[0]}"
            faults.append({"method": method, "backend": backend, "fault": reason})
    return layers, faults


def _wanted(
    place: Place, methods: Sequence[str], paths: Sequence[str], packages: Sequence[str]
) -> Iterator[tuple[str, str, Callable[[], nn.Module]]]:
    kernel, channels = place.kernel, place.shape[1]
    for method in methods:
        geometry = {"kernel_size": kernel.size, "stride": kernel.stride, "padding": kernel.padding}
        ours = partial(create_pool, method, channels=channels, **geometry)
        for path in paths:
            yield method, path, ours
        for peer in peers_of(method, packages):
            yield method, peer.name, partial(_beside, peer, kernel, channels, ours)


def _beside(peer: Peer, kernel: Kernel, channels: int, ours: Callable[[], nn.Module]) -> nn.Module:
    return peer.make(kernel, channels, ours())


def _times(timed: Interleaved, layer: Layer, direction: str, place: Place, bandwidth: float | None) -> Cell:
    key = _key(layer.method, layer.backend, direction)
    samples, seconds = timed.samples[key], timed.seconds(key)
    outputs = layer.output_gradient.numel()
    least = least_bytes(direction, place.shape, outputs, layer.input.element_size())
    goal = target(
        layer.method,
        backend=layer.backend,
        kernel=str(place.kernel),
        layout=place.layout,
        device=layer.input.device.type,
    )
    cell: Cell = {
        "method": layer.method,
        "backend": layer.backend,
        "direction": direction,
        "seconds": interval_of(seconds),
        "ratio": interval_of(timed.ratio(key)),
        "target": goal if direction == "both" else None,
        "least_bytes": least,
        "bandwidth_share": least / seconds.median / bandwidth if seconds and bandwidth else None,
        "outputs": outputs,
        "repeats": samples.repeats,
    }
    return {**cell, "fault": samples.fault} if samples.fault else cell


def _against(timed: Interleaved, layer: Layer, others: list[Layer], direction: str) -> dict[str, Interval]:
    """Compute how many times as long the other implementations of the method take, round by round."""
    own = _key(layer.method, layer.backend, direction)
    ratios = {each.backend: timed.ratio(_key(each.method, each.backend, direction), own) for each in others}
    return {name: one for name, ratio in ratios.items() if (one := interval_of(ratio)) is not None}


def _memory(layer: Layer) -> Cell:
    cell: Cell = {"method": layer.method, "backend": layer.backend}
    try:
        saved, peak = layer.memory()
        return {**cell, "saved_bytes": saved, "peak_bytes": peak}
    except Exception as fault:  # out of memory, most likely; the times stand
        return {**cell, "saved_bytes": None, "peak_bytes": None, "memory_fault": f"{type(fault).__name__}: {fault}"}


def _key(method: str, backend: str, direction: str) -> str:
    return f"{method} {backend} {direction}"
