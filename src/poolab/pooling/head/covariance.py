"""The square root of the covariance of the channels, by iteration."""

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer
from poolab.pooling.core.precision import without_autocast
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.head.second_order import second_moment
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register

LEAST_TRACE = 1e-20  # below it, the square of 1e-10, a map counts as constant and its root fades to zero


@register("isqrt_cov")
class ISqrtCovPool2d(HeadPool2d):
    """Apply iSQRT-COV pooling, the root of the covariance: R = S^(1/2), S = (1/n) sum_i (x_i - m)(x_i -
    m)^T, R's upper triangle.

    First a 1x1 convolution without bias, batch normalisation and ReLU reduce C channels to `dim`. With A = S / tr S,
    Y = A, Z = I the Newton-Schulz iteration Y <- Y (3I - ZY) / 2, Z <- (3I - ZY) Z / 2 goes to A^(1/2), and
    R = sqrt(tr S) Y. The features (N, dim (dim + 1) / 2) are R's rows from the diagonal on. After 5 iterations an
    eigenvalue of less than a hundredth of the trace has not converged; that is the method, and it bounds the slope of
    the root at zero by 1.5^iterations. A constant map gives zeros with gradient zero: the trace is bounded from below
    by 1e-20. Covariance and iteration run in float32 for narrower dtypes and under autocast.

    The batch normalisation needs more than one value per channel in training: one unbatched 1x1 map is refused.

    Args:
        channels: the number of channels C.
        dim: the number of channels after the reduction; None leaves the reduction out.
        iterations: of Newton-Schulz.

    Example:
        >>> import torch
        >>> ISqrtCovPool2d(channels=8, dim=4)(torch.randn(2, 8, 7, 5)).shape
        torch.Size([2, 10])
    """

    output_shape = "(N, D * (D + 1) // 2), where D = dim or C"
    reference = Reference("Li, Xie, Wang, Gao", 2018, "arXiv:1712.01034")
    learns = "always"
    uses_channels = "always"
    dim: int | None
    options = {"dim": Integer(256, most=16384, optional=True), "iterations": Integer(5, most=100)}
    evaluates = "the reduction's batch normalisation uses its running statistics, in training those of the batch"
    disagreements = (
        "jiangtaoxie/fast-MPN-COV src/representation/MPNCOV.py has 3 iterations and no reduction by default (the paper "
        "has 5 and 256), divides 0 by 0 on a constant map, and multiplies the uncentred map with a centring matrix, so "
        "that rounding can make the trace negative and its root NaN (issue 24; here the map is centred first).",
    )
    trial = {"dim": 4}

    def build(self) -> None:
        """Make the reduction; its layers reset themselves."""
        assert self.channels is not None
        self.reduction: nn.Module = nn.Identity()
        if self.dim is not None:
            conv = nn.Conv2d(self.channels, self.dim, 1, bias=False)
            self.reduction = nn.Sequential(conv, nn.BatchNorm2d(self.dim), nn.ReLU())

    def out_channels(self, channels: int) -> int:
        """Return the size of the upper triangle with the diagonal."""
        dim = self.dim or channels
        return dim * (dim + 1) // 2

    @staticmethod
    def formula(input: Tensor, reduction: nn.Module, iterations: int) -> Tensor:
        """Compute the upper triangle of sqrt(tr S) (S / tr S)^(1/2)."""
        _check_batch(input, reduction)
        reduced = reduction(input)
        with without_autocast(input):
            wide = reduced.to(compute_dtype(reduced.dtype))
            root = sqrt_by_iteration(second_moment(wide - wide.mean((2, 3), keepdim=True)), iterations)
            return upper_triangle(root).to(input.dtype)


def sqrt_by_iteration(matrices: Tensor, iterations: int) -> Tensor:
    """Return the square roots of symmetric matrices (N, d, d) without negative eigenvalues, by Newton-Schulz.

    >>> sqrt_by_iteration(torch.tensor([[[4.0, 0.0], [0.0, 9.0]]]), 12).round(decimals=3)
    tensor([[[2., 0.],
             [0., 3.]]])
    """
    scale = matrices.diagonal(dim1=1, dim2=2).sum(1).clamp_min(LEAST_TRACE)[:, None, None]
    identity = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device)
    root = matrices / scale
    inverse = identity.expand_as(root)
    for step in range(iterations):
        half = 1.5 * identity - 0.5 * (inverse @ root)
        root = root @ half
        if step + 1 < iterations:  # the last inverse is not needed
            inverse = half @ inverse
    return root * scale.sqrt()


def upper_triangle(matrices: Tensor) -> Tensor:
    """Return the entries on and above the diagonal of (N, d, d), row by row, (N, d (d + 1) / 2)."""
    size = matrices.shape[1]
    row, column = torch.triu_indices(size, size, device=matrices.device)
    return matrices.flatten(1).index_select(1, row * size + column)


def _check_batch(input: Tensor, reduction: nn.Module) -> None:
    values = input.shape[0] * input.shape[2] * input.shape[3]
    if values == 1 and reduction.training and not isinstance(reduction, nn.Identity):
        raise ValueError(
            "ISqrtCovPool2d: in training the batch normalisation of its reduction needs more than one value per "
            f"channel, found {tuple(input.shape)}; use a larger batch or map, eval(), or dim=None"
        )
