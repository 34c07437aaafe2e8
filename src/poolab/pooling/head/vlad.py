"""Vectors of locally aggregated descriptors: the residual of each vector to its nearest centroid, learned."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference, check_floating
from poolab.pooling.core.options import Integer, Integers, flag
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.head._kmeans import k_means, squared_distances
from poolab.pooling.head._normalization import SHORT, unit, without_autocast
from poolab.pooling.head._open_maps import box_means
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register

RATIO = 100.0  # how much more the nearest centroid's share is than the second one's, at the start
NEAREST_GAP = 1e-4  # squared distances that differ by less count as this, so that the sharpness stays finite


@register("netvlad")
class NetVLADPool2d(HeadPool2d):
    """Apply NetVLAD pooling, the residuals to K centroids: V_k = sum_i a_k(x_i) (x_i - c_k), shares a(x) =
    softmax_k(w_k . x + b_k).

    Each vector x_i (the C channels of a position) is brought to length 1 first, then each V_k, then all of them
    together: features (N, K * C). A length is |v| = sqrt(sum v^2 + 1e-8), so that a vector much shorter than 1e-4 (a
    cluster without members) fades to zero instead of being blown up. In float32 for narrower dtypes and under autocast.

    w, b and c are learned each for itself and start tied as in the paper, w = 2 alpha c, b = -alpha |c|^2, so that the
    shares are softmax(-alpha |x - c_k|^2). The start needs no data: centroids in random directions (from torch's global
    generator) of length 1, and alpha = log(100) sqrt(C log(K) / 2), for which the nearest of K random centroids has
    about a hundred times the share of the second. `init_from` starts from features instead, as the paper does.

    Args:
        channels: the number of channels C.
        clusters: the number of centroids K.
        normalize_input: bring each vector to length 1 first, as the authors' and most public code does.

    Example:
        >>> import torch
        >>> NetVLADPool2d(channels=8, clusters=4)(torch.randn(2, 8, 7, 5)).shape
        torch.Size([2, 32])
    """

    output_shape = "(N, clusters * C)"
    reference = Reference("Arandjelovic, Gronat, Torii, Pajdla, Sivic", 2016, "arXiv:1511.07247")
    learns = "always"
    uses_channels = "always"
    clusters: int
    normalize_input: bool
    options = {"clusters": Integer(64, most=16384), "normalize_input": flag(True)}
    disagreements = (
        "Nanne/pytorch-NetVlad netvlad.py (vladv2) takes alpha from the squared indices of neighbours instead of their "
        "distances (issues 25 and 84) and b from |c| instead of |c|^2; its other version has no b.",
        "Without a clustering step its centroids are uniform in [0, 1) and tied to no weight.",
        "Public code divides by the length clipped at 1e-12, which blows an empty cluster up to length 1.",
    )
    trial = {"clusters": 3}

    def build(self) -> None:
        """Make the weights and biases of the shares, a 1x1 convolution, and the centroids."""
        assert self.channels is not None
        self.weight = nn.Parameter(torch.empty(self.clusters, self.channels))
        self.bias = nn.Parameter(torch.empty(self.clusters))
        self.centroids = nn.Parameter(torch.empty(self.clusters, self.channels))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw random directions, and set the sharpness that suits them."""
        assert self.channels is not None
        nn.init.normal_(self.centroids)
        self.centroids.div_(self.centroids.norm(dim=1, keepdim=True).clamp_min(1e-3))
        # c . x has the standard deviation 1/sqrt(C); the two largest of K normal values lie 1/sqrt(2 log K) apart.
        self._tie(math.log(RATIO) * math.sqrt(self.channels * math.log(max(self.clusters, 2)) / 2))

    @torch.no_grad()
    def init_from(self, features: Tensor, seed: int = 0) -> None:
        """Start from features (N, C, H, W) or (C, H, W), such as one batch of the maps that the layer will get.

        The centroids are those of k-means over all vectors (started by k-means++ from a generator with `seed`). alpha
        makes the nearest centroid's share a hundred times the second one's, in the geometric mean over the vectors:
        alpha = log(100) / mean(|x - c_second|^2 - |x - c_nearest|^2).

        Raises:
            ValueError: fewer vectors than clusters, or other channels than the layer's.
        """
        check_floating("NetVLADPool2d.init_from", features)
        batched = features if features.dim() == 4 else features.unsqueeze(0)
        self.check_channels(batched, "NetVLADPool2d.init_from")
        vectors = descriptors(batched, self.normalize_input).transpose(1, 2).flatten(0, 1)
        if len(vectors) < self.clusters:
            raise ValueError(
                f"NetVLADPool2d.init_from: {self.clusters} clusters need at least as many vectors, found "
                f"{len(vectors)} in {tuple(features.shape)}; give more maps or use fewer clusters"
            )
        centroids = k_means(vectors, self.clusters, seed)
        self.centroids.copy_(centroids)
        nearest = squared_distances(vectors, centroids).topk(min(2, self.clusters), dim=1, largest=False).values
        gap = float((nearest[:, -1] - nearest[:, 0]).mean())
        self._tie(math.log(RATIO) / max(gap, NEAREST_GAP) if self.clusters > 1 else 1.0)

    def out_channels(self, channels: int) -> int:
        """Return `channels` numbers for each cluster."""
        return self.clusters * channels

    @staticmethod
    def formula(
        input: Tensor,
        weight: Tensor,
        bias: Tensor,
        centroids: Tensor,
        normalize_input: bool,
    ) -> Tensor:
        """Compute the residuals V, each of length 1, together of length 1."""
        with without_autocast(input):
            vectors = descriptors(input, normalize_input)
            weight, bias, centroids = (own.to(vectors.dtype) for own in (weight, bias, centroids))
            shares = (weight @ vectors + bias[:, None]).softmax(1)
            # sum a x - (sum a) c, as the residual of every vector to every centroid would be K maps. Both from the mean
            # vector, which changes nothing but the rounding: 20 times less where the vectors are nearly equal.
            middle = vectors.detach().mean(2).unsqueeze(1)
            apart = vectors.transpose(1, 2) - middle
            residuals = shares @ apart - shares.sum(2, keepdim=True) * (centroids - middle)
            return unit(unit(residuals, 2).flatten(1), 1).to(input.dtype)

    def _tie(self, alpha: float) -> None:
        self.weight.copy_(2 * alpha * self.centroids)
        self.bias.copy_(-alpha * self.centroids.square().sum(1))


@register("mop")
class MOPPool2d(HeadPool2d):
    """Apply multi-scale orderless pooling (MOP); the mean of the map, then the NetVLAD of the means of its regions,
    for each scale.

    Our trainable reading. The paper takes the activations of a fixed network for the whole image and for patches of a
    half and of a quarter of its side, and aggregates the patches of each size by PCA and VLAD, offline. Here a region
    of scale s is a window of ceil(H/s) x ceil(W/s) positions, at every place (on an 8x8 map 25 and 49 regions, as many
    as the paper has patches), described by its mean; a `NetVLADPool2d` of its own aggregates those of each scale. The
    mean of the map is brought to length 1 as the others are: features (N, C + len(scales) * K * C).

    Args:
        channels: the number of channels C.
        clusters: the number of centroids K of each scale.
        scales: the map's side over the regions' side, for each scale.

    Example:
        >>> import torch
        >>> MOPPool2d(channels=8, clusters=4)(torch.randn(2, 8, 7, 5)).shape
        torch.Size([2, 72])
    """

    output_shape = "(N, C * (1 + len(scales) * clusters))"
    reference = Reference("Gong, Wang, Guo, Lazebnik", 2014, "arXiv:1403.1840")
    learns = "always"
    uses_channels = "always"
    positional = True
    clusters: int
    scales: Sequence[int]
    options = {"clusters": Integer(64, most=16384), "scales": Integers((2, 4), most=256, longest=16)}
    trial = {"clusters": 3}

    def build(self) -> None:
        """Make one NetVLAD for each scale; it resets itself."""
        self.vlads = nn.ModuleList(NetVLADPool2d(channels=self.channels, clusters=self.clusters) for _ in self.scales)

    def init_from(self, features: Tensor, seed: int = 0) -> None:
        """Start each scale's centroids from the regions of features (N, C, H, W) or (C, H, W).

        Raises:
            ValueError: fewer regions than clusters, or other channels than the layer's.
        """
        check_floating("MOPPool2d.init_from", features)
        for scale, vlad in zip(self.scales, self.vlads, strict=True):
            assert isinstance(vlad, NetVLADPool2d)
            vlad.init_from(regions(features, scale), seed)

    def out_channels(self, channels: int) -> int:
        """Return the size of the mean, and of K vectors for each scale."""
        return channels * (1 + len(self.scales) * self.clusters)

    @staticmethod
    def formula(input: Tensor, vlads: nn.ModuleList, scales: Sequence[int]) -> Tensor:
        """Compute [mean; NetVLAD of the regions of each scale]."""
        with without_autocast(input):
            # The sum, as its length is taken out again: a mean of subnormal vectors would be rounded.
            total = input.to(compute_dtype(input.dtype)).sum((2, 3))
            mean = unit(total, 1, short=SHORT * input.shape[2] * input.shape[3])
            parts = [vlad(regions(input, scale)) for scale, vlad in zip(scales, vlads, strict=True)]
            return torch.cat([mean, *parts], 1).to(input.dtype)


def descriptors(input: Tensor, normalize: bool) -> Tensor:
    """Return the vectors (N, C, n) in float32 for narrower dtypes, each of length 1 where `normalize` says so."""
    vectors = input.to(compute_dtype(input.dtype)).flatten(2)
    return unit(vectors, 1) if normalize else vectors


def regions(input: Tensor, scale: int) -> Tensor:
    """Return the mean of every window of a `scale`-th of the map's sides; in float32 for narrower dtypes."""
    return box_means(input.to(compute_dtype(input.dtype)), scale)
