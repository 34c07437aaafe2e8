"""Poolings across channels: a map becomes one of fewer channels and the same size."""

from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer
from poolab.pooling.map_pool import MapPool2d
from poolab.pooling.registry import register


@register("inter_map")
class InterMapPool2d(MapPool2d):
    """Apply inter-map pooling (IMP), maxima over channel groups: y_j = max of the g maps jg to jg + g - 1.

    The maxout of g neighbouring maps; the size of the map stays. On a tie the gradient goes to the first map.

    Args:
        groups: g, the number of maps in each group; it must divide the number of channels.

    Example:
        >>> import torch
        >>> InterMapPool2d()(torch.tensor([1.0, 4.0, 3.0, 2.0]).view(4, 1, 1)).flatten().tolist()
        [4.0, 3.0]
    """

    output_shape = "(N, C // groups, H, W)"
    reference = Reference("Lee et al.", 2016, "arXiv:1606.03207")
    role = "channel"
    groups: int
    options = {"groups": Integer(2, most=65536)}
    disagreements = (
        "A public port fills up to a multiple of g with maps of zeros, so that a last group of negative values gives "
        "0; here a number of channels that g does not divide is refused.",
    )

    def out_channels(self, channels: int) -> int:
        """Return one channel for each group.

        Raises:
            ValueError: the groups do not divide the channels.
        """
        return _groups_in(channels, self.groups)

    @staticmethod
    def formula(input: Tensor, groups: int = 2) -> Tensor:
        """Compute the maximum of each group of maps."""
        grouped = input.unflatten(1, (_groups_in(input.shape[1], groups), groups))
        return grouped.max(2).values  # not amax, which splits the gradient of a tie


def _groups_in(channels: int, groups: int) -> int:
    if channels % groups:
        allowed = [g for g in range(1, channels + 1) if channels % g == 0]
        raise ValueError(
            f"InterMapPool2d: groups={groups} must divide the number of channels, found {channels}; "
            f"groups can be {', '.join(map(str, allowed))}"
        )
    return channels // groups
