"""The optimiser and its schedule, which advances at every batch."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
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
        optimizer: torch.optim.Optimizer
        optimizer = torch.optim.SGD(groups, lr=optim.lr, momentum=optim.momentum, nesterov=nesterov)
    else:
        assert isinstance(optim, AdamConfig)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optim.name]
        optimizer = kind(groups, lr=optim.lr, betas=optim.betas)
    optimizer.register_load_state_dict_pre_hook(_with_the_shapes_of_now)
    return optimizer


def _with_the_shapes_of_now(optimizer: torch.optim.Optimizer, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the kept state of an earlier run; the averages of a learned number, of shape () then, get its (1,)."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    places = [place for group in kept["param_groups"] for place in group["params"]]
    if len(places) != len(parameters):
        return kept  # torch refuses it, and says why
    shapes = dict(zip(places, (parameter.shape for parameter in parameters), strict=True))

    def shaped(place: int, name: str, value: Any) -> Any:
        is_number = isinstance(value, Tensor) and value.dim() == 0 and name != "step"
        return value.reshape(1) if is_number and shapes.get(place) == (1,) else value

    state = {
        place: {name: shaped(place, name, value) for name, value in values.items()}
        for place, values in kept["state"].items()
    }
    return {**kept, "state": state}


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
