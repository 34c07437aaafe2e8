"""Others' ways to the same poolings: the idioms in plain torch; layers of timm, kornia and antialiased-cnns.

Each takes its options from the poolab layer that it stands beside. They agree with ours where the definition does (the
tests say where); what is compared here is the cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.bench.choices import Kernel
from poolab.errors import ConfigError

PACKAGES = {"torch": "torch", "timm": "timm", "kornia": "kornia", "antialiased-cnns": "antialiased_cnns"}
Function = Callable[[Tensor, Kernel, Any], Tensor]


@dataclass(frozen=True)
class Peer:
    """One other implementation: `make(kernel, channels, ours)` gives the layer."""

    method: str
    package: str
    name: str
    make: Callable[[Kernel, int, Any], nn.Module]


class Idiom(nn.Module):
    """A function of a map, the window and the poolab layer whose options it shares, as a layer."""

    def __init__(self, function: Function, kernel: Kernel, ours: Any) -> None:
        super().__init__()
        self.function, self.kernel, self.ours = function, kernel, ours

    def forward(self, input: Tensor) -> Tensor:
        """Return the function's value."""
        return self.function(input, self.kernel, self.ours)


def unfolded(x: Tensor, kernel: Kernel, fill: float) -> Tensor:
    """Return the k*k-fold copy, (N, C, k*k, oH, oW), with `fill` for padding."""
    n, c, h, w = x.shape
    p, k = kernel.padding, kernel.size
    if p:
        x, h, w = F.pad(x, (p, p, p, p), value=fill), h + 2 * p, w + 2 * p
    rows, columns = (h - k) // kernel.stride + 1, (w - k) // kernel.stride + 1
    return F.unfold(x, k, stride=kernel.stride).view(n, c, k * k, rows, columns)


def _avg_topk(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    return unfolded(x, kernel, -torch.inf).topk(ours.k, dim=2).values.mean(2)


def _rank_avg(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    return unfolded(x, kernel, -torch.inf).sort(dim=2, descending=True).values[:, :, : ours.t].mean(2)


def _ordinal(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    weights = ours.logits.softmax(-1).to(x.dtype).view(1, -1, kernel.size**2, 1, 1)
    return (unfolded(x, kernel, 0.0).sort(dim=2, descending=True).values * weights).sum(2)


def _median(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    return unfolded(x, kernel, 0.0).median(dim=2).values


def _minimum(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    return -F.max_pool2d(-x, kernel.size, kernel.stride, kernel.padding)


def _stochastic(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    taps = unfolded(x, kernel, 0.0).movedim(2, -1)
    chances = taps.detach().float().clamp(min=0).flatten(0, -2) + torch.finfo(torch.float32).tiny
    drawn = torch.multinomial(chances, 1).view(*taps.shape[:-1], 1)
    return taps.gather(-1, drawn).squeeze(-1)


def _softpool(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    weights = x.exp()
    return _mean(x * weights, kernel) / _mean(weights, kernel)


def _lse(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    return _mean((ours.r * x).exp(), kernel).log() / ours.r


def _gem(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    p = ours.arguments()["p"]
    return _mean(x.clamp(min=ours.eps).pow(p), kernel).pow(1 / p)


def _mixed(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    largest = F.max_pool2d(x, kernel.size, kernel.stride, kernel.padding)
    return ours.alpha * largest + (1 - ours.alpha) * _mean(x, kernel)


def _lp(x: Tensor, kernel: Kernel, ours: Any) -> Tensor:
    p = kernel.padding
    return F.lp_pool2d(F.pad(x, (p, p, p, p)) if p else x, ours.p, kernel.size, kernel.stride)


def _mean(x: Tensor, kernel: Kernel) -> Tensor:
    return F.avg_pool2d(x, kernel.size, kernel.stride, kernel.padding, count_include_pad=False)


IDIOMS: tuple[tuple[str, str, Function], ...] = (
    ("avg_topk", "unfold+topk", _avg_topk),
    ("rank_avg", "unfold+sort", _rank_avg),
    ("ordinal", "unfold+sort", _ordinal),
    ("median", "unfold+median", _median),
    ("min", "-max_pool2d(-x)", _minimum),
    ("stochastic", "unfold+multinomial", _stochastic),
    ("softpool", "exp+avg_pool2d", _softpool),
    ("lse", "exp+avg_pool2d", _lse),
    ("gem", "pow+avg_pool2d", _gem),
    ("mixed", "max_ and avg_pool2d", _mixed),
    ("lp", "F.lp_pool2d", _lp),
    ("avg", "F.avg_pool2d", lambda x, kernel, ours: F.avg_pool2d(x, kernel.size, kernel.stride, kernel.padding)),
)


def _idiom(function: Function, kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    return Idiom(function, kernel, ours)


def _timm_median(kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    from timm.layers.median_pool import MedianPool2d

    return MedianPool2d(kernel.size, kernel.stride, kernel.padding)


def _timm_blur(kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    from timm.layers import BlurPool2d

    return BlurPool2d(channels, filt_size=ours.filter_size, stride=kernel.stride)


def _kornia_blur(kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    from kornia.filters import BlurPool2D

    return BlurPool2D(ours.filter_size, stride=kernel.stride)


def _kornia_max_blur(kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    from kornia.filters import MaxBlurPool2D

    return MaxBlurPool2D(ours.filter_size, stride=kernel.stride, max_pool_size=kernel.size)


def _antialiased_blur(kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    from antialiased_cnns import BlurPool

    return BlurPool(channels, filt_size=ours.filter_size, stride=kernel.stride)


def _antialiased_max_blur(kernel: Kernel, channels: int, ours: Any) -> nn.Module:
    return nn.Sequential(nn.MaxPool2d(kernel.size, 1, kernel.padding), _antialiased_blur(kernel, channels, ours))


PEERS = (
    *(Peer(method, "torch", name, partial(_idiom, function)) for method, name, function in IDIOMS),
    Peer("median", "timm", "timm MedianPool2d", _timm_median),
    Peer("blur", "timm", "timm BlurPool2d", _timm_blur),
    Peer("blur", "kornia", "kornia BlurPool2D", _kornia_blur),
    Peer("blur", "antialiased-cnns", "antialiased BlurPool", _antialiased_blur),
    Peer("max_blur", "kornia", "kornia MaxBlurPool2D", _kornia_max_blur),
    Peer("max_blur", "antialiased-cnns", "antialiased MaxBlur", _antialiased_max_blur),
)


def installed() -> list[str]:
    """Return the installed packages with peers.

    >>> installed()[0]
    'torch'
    """
    return [name for name, module in PACKAGES.items() if find_spec(module) is not None]


def chosen(asked: Sequence[str] | None) -> list[str]:
    """Return the requested packages; all installed ones for an empty list, none for None.

    Raises:
        ConfigError: a package is not installed.
    """
    if asked is None:
        return []
    missing = [name for name in asked if name not in installed()]
    if missing:
        raise ConfigError(
            f"--peers {missing[0]} is not installed here: found {', '.join(installed())}; "
            "leave it out, or pip install 'poolab[peers]'."
        )
    return list(asked) or installed()


def peers_of(method: str, packages: Sequence[str]) -> list[Peer]:
    """Return the other implementations of a method.

    >>> [peer.name for peer in peers_of("avg_topk", ["torch"])]
    ['unfold+topk']
    """
    return [peer for peer in PEERS if peer.method == method and peer.package in packages]
