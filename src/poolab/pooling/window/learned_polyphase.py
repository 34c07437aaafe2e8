"""Polyphase sampling whose choice is learned: a small network says which subsampling grid, or how much of each."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer, magnitude
from poolab.pooling.core.precision import without_autocast
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window.adaptive import bins
from poolab.pooling.window.controls import CONV, CONVOLVE, convolved
from poolab.pooling.window.gated import bounded
from poolab.pooling.window.polyphase import chosen_component, polyphase_components
from poolab.pooling.window_pool import WindowPool2d


@register("lps")
class LearnedPolyphasePool2d(WindowPool2d):
    """Apply learnable polyphase sampling (LPS); in evaluation y_i = x_(i s + a) with the offsets a of the largest logit
    l_a.

    The s^2 polyphase components (for stride s and two axes) are those of `aps`. One network gives the logit of each:
    a 3x3 convolution, a ReLU, a second 3x3 convolution, the mean over all its channels and places; both are circular.
    Training mixes the components, y_i = sum_a w_a x_(i s + a) with w = softmax((l + g) / temperature) and Gumbel noise
    g, drawn for each sample. On a tie of logits the first component in raster order wins. Kernel, padding and dilation
    set the output size alone; where it is the size over the stride exactly, a circular shift of the input shifts the
    output circularly in evaluation.

    The mean of a circular convolution is a product with the mean of its input, so that the second convolution is
    computed as that: the same function without a convolution. In evaluation the choice has no gradient, and the network
    gets none.

    Args:
        channels: the number of channels, kept.
        hidden: the channels between the two convolutions; None means `channels`.
        temperature: of the Gumbel softmax in training; the smaller, the nearer to a choice.
        filter_size: first blur with a binomial filter of this size, circularly; None does not.

    Example:
        >>> pool = LearnedPolyphasePool2d(2, channels=1).eval()
        >>> x = torch.arange(16.0).view(1, 1, 4, 4)
        >>> float(pool(x).sum()) in (20.0, 24.0, 36.0, 40.0)  # the sum of one of the four components
        True
    """

    reference = Reference("Rojas-Gomez, Lim, Schwing, Do, Yeh", 2022, "arXiv:2210.08001")
    random = True
    learns = "always"
    uses_channels = "always"
    positional = True
    hidden: int | None
    options = {
        "hidden": Integer(None, most=65536),
        "temperature": magnitude(1.0),
        "filter_size": Integer(None, most=64),
    }
    evaluates = "the component of the largest logit; training mixes all of them"
    exempt = {
        "expectation": "evaluation chooses one component, training mixes them: the mean of the mixtures is no choice",
        "gradient": "the choice in evaluation has no gradient for the network; the gradients of training are tested",
        "compile": "it asks for the network's gradient in evaluation, where the choice has none; tested by itself",
        "nan": "most values of a window are thrown away, and all channels choose together",
        "ties": "the value of the chosen component takes the gradient wherever it lies in the window",
    }
    disagreements = (
        "raymondyeh07/learnable_polyphase_sampling takes stride 2 in two dimensions alone; there odd maps get a row or "
        "column of zeros (ceil(size / 2) outputs), here elements of its other end, and the size is nn.MaxPool2d's.",
        "There the temperature is a buffer that the training lowers over the epochs; here it is constant.",
        "There the second convolution is computed at every place and then averaged; the function is the same.",
        "Its `comp_convex` mixes by the softmax without noise in evaluation too, which is not offered here.",
        "Its logits may come from the map before the blur (`selection_noantialias`); here they come from the "
        "components that are sampled.",
    )

    def build(self) -> None:
        """Make the two convolutions."""
        assert self.channels is not None
        hidden = self.hidden or self.channels
        self.conv1 = CONV[self.dims](self.channels, hidden, 3)
        self.conv2 = CONV[self.dims](hidden, hidden, 3)

    @staticmethod
    def formula(
        windows: Windows,
        conv1: nn.Module,
        conv2: nn.Module,
        temperature: float = 1.0,
        filter_size: int | None = None,
        training: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Choose the component of the largest logit, or mix all by a Gumbel softmax in training."""
        components = polyphase_components(windows, filter_size)
        logits = [_logit(bounded(Windows(part, windows.geometry)).input, conv1, conv2) for part in components]
        if not training:
            return chosen_component(components, torch.stack(logits).argmax(0))
        noise = [-(-windows.uniform(generator, "sample").clamp(min=2.0**-25).log()).log() for _ in logits]
        scores = torch.stack([logit + g for logit, g in zip(logits, noise, strict=True)])
        return mixed_components(components, (scores / temperature).softmax(0).unbind())


@register("tips")
class TIPSPool2d(WindowPool2d):
    """Apply translation invariant polyphase sampling: y_i = sum_a tau_a x_(i s + a), tau for each channel by a
    softmax.

    psi = relu(depthwise 3x3 convolution of x, zeros around the map); the map of psi is cut into as many parts as there
    are polyphase components (s along each axis, as adaptive pooling cuts it), and tau = softmax_a(v mean_part_a psi)
    with a learned number v for each channel. Part and component have the same number in raster order. The weights
    depend on where in the map psi is large, so that the layer by itself does not commute with shifts; the authors train
    it with two penalties, which are `failure_mode_loss` and `undo_shift_loss` here, to be added to a loss. Kernel,
    padding and dilation set the output size alone. Components reach around the map's end as in `aps`.

    Args:
        channels: the number of channels, kept.

    Example:
        >>> pool = TIPSPool2d(2, channels=1)
        >>> torch.allclose(pool(torch.full((1, 1, 4, 4), 2.0)), torch.tensor(2.0))  # weights that sum to 1
        True
        >>> round(pool.failure_mode_loss(torch.zeros(1, 1, 4, 4)).item(), 6)  # equal weights: 1 - 1/2
        0.5
    """

    reference = Reference("Saha, Gokhale", 2025, "arXiv:2404.07410")
    learns = "always"
    uses_channels = "always"
    positional = True
    exempt = {
        "nan": "the weights are means over parts of the map, so NaN reaches every window of its channel",
        "ties": "the learned weights go by place, not by value",
    }
    disagreements = (
        "sourajitcs/tips numbers the parts row by row and the components column by column, so that the weight of the "
        "upper right part goes to the component of the odd rows; here both go row by row.",
        "sourajitcs/tips reflects a row or a column before a map of odd size, which gives (size + 1) / 2 outputs; "
        "here the size is nn.MaxPool2d's.",
        "sourajitcs/tips keeps the gradient of the shifted map (the result of `x_t.detach()` is not used); here it has "
        "none, as the comment beside that line says.",
        "Its shift amounts are drawn by numpy, once for a batch and layer, from -H/4 to H/4 of the image for maps of "
        "every size; here the caller gives them.",
    )

    def build(self) -> None:
        """Make the depthwise convolution and the number of each channel."""
        assert self.channels is not None
        conv = CONV[self.dims]
        self.conv = conv(self.channels, self.channels, 3, padding=1, groups=self.channels, bias=False)
        self.scale = conv(self.channels, self.channels, 1, groups=self.channels, bias=False)

    @staticmethod
    def formula(windows: Windows, conv: nn.Module, scale: nn.Module) -> Tensor:
        """Compute sum_a tau_a x_(i s + a)."""
        shares = _shares(windows, conv, scale)
        dims = windows.dims
        each = [share.view(*share.shape, *(1,) * dims) for share in shares.unbind(-1)]
        return mixed_components(polyphase_components(windows), each)

    def failure_mode_loss(self, input: Tensor) -> Tensor:
        """Return mean(1 - |tau|): 0 where one component has all the weight, 1 - 1/s at equal weights (in the plane)."""
        return (1 - _shares(Windows(input, self.geometry), self.conv, self.scale).norm(dim=-1)).mean()

    def undo_shift_loss(self, input: Tensor, shift: Sequence[int]) -> Tensor:
        """Return mean((psi(x) - x')^2) for the map x' that is shifted circularly by so many places along each axis."""
        moved = input.detach().roll(tuple(shift), tuple(range(-self.dims, 0)))
        return (_features(input, self.conv) - moved).square().mean()


def mixed_components(components: list[Tensor], shares: Any) -> Tensor:
    """Return sum_a w_a x_a; an infinite value takes part where it has a share, and gives the share no gradient."""
    terms = []
    for share, component in zip(shares, components, strict=True):
        infinite = component.isinf()
        finite = share * component.masked_fill(infinite, 0.0)
        terms.append(torch.where(infinite & (share > 0), component, finite))
    return total(terms)


def _logit(component: Tensor, conv1: Any, conv2: Any) -> Tensor:
    """Return mean(conv2(relu(conv1(component)))) over all channels and places, (N, 1, 1, 1)."""
    dims, dtype = component.dim() - 2, component.dtype
    for dim in range(2, dims + 2):
        last = component.shape[dim] - 1
        component = torch.cat([component.narrow(dim, last, 1), component, component.narrow(dim, 0, 1)], dim)
    with without_autocast(component):  # a rounded logit may choose another component
        features = F.relu(CONVOLVE[dims](component, conv1.weight.to(dtype), conv1.bias.to(dtype)))
        weight = conv2.weight.to(dtype).flatten(2).sum(2).mean(0)
        logit = features.flatten(2).mean(2) @ weight + conv2.bias.to(dtype).mean()
    return logit.view(-1, *(1,) * (dims + 1))


def _features(input: Tensor, conv: nn.Module) -> Tensor:
    """Return psi = relu(conv(x))."""
    return F.relu(convolved(conv, input))


def _shares(windows: Windows, conv: nn.Module, scale: nn.Module) -> Tensor:
    """Return tau, (N, C, components)."""
    wide = bounded(windows).input
    with without_autocast(wide):
        parts = _features(wide, conv)
        for axis, count in enumerate(windows.geometry.stride):
            parts = _part_means(parts, axis + 2, count)
        return convolved(scale, parts).flatten(2).softmax(-1)


def _part_means(input: Tensor, dim: int, count: int) -> Tensor:
    """Return the means of the bins of an axis."""
    inside = bins(input, dim, count)
    shares = inside.to(input.dtype) / inside.sum(1, keepdim=True)
    return (input.movedim(dim, -1) @ shares.t()).movedim(-1, dim)
