"""The optimiser and its schedule, which advances at every batch."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from poolab.run_config import AdamConfig, OptimConfig, SGDConfig
from poolab.training.settings import warmup_share


def build_optimizer(parameters: Iterable[nn.Parameter], optim: OptimConfig) -> torch.optim.Optimizer:
    """Return SGD, Adam or AdamW; parameters of fewer than two dimensions have no weight decay.

    Biases, normalisation weights and the scalars of learnable poolings (alpha, p, temperature) are no capacity that a
    decay should shrink, and an arm must not differ from another by a decay of its pooling.
    """
    every = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in every if p.dim() >= 2], "weight_decay": optim.weight_decay},
        {"params": [p for p in every if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if isinstance(optim, SGDConfig):
        nesterov = optim.nesterov and optim.momentum > 0  # torch refuses Nesterov without momentum
        return torch.optim.SGD(groups, lr=optim.lr, momentum=optim.momentum, nesterov=nesterov)
    assert isinstance(optim, AdamConfig)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optim.name]
    return kind(groups, lr=optim.lr, betas=optim.betas)


def build_schedule(optimizer: torch.optim.Optimizer, optim: OptimConfig, steps: int) -> LRScheduler:
    """Return the schedule of the learning rate over `steps` steps, with `optim.lr` at its peak."""
    rising = round(warmup_share(optim) * steps)
    if optim.schedule == "one_cycle" and steps > 2:
        # torch divides by the steps between the first and the peak. cycle_momentum writes Adam's betas too; the
        # settings say what momentum is, so it stays.
        share = min(max(rising, 2), steps - 1) / steps
        return OneCycleLR(optimizer, max_lr=optim.lr, total_steps=steps, pct_start=share, cycle_momentum=False)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        if optim.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))

    return LambdaLR(optimizer, factor)
