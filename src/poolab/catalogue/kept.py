"""Measure what a method keeps of an image: its output, and the gradient of its input."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from poolab.catalogue.chosen import refusals
from poolab.measure import gradient_at
from poolab.pooling import Pool


@dataclass(frozen=True)
class Kept:
    """One pass of a method over a map.

    Attributes:
        output: what came out, without the batch dimension.
        gradient: d sum(y) / dx, summed over the input's channels: where the gradient arrives.
        apart: the same for output elements so far from each other that the windows of a local method do not meet.
        step: every how many-th output element that is.
    """

    output: Tensor
    gradient: Tensor
    apart: Tensor
    step: int


def kept(pool: Pool, input: Tensor, training: bool = False) -> Kept:
    """Run one pass, with the draws of seed 0 in training; torch's global generator and the method are left unchanged.

    Raises:
        ConfigError: the method refuses the map.
    """
    step = _step(pool)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        was = pool.training
        leaf = input.detach().clone().requires_grad_()
        with refusals(pool, input.shape):
            output = pool.train(training)(leaf)
        pool.train(was)
    gradients = [gradient_at(output, leaf, _every(output, each))[0] for each in (1, step)]
    return Kept(output.detach()[0], gradients[0], gradients[1], step)


def _step(pool: Pool) -> int:
    if pool.role != "window":
        return 1
    geometry: Any = pool.geometry
    return max(2, *(math.ceil(geometry.span(axis) / geometry.stride[axis]) for axis in range(geometry.dims)))


def _every(output: Tensor, step: int) -> Tensor:
    """Return ones at every `step`-th output element in both directions, from the middle of the first `step` on."""
    mask = torch.zeros_like(output)
    if output.dim() == 4:
        mask[..., step // 2 :: step, step // 2 :: step] = 1
    return mask if output.dim() == 4 else torch.ones_like(output)
