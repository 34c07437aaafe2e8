"""Second-order heads: the products of all pairs of channels, whole or sketched."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer, flag
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.head._normalization import signed_root_unit, without_autocast
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register


@register("bilinear")
class BilinearPool2d(HeadPool2d):
    """Apply bilinear pooling, the mean product of channel pairs: B = (1/n) sum_i x_i x_i^T, as C * C features.

    Normalised by the signed square root, then to length 1: f = s(B / sum |B|) with s(p) = p / sqrt(|p| + 1e-4 / C^2),
    which is sign(p) sqrt(|p|) but for a finite slope at 0. The features do not depend on the map's scale; where
    sum |B| is below 1e-8 they fade to zero. In float32 for narrower dtypes. Not `torch.nn.Bilinear`, which is a learned
    form x^T A y of two vectors.

    Args:
        normalize: False leaves B itself, which float16 holds for values up to 255 only.

    Example:
        >>> import torch
        >>> BilinearPool2d(normalize=False)(torch.tensor([[[1.0, 3.0]], [[2.0, 0.0]]]))
        tensor([5., 1., 1., 2.])
    """

    output_shape = "(N, C * C)"
    reference = Reference("Lin, RoyChowdhury, Maji", 2015, "arXiv:1504.07889")
    options = {"normalize": flag(True)}
    disagreements = (
        "Public code takes sign(z) sqrt(|z| + 1e-8), which jumps by 1e-4 at zero and whose slope depends on the scale "
        "of the map (jiangtaoxie/fast-MPN-COV src/representation/CBP.py); here the root bends into a line.",
    )

    def out_channels(self, channels: int) -> int:
        """Return one for each ordered pair of channels."""
        return channels * channels

    @staticmethod
    def formula(input: Tensor, normalize: bool = True) -> Tensor:
        """Compute s((1/n) sum x x^T) of length 1."""
        with without_autocast(input):
            moment = second_moment(input).flatten(1)
            return (signed_root_unit(moment) if normalize else moment).to(input.dtype)


@register("compact_bilinear")
class CompactBilinearPool2d(HeadPool2d):
    """Apply compact bilinear pooling, sketched to d features: y_k = sum over i, j with h_i + g_j = k (mod
    d) of s_i t_j B_ij.

    B = (1/n) sum x x^T; the bins h, g of each channel and the signs s, t are drawn once from `seed`. It is the Tensor
    Sketch: the same numbers as the mean over the map of the circular convolution of two count sketches of x, and
    E <y(a), y(b)> = <a, b>^2 over the seeds. Then the signed square root and length 1 as in `BilinearPool2d`.
    Taken from B instead of by FFT it is faster (forward and backward, one thread, d=8192: 4 against 1266 ms for
    32x64x8x8, 30 against 121 for 8x512x7x7), and a bin that no pair falls into is zero and not rounding, of which the
    root would make 1e-4.

    The bins and the signs are buffers: they follow `.to()`, stand in the state, and are the same in every run with the
    same `seed`, whatever torch's global generator holds; `reset_parameters` draws the same again.

    Args:
        channels: the number of channels C.
        output_dim: the number of features d.
        seed: of the sketch.
        normalize: False leaves the sketch y itself.

    Example:
        >>> import torch
        >>> CompactBilinearPool2d(channels=8, output_dim=32)(torch.ones(2, 8, 7, 5)).shape
        torch.Size([2, 32])
    """

    output_shape = "(N, output_dim)"
    reference = Reference("Gao, Beijbom, Zhang, Darrell", 2016, "arXiv:1511.06062")
    uses_channels = "always"
    seed: int
    output_dim: int
    bins: Tensor
    signs: Tensor
    options = {
        "output_dim": Integer(8192, most=1_048_576),
        "seed": Integer(0, least=0, most=2**63 - 1),
        "normalize": flag(True),
    }
    disagreements = (
        "jiangtaoxie/fast-MPN-COV src/representation/CBP.py reseeds torch's global generator in its constructor, keeps "
        "the sketches in plain lists (not in the state, not moved by .to()) and sums over the map instead of averaging "
        "(which the length takes out again).",
    )
    trial = {"output_dim": 16}

    def build(self) -> None:
        """Make the buffers of the sketch and draw it."""
        assert self.channels is not None
        self.register_buffer("bins", torch.empty(2, self.channels, dtype=torch.int64))
        self.register_buffer("signs", torch.empty(2, self.channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the sketch from `seed` by a generator of its own."""
        generator = torch.Generator().manual_seed(self.seed)
        # On the CPU, so that every device has the same sketch.
        bins, heads = (
            torch.randint(below, self.bins.shape, generator=generator, device="cpu") for below in (self.output_dim, 2)
        )
        self.bins.copy_(bins)
        self.signs.copy_(2 * heads - 1)

    def out_channels(self, channels: int) -> int:
        """Return the sketch's length."""
        return self.output_dim

    @staticmethod
    def formula(input: Tensor, bins: Tensor, signs: Tensor, output_dim: int, normalize: bool) -> Tensor:
        """Compute s(sketch of (1/n) sum x x^T) of length 1."""
        with without_autocast(input):
            pairs = second_moment(input) * (signs[0, :, None] * signs[1])
            places = (bins[0, :, None] + bins[1]) % output_dim
            sketch = pairs.new_zeros(pairs.shape[0], output_dim).index_add(1, places.flatten(), pairs.flatten(1))
            return (signed_root_unit(sketch) if normalize else sketch).to(input.dtype)


def second_moment(input: Tensor) -> Tensor:
    """Return (1/n) sum x x^T over the positions of each map, (N, C, C); in float32 for narrower dtypes."""
    vectors = input.to(compute_dtype(input.dtype)).flatten(2)
    return vectors @ vectors.transpose(1, 2) / vectors.shape[2]
