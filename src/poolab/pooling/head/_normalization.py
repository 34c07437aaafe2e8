"""Lengths and roots that are safe at zero, for the heads whose features are vectors of a given length."""

import math

import torch
from torch import Tensor

SHORT = 1e-4  # a vector much longer than this is brought to length 1; a shorter one fades to zero with its length
SMALL_SHARE = 1e-4  # the signed root bends into a line at this part of the mean feature


def unit(input: Tensor, dim: int, short: float = SHORT) -> Tensor:
    """Return the vectors x / sqrt(|x|^2 + short^2) along a dimension: length 1, and slope at most 1 / short at zero.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 1)
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    if torch.compiler.is_exporting():  # onnxscript 0.7's optimizer takes "+ 1e-8" for "+ 0" and leaves it out
        scaled = input / short
        return scaled * (scaled.square().sum(dim, keepdim=True) + 1.0).rsqrt()
    return input * (input.square().sum(dim, keepdim=True) + short**2).rsqrt()


def signed_root_unit(input: Tensor) -> Tensor:
    """Take the signed square root of features (N, F), then length 1, in one step: s(z / sum |z|), s(p) = p / sqrt(|p| +
    e).

    The root of the shares p = z / sum |z| has length 1 by itself. e is 1e-4 / F, a ten-thousandth of the mean share: a
    feature at the mean is 5e-5 of itself too small, and the slope at 0, where the root's is infinite, is 100 sqrt(F).
    Where sum |z| is below 1e-8 the features fade to zero with it.

    >>> signed_root_unit(torch.tensor([[9.0, -16.0], [0.0, 0.0]]))
    tensor([[ 0.6000, -0.8000],
            [ 0.0000,  0.0000]])
    """
    share = input / input.abs().sum(1, keepdim=True).clamp_min(SHORT**2)
    if torch.compiler.is_exporting():  # as in `unit`: from 10,000 features on the sum would be "+ 1e-8" or less
        features = input.shape[1]
        return share * math.sqrt(features) * (share.abs() * features + SMALL_SHARE).rsqrt()
    return share * (share.abs() + SMALL_SHARE / input.shape[1]).rsqrt()
