"""Pooling over the regions of a label map."""

from typing import ClassVar

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, Integer, Size
from poolab.pooling.core.tracing import is_proxy, traced
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register


@register("superpixel")
class SuperpixelPool2d(HeadPool2d):
    """Apply superpixel pooling, over regions of a label map: y[n, c, k] = max (or mean) of x[n, c, p] over the
    positions p of label k.

    An empty region gives 0. One label for each position gives the flattened map, one label for all gives the global
    pooling. On a tie the gradient of the maximum goes to the first element. The labels get no gradient: they are no
    function of the input here. Labels outside 0..K-1 are an error that is raised without waiting for the device: at
    once on a CPU, as a device-side assertion at the next synchronisation on a GPU.

    With `torch.use_deterministic_algorithms(True)` the sums of the mean, and of the gradient, have one order on a GPU.

    Args:
        reduction: how the values of a region are pooled.
        regions: K, where every call brings labels.
        grid: where no labels come, K = h * w rectangles for a pair (h, w): a position in row i lies in rectangle
            floor(i * h / H). They do not overlap, as adaptive pooling's bins may; on a map smaller than the grid some
            are empty. Of no use beside `regions`.

    Example:
        >>> import torch
        >>> x, labels = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]]), torch.tensor([[0, 0], [2, 0]])
        >>> SuperpixelPool2d(regions=3)(x, labels).tolist(), SuperpixelPool2d(grid=(2, 1))(x).tolist()
        ([[3.0, 0.0, 4.0]], [[2.0, 4.0]])
    """

    output_shape = "(N, C, regions or h * w), where (h, w) = pair(grid)"
    reference = Reference("Schuurmans, Berman, Blaschko", 2018, "arXiv:1806.02705")
    labels: ClassVar[None] = None  # what the formula gets unless a call brings some
    options = {
        "reduction": Choice("max", ("max", "mean")),
        "regions": Integer(None, most=1_000_000),
        "grid": Size(2, most=1024),
    }
    disagreements = (
        "bermanmaxim/superpixPool returns a gradient of zeros for the labels instead of none, and leaves an empty "
        "region undefined.",
        "torch.scatter_reduce's amax splits the gradient of a tie evenly; here it goes to the first element.",
    )

    def forward(self, input: Tensor, labels: Tensor | None = None) -> Tensor:
        """Pool (N, C, H, W) over the regions of integer labels (N, H, W), or (C, H, W) over those of (H, W)."""
        if is_proxy(input):
            return traced(self, input) if labels is None else traced(self, input, labels)
        self.check(input)
        return self.compute(input, **self.arguments() | {"labels": labels})

    @staticmethod
    def formula(
        input: Tensor,
        reduction: str = "max",
        regions: int | None = None,
        grid: int | tuple[int, int] = 2,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Compute the maximum or the mean of each region."""
        if (labels is None) != (regions is None):
            missing = (
                "regions= is missing: make the layer with the number of labels"
                if regions is None
                else f"labels is missing: regions={regions} waits for them at each call. In a network no labels come, "
                "so leave regions null there and choose grid, an int or a pair (height, width)"
            )
            raise ValueError(f"SuperpixelPool2d: labels at a call and regions= belong together, {missing}")
        if labels is None:
            places, count = _rectangles(input, grid)
        else:
            places, count = _checked(input, labels, regions or 0), regions or 0
        values, places = input.flatten(2), places.expand(*input.shape[:2], -1)
        return _mean(values, places, count) if reduction == "mean" else _maximum(values, places, count)


def _rectangles(input: Tensor, grid: int | tuple[int, int]) -> tuple[Tensor, int]:
    """Return the labels (1, 1, HW) of a regular grid, and how many there are."""
    (h, w), (height, width) = grid if not isinstance(grid, int) else (grid, grid), input.shape[2:]
    row = torch.arange(height, device=input.device) * h // height
    column = torch.arange(width, device=input.device) * w // width
    return (row[:, None] * w + column).flatten()[None, None], h * w


def _checked(input: Tensor, labels: Tensor, count: int) -> Tensor:
    """Return the labels as (N, 1, HW) of int64."""
    if labels.dtype.is_floating_point or labels.dtype in (torch.bool, torch.complex64, torch.complex128):
        raise TypeError(f"SuperpixelPool2d: the labels must have an integer dtype, found {labels.dtype}")
    batched = labels if labels.dim() == 3 else labels.unsqueeze(0)
    wanted = (input.shape[0], *input.shape[2:])
    if tuple(batched.shape) != wanted:
        raise ValueError(
            f"SuperpixelPool2d: the labels must be {wanted} for the map {tuple(input.shape)}, "
            f"found shape {tuple(labels.shape)}"
        )
    inside = ((batched >= 0) & (batched < count)).all()
    torch._assert_async(inside, f"SuperpixelPool2d: the labels must lie in 0..{count - 1} (regions={count})")
    return batched.long().flatten(1).unsqueeze(1)


def _mean(values: Tensor, places: Tensor, count: int) -> Tensor:
    values = values.to(compute_dtype(values.dtype))
    zeros = values.new_zeros(*values.shape[:2], count)
    sums = zeros.scatter_add(2, places, values)
    sizes = zeros.scatter_add(2, places, torch.ones_like(values))
    return sums / sizes.clamp(min=1)


def _maximum(values: Tensor, places: Tensor, count: int) -> Tensor:
    """Return the maxima by the place of each region's first largest element, so that it alone has the gradient."""
    with torch.no_grad():
        shape, last = (*values.shape[:2], count), values.shape[2]
        top = values.new_full(shape, -torch.inf).scatter_reduce(2, places, values, "amax")
        largest = (values == top.gather(2, places)) | values.isnan()
        order = torch.arange(last, device=values.device).expand_as(places)
        first = places.new_full(shape, last).scatter_reduce(2, places, order.masked_fill(~largest, last), "amin")
    picked = values.gather(2, first.clamp(max=last - 1))
    return picked.masked_fill(first == last, 0.0)
