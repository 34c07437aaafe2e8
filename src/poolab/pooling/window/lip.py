"""Local importance: a small network says for every position of the map how much it counts (Gao et al. 2019)."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice
from poolab.pooling.core.windows import Windows, compute_dtype, peak, total
from poolab.pooling.registry import register
from poolab.pooling.window.controls import CONV
from poolab.pooling.window_pool import WindowPool2d

WIDTH = 128  # of the bottleneck, for every number of channels
STEEPNESS = 12.0  # logits lie between 0 and 12: the most that one tap counts beside another is exp(12) = 160,000


@register("lip")
class LIPPool2d(WindowPool2d):
    """Apply local importance pooling (LIP): y = sum_i exp(l_i) x_i / sum_j exp(l_j), with a network's logits l =
    G(x).

    G works at the map's full size and ends in l = 12 logistic(gamma norm(conv(x)) + beta), norm being instance
    normalisation. gamma and beta start at 0, all logits are equal then and the layer is average pooling. Only the real
    taps of a window have a weight. A map of one element has nothing to normalise (torch's instance norm raises there in
    training): its norm is 0, and its one element is the output whatever its logit. Normalising needs the whole map, so
    that a window's output depends on what lies outside it.

    Args:
        channels: the number of channels, kept.
        logit: the network G: "simplified", a 3x3 convolution; or "bottleneck", 1x1 to 128 channels, 3x3, and 1x1 back,
            with normalisation and a ReLU between. They have 9 C*C and 256 C + 147,456 weights.

    Example:
        >>> import torch
        >>> LIPPool2d(2, channels=1)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()  # at its start, the mean
        2.5
    """

    reference = Reference("Gao, Wang, Wu", 2019, "arXiv:1908.04156")
    learns = "always"
    uses_channels = "always"
    positional = True
    logit: str
    options = {"logit": Choice("simplified", ("simplified", "bottleneck"))}
    exempt = {
        "nan": "the logits are normalised over the whole map and come from all channels, so NaN reaches every window",
        "infinities": "the logits are normalised over the whole map, where an infinity leaves no finite deviation",
    }
    disagreements = (
        "sebgao/LIP zeroes the last convolution, not the scale of the norm that follows it: the same start, but that "
        "norm then divides by sqrt(eps) = 0.003, and the first gradients are 316 times as steep.",
        "sebgao/LIP's CUDA operator ignores its padding argument: its maps have H // stride rows and its windows "
        "begin at stride * i - kernel // 2; here and in its PyTorch code the size is that of nn.AvgPool2d.",
        "sebgao/LIP's PyTorch code takes exp(logit) in the input's dtype, and exp(12) is infinite in float16.",
        "sebgao/LIP's bottleneck shares its first two convolutions between the poolings of one residual block.",
    )

    def build(self) -> None:
        """Make the network."""
        assert self.channels is not None
        self.logits = logit_network(self.logit, self.channels, self.dims)

    @staticmethod
    def formula(windows: Windows, logits: nn.Module) -> Tensor:
        """Sum exp(l) x / sum exp(l) with l = G(x)."""
        return lip(windows, logits(windows.input))


def lip(windows: Windows, logits: Tensor) -> Tensor:
    """Return sum_i exp(l_i) x_i / sum_j exp(l_j) over each window's real taps, for a map of logits like the input's.

    >>> from poolab.pooling.core.geometry import Geometry
    >>> x = torch.tensor([[[[1.0, 2.0], [4.0, 3.0]]]])
    >>> windows = Windows(x, Geometry.of("lip", 2))
    >>> lip(windows, torch.zeros_like(x)).item()
    2.5
    """
    weights = exponentials(Windows(logits, windows.geometry).taps(-torch.inf))
    return weighted_mean(windows.taps(0.0), weights)


def exponentials(logits: list[Tensor]) -> list[Tensor]:
    """Return exp(l_i - max_j l_j): a shift of all logits changes no mean, and nothing overflows; -inf has no weight."""
    top = peak(logits)
    return [(logit - top).exp() for logit in logits]


def weighted_mean(taps: list[Tensor], weights: list[Tensor]) -> Tensor:
    """Return sum_i w_i x_i / sum_j w_j."""
    return total([weight * tap for weight, tap in zip(weights, taps, strict=True)]) / total(weights)


def logit_network(kind: str, channels: int, dims: int) -> nn.Sequential:
    """Make the network from a map to its logits, of the same shape."""
    conv = CONV[dims]
    if kind == "simplified":
        layers = [("conv", conv(channels, channels, 3, padding=1, bias=False))]
    else:
        layers = [
            ("conv1", conv(channels, WIDTH, 1, bias=False)),
            ("norm1", MapNorm(WIDTH)),
            ("relu1", nn.ReLU()),
            ("conv2", conv(WIDTH, WIDTH, 3, padding=1, bias=False)),
            ("norm2", MapNorm(WIDTH)),
            ("relu2", nn.ReLU()),
            ("conv3", conv(WIDTH, channels, 1, bias=False)),
        ]
    return nn.Sequential(OrderedDict([*layers, ("norm", MapNorm(channels, scale=0.0)), ("gate", Gate())]))


class MapNorm(nn.Module):
    """Normalise each map in any number of dimensions, (x - mean) / sqrt(var + eps) * weight + bias.

    Mean and variance are those of one channel of one map, in float32 for narrower dtypes; a map of one element gives
    the bias, where `torch.nn.InstanceNorm2d` raises in training.

    Args:
        channels: the number of channels.
        scale: where the weight starts.
        eps: added to the variance.
    """

    def __init__(self, channels: int, scale: float = 1.0, eps: float = 1e-5):
        super().__init__()
        self.scale, self.eps = scale, eps
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to its start and the bias to 0."""
        nn.init.constant_(self.weight, self.scale)
        nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, *sizes)."""
        dtype, places = compute_dtype(input.dtype), tuple(range(2, input.dim()))
        weight, bias = (p.to(dtype).view(-1, *(1,) * len(places)) for p in (self.weight, self.bias))
        centred = input.to(dtype) - input.to(dtype).mean(places, keepdim=True)
        variance = centred.square().mean(places, keepdim=True)
        return (centred * ((variance + self.eps).rsqrt() * weight) + bias).to(input.dtype)


class Gate(nn.Module):
    """Compute 12 logistic(x), in float32 for narrower dtypes."""

    def forward(self, input: Tensor) -> Tensor:
        """Bound the logits."""
        return STEEPNESS * input.to(compute_dtype(input.dtype)).sigmoid()
