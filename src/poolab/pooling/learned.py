"""Options that can be learned: the free number behind an option's value, and the way back."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Learned:
    """An option whose value is a function of a free parameter, so that every step of an optimizer leaves it valid.

    Attributes:
        option: the option's name; its given value is where learning starts.
        parameter: the name of the free parameter.
        free: from a start value to the free number.
        value: from the free parameter to the option's value.
        least, most: the start lies between them, both left out.
    """

    option: str
    parameter: str
    free: Callable[[float], float]
    value: Callable[[Tensor], Tensor]
    least: float
    most: float

    def fault(self, start: float) -> str | None:
        """What is wrong with a start value, or None."""
        if self.least < start < self.most:
            return None
        between = f"between {self.least:g} and {self.most:g}, both left out"
        bounds = f"above {self.least:g} and finite" if math.isinf(self.most) else between
        return f"a learnable {self.option} starts {bounds}, found {start}"

    def make(self, owner: nn.Module, shape: tuple[int, ...]) -> None:
        """Give `owner` the parameter at its start value."""
        owner.register_parameter(self.parameter, nn.Parameter(torch.empty(shape)))
        self.reset(owner)

    def reset(self, owner: nn.Module) -> None:
        """Set the parameter to the start value."""
        nn.init.constant_(getattr(owner, self.parameter), self.free(float(getattr(owner, self.option))))

    def current(self, owner: nn.Module) -> Tensor:
        """The value that the parameter stands for now."""
        return self.value(getattr(owner, self.parameter))


def logistic(option: str) -> Learned:
    """A value between 0 and 1, as the logistic function of a free number.

    >>> round(logistic("alpha").value(torch.tensor(logistic("alpha").free(0.7))).item(), 4)
    0.7
    """
    return Learned(option, f"{option}_logit", lambda v: math.log(v / (1 - v)), torch.sigmoid, 0.0, 1.0)


def positive(option: str, floor: float = 0.0) -> Learned:
    """A value above `floor`, as floor + the exponential of a free number; a floor above 0 allows to divide by it."""
    return Learned(
        option, f"log_{option}", lambda v: math.log(v - floor), lambda rho: floor + rho.exp(), floor, math.inf
    )


def above_one(option: str) -> Learned:
    """A value above 1, as 1 + softplus of a free number (Gulcehre et al. 2014, arXiv:1311.1780)."""
    return Learned(
        option,
        f"{option}_rho",
        lambda v: v - 1 + math.log(-math.expm1(1 - v)),  # the inverse of softplus
        lambda rho: 1 + F.softplus(rho),
        1.0,
        math.inf,
    )
