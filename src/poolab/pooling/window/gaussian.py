"""Gaussian pooling: the mean of a window and a share of its deviation, guided by the whole map."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, Real
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

LEAST_VARIANCE = 1e-6


@register("gaussian")
class GaussianPool2d(WindowPool2d):
    """Apply Gaussian pooling (iSP, guided by global features): y = m + softplus(mu + noise sigma e) d, m and d the
    window's mean and deviation.

    d is the root of the mean squared distance from m, at least 0.001; e is drawn from a normal distribution in training
    and 0 in evaluation. mu and sigma come from the map's global mean, for each sample and channel: a linear layer to
    C/2, batch normalisation, ReLU, and a second linear layer with batch normalisation for each, sigma with a logistic
    behind it. Weight 0 is average pooling; the larger the weight, the nearer to a maximum. A batch of one map has no
    deviation of its own: its normalisations use their running statistics in training too.

    Args:
        channels: the number of channels, kept.
        spread: whether e is drawn for each "window", or for each "channel" of each sample.
        noise: a factor of sigma; 0 draws nothing (GFGP without noise).

    Example:
        >>> pool = GaussianPool2d(2, channels=2).eval()
        >>> pool(torch.full((1, 2, 4, 4), 3.0)).detach().round(decimals=2).unique().tolist()
        [3.0]
    """

    reference = Reference("Kobayashi", 2019, "NeurIPS 2019, Gaussian-Based Pooling for Convolutional Neural Networks")
    random = True
    learns = "always"
    uses_channels = "always"
    options = {"spread": Choice("window", ("window", "channel")), "noise": Real(1.0, least=0.0, most=1e6)}
    evaluates = "e = 0, and the batch normalisations use their running statistics"
    exempt = {
        "expectation": "evaluation takes softplus(mu), which is not the mean of softplus(mu + sigma e)",
        "gradient": "sigma counts in training alone: in evaluation its layers have no gradient; training is tested",
        "compile": "it asks for the gradient of sigma's layers in evaluation, where there is none; tested by itself",
        "nan": "the weights come from the means of all channels, so NaN reaches all of its sample",
        "infinities": "the weights come from the means of all channels: inf - inf",
    }
    disagreements = (
        "tk1980/GaussianPooling computes the variance as the mean square less the squared mean, which cancels: for "
        "values near 1e4 in float32 it is wrong by tens; here it is the mean of squared distances.",
        "Its class in plain PyTorch counts padded zeros (count_include_pad=True), its CUDA class does not; here they "
        "take no part.",
        "It refuses a batch of one map in training.",
    )

    def build(self) -> None:
        """Make the layers from the global means to mu and sigma."""
        assert self.channels is not None
        hidden = max(self.channels // 2, 1)
        self.features = nn.Sequential(nn.Linear(self.channels, hidden), MapsNorm(hidden), nn.ReLU())
        self.location = nn.Sequential(nn.Linear(hidden, self.channels), MapsNorm(self.channels))
        self.scale = nn.Sequential(nn.Linear(hidden, self.channels), MapsNorm(self.channels), nn.Sigmoid())

    @staticmethod
    def formula(
        windows: Windows,
        features: nn.Module,
        location: nn.Module,
        scale: nn.Module,
        spread: str = "window",
        noise: float = 1.0,
        training: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute m + softplus(mu + noise sigma e) d."""
        mean, deviation = _mean_and_deviation(windows)
        shape = (*windows.input.shape[:2], *(1,) * windows.dims)
        guide = features(windows.input.to(windows.dtype).flatten(2).mean(2).to(windows.input.dtype))
        weight = location(guide).to(windows.dtype).view(shape)
        if training and noise > 0:
            drawn = normal(windows, spread, generator)
            weight = weight + noise * scale(guide).to(windows.dtype).view(shape) * drawn
        return mean + F.softplus(weight) * deviation


class MapsNorm(nn.BatchNorm1d):
    """Normalise (N, C) over the batch; a batch of one by the running statistics, where `BatchNorm1d` raises."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise."""
        if not self.training or input.shape[0] != 1:
            return super().forward(input)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


def normal(windows: Windows, shared: str, generator: torch.Generator | None) -> Tensor:
    """Draw a standard normal number for each "window" or "channel", from two uniform ones (Box and Muller 1958)."""
    radius = (-2 * torch.log1p(-windows.uniform(generator, shared))).sqrt()
    return radius * (2 * math.pi * windows.uniform(generator, shared)).cos()


def _mean_and_deviation(windows: Windows) -> tuple[Tensor, Tensor]:
    """Return mean and root mean squared distance from it, over each window's real values."""
    mean, real = windows.mean(), windows.real()
    apart = [tap - mean for tap in windows.taps(0.0)]
    if real is not None:
        apart = [d.masked_fill(~here, 0.0) for d, here in zip(apart, real, strict=True)]
    variance = total(apart, torch.square) / windows.counts()
    return mean, variance.clamp(min=LEAST_VARIANCE).sqrt()
