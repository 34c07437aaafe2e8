"""Options that can be learned: the free number behind an option's value, and the way back.

Values without an upper bound of their own stay within a factor of a million of 1 (or of that much above their floor),
whatever the free number: exp(90) is infinite in float32, exp(-90) is 0, and either would make NaN of a mean. They are
computed in float32 at least, since float16 ends at 65504.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.windows import compute_dtype

LEAST, MOST = 1e-6, 1e6


@dataclass(frozen=True)
class Learned:
    """Describe an option that can be learned: a function of a free parameter, valid after any step of an optimizer.

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
        """Return what is wrong with a start value, or None."""
        if self.least < start < self.most:
            return None
        bounds = f"between {self.least:.9g} and {self.most:.9g}, both left out"
        return f"a learnable {self.option} starts {bounds}, found {start}"

    def make(self, owner: nn.Module, shape: tuple[int, ...]) -> None:
        """Give `owner` the parameter at its start value."""
        owner.register_parameter(self.parameter, nn.Parameter(torch.empty(shape)))
        self.reset(owner)

    def reset(self, owner: nn.Module) -> None:
        """Set the parameter to the start value."""
        nn.init.constant_(getattr(owner, self.parameter), self.free(float(getattr(owner, self.option))))

    def current(self, owner: nn.Module) -> Tensor:
        """Return the value that the parameter stands for now, one for each channel or a number of shape ()."""
        free = getattr(owner, self.parameter)
        return self.value(free.reshape(()) if free.dim() == 1 else free)


def logistic(option: str) -> Learned:
    """Let an option between 0 and 1 be learned, as the logistic function of a free number.

    >>> round(logistic("alpha").value(torch.tensor(logistic("alpha").free(0.7))).item(), 4)
    0.7
    """
    return Learned(option, f"{option}_logit", lambda v: math.log(v / (1 - v)), torch.sigmoid, 0.0, 1.0)


def positive(option: str, floor: float = 0.0) -> Learned:
    """Let an option above `floor` be learned: floor + the exponential of a free number, the exponential from 1e-6 to
    1e6.

    >>> rule = positive("r", floor=1e-4)
    >>> [f"{rule.value(torch.tensor(rho)).item():.4g}" for rho in (-90.0, rule.free(10.0), 90.0)]
    ['0.000101', '10', '1e+06']
    """
    low, high = math.log(LEAST), math.log(MOST)
    return Learned(
        option,
        f"log_{option}",
        lambda v: math.log(v - floor),
        lambda rho: floor + _within(rho, low, high).exp(),
        floor + LEAST,
        MOST,
    )


def above_one(option: str) -> Learned:
    """Let an option above 1 be learned, up to 1e6: 1 + softplus of a free number (Gulcehre et al. 2014)."""

    def free(value: float) -> float:
        return value - 1 + math.log(-math.expm1(1 - value))  # the inverse of softplus

    least = 1 + LEAST
    low, high = free(least), free(MOST)
    return Learned(option, f"{option}_rho", free, lambda rho: 1 + F.softplus(_within(rho, low, high)), least, MOST)


def _within(rho: Tensor, low: float, high: float) -> Tensor:
    """Cut the free number off at its bounds, where it keeps the gradient of the bound: it can come back."""
    rho = rho.to(compute_dtype(rho.dtype))
    return rho.detach().clamp(low, high) + (rho - rho.detach())
