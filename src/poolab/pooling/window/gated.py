"""Learned masks over the window: a gate between maximum and mean, a tree of gates over filters (Lee et al. 2016)."""

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, Integer
from poolab.pooling.core.windows import Windows, compute_dtype, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

LEE_2016 = Reference("Lee, Gallagher, Tu", 2016, "arXiv:1509.08985")


@register("gated")
class GatedPool2d(WindowPool2d):
    """Apply gated pooling, max and mean by a learned gate: y = g max_i x_i + (1 - g) mean_i x_i with g =
    logistic(sum_i w_i x_i).

    The mask w has the window's shape and no bias. A missing tap adds nothing to the gate, and takes no part in maximum
    and mean. The masks start at zero, which is the mixture with 0.5 each for every input: a start that is the same for
    every seed, and from which a single mask learns (Lee et al. draw it from N(0, 0.1) in their AlexNet).

    Args:
        sharing: one mask for the layer (as in the paper's experiments), or one for each channel.

    Example:
        >>> import torch
        >>> gated = GatedPool2d(2)
        >>> round(gated(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)  # (4 + 2.5) / 2
        3.25
    """

    reference = LEE_2016
    learns = "always"
    uses_channels = "option"
    positional = True
    options = {"sharing": Choice("layer", ("layer", "channel"))}
    exempt = {
        "numbers": "the mask's gradient is a value times a value: for values near 1e4 it is beyond float16",
    }
    disagreements = (
        "treeano's gated_pool puts the gate on the mean and adds a bias; without the bias that is the sign of w.",
        "chl260/general-pooling (the authors' Caffe code) gives every tap that ties for the maximum the whole "
        "gradient of the maximum; here the first one has it, as in nn.MaxPool2d.",
        "Several PyTorch ports compute the gate by a full convolution over all channels, which is another model.",
    )

    def build(self) -> None:
        """Make the mask, or one for each channel."""
        shared = (self.channels or 1,) if self.is_per_channel else ()
        self.weight = nn.Parameter(torch.empty(*shared, *self.kernel_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Open the gate half way."""
        nn.init.zeros_(self.weight)

    @staticmethod
    def formula(windows: Windows, weight: Tensor) -> Tensor:
        """Compute g * max + (1 - g) * mean with g = logistic(w.x)."""
        mean = windows.mean()
        logit = weighted_sum(bounded(windows).taps(0.0), weight)
        return blend(logit, windows.maximum().to(mean.dtype), mean)


@register("tree")
class TreePool2d(WindowPool2d):
    """Apply tree pooling, a soft binary tree over filters; a leaf is v.x = sum_i v_i x_i, a node g left + (1 - g)
    right, g = logistic(w.x).

    All masks have the window's shape, are shared by the channels and have no bias; missing taps are zeros. A leaf is
    any filter, so that a constant does not stay that constant. All masks start from N(0, 0.1), as the authors' do:
    equal leaves would get equal gradients and never part.

    Args:
        levels: of the tree, its leaves included: 2 is two leaves and a gate, 3 is four leaves and three gates.

    Example:
        >>> import torch
        >>> tree = TreePool2d(2)
        >>> _ = torch.nn.init.constant_(tree.leaves, 0.25)  # equal leaves: whatever the gate, the linear filter
        >>> round(tree(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)
        2.5
    """

    reference = LEE_2016
    learns = "always"
    positional = True
    levels: int
    options = {"levels": Integer(2, least=2, most=6)}
    exempt = {
        "padding": "a filter needs a value at every position: missing taps are zeros",
        "ties": "a filter ranks nothing",
        "infinities": "a filter of both signs makes inf - inf of two infinite taps",
    }
    disagreements = (
        "The paper counts the levels with the leaves, chl260/general-pooling without: its treepool_kernel_1layer is "
        "levels=2, its treepool_kernel_2layer levels=3.",
    )

    def build(self) -> None:
        """Make the masks; the gates in the order root, its left and right child, their children."""
        leaves = 2 ** (self.levels - 1)
        self.leaves = nn.Parameter(torch.empty(leaves, *self.kernel_size))
        self.gates = nn.Parameter(torch.empty(leaves - 1, *self.kernel_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all masks."""
        nn.init.normal_(self.leaves, std=0.1)
        nn.init.normal_(self.gates, std=0.1)

    @staticmethod
    def formula(windows: Windows, leaves: Tensor, gates: Tensor) -> Tensor:
        """Compute from the leaves up: logistic(w.x) left + (1 - logistic(w.x)) right."""
        taps = windows.taps(0.0)
        values = [weighted_sum(taps, leaf) for leaf in leaves.unbind()]
        nodes = list(gates.unbind())
        while nodes:
            pairs = zip(values[::2], values[1::2], strict=True)
            lowest = nodes[-(len(values) // 2) :]
            values = [
                blend(weighted_sum(taps, gate), left, right) for gate, (left, right) in zip(lowest, pairs, strict=True)
            ]
            nodes = nodes[: -len(values)]
        return values[0]


def weighted_sum(taps: list[Tensor], mask: Tensor) -> Tensor:
    """Return sum_i w_i x_i for a mask (*kernel), or for one of each channel (C, *kernel)."""
    dims = taps[0].dim() - 2
    weights = mask.to(taps[0].dtype).flatten(-dims).unbind(-1)
    return total([weight.reshape(-1, *(1,) * dims) * tap for weight, tap in zip(weights, taps, strict=True)])


def blend(logit: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return g first + (1 - g) second with g = logistic(logit); a share of 0 takes no part, even if infinite."""
    share, rest = logit.sigmoid(), (-logit).sigmoid()  # 1 - g would round a small rest away
    return share * _finite_without(share, first) + rest * _finite_without(rest, second)


def _finite_without(share: Tensor, value: Tensor) -> Tensor:
    return value.masked_fill(value.isinf() & (share == 0), 0.0)


def bounded(windows: Windows) -> Windows:
    """Return the windows with infinite taps as huge ones, so that a weight of 0, or one of each sign, makes no NaN."""
    dtype = compute_dtype(windows.input.dtype)
    most = torch.finfo(dtype).max ** 0.5
    return Windows(windows.input.to(dtype).clamp(-most, most), windows.geometry)
