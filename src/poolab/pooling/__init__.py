"""Poolings for convolutional networks: classes, functional twins and a registry by name. Needs torch alone.

>>> import torch
>>> AvgTopKPool2d(kernel_size=3, stride=2, padding=1, k=3)(torch.randn(8, 16, 32, 32)).shape
torch.Size([8, 16, 16, 16])
>>> create_pool("stochastic", kernel_size=2)
StochasticPool2d(kernel_size=2, stride=2)

The window methods are there for (N, C, L) and (N, C, D, H, W) too, as `...Pool1d` and `...Pool3d`:

>>> AvgTopKPool1d(kernel_size=4, k=3)(torch.randn(8, 16, 100)).shape
torch.Size([8, 16, 25])
"""

from typing import Any

from poolab.pooling import functional
from poolab.pooling.channel.inter_map import InterMapPool2d
from poolab.pooling.core.base import Pool, Reference
from poolab.pooling.core.windows import Windows
from poolab.pooling.fused.backend import get_backend, set_backend, use_backend
from poolab.pooling.head.attention import AttentionPool2d, SimPool2d
from poolab.pooling.head.basic import AdaptiveAvgPool2d, AdaptiveMaxPool2d, GlobalAvgPool2d, GlobalMaxPool2d
from poolab.pooling.head.clip_attention import CLIPAttentionPool2d
from poolab.pooling.head.covariance import ISqrtCovPool2d
from poolab.pooling.head.second_order import BilinearPool2d, CompactBilinearPool2d
from poolab.pooling.head.spatial_pyramid import PixelPyramidPool2d, SpatialPyramidPool2d
from poolab.pooling.head.statistics import (
    GlobalAvgMaxPool2d,
    GlobalGeMPool2d,
    GlobalLpPool2d,
    GlobalLSEPool2d,
    GlobalTopKPool2d,
)
from poolab.pooling.head.superpixel import SuperpixelPool2d
from poolab.pooling.head.vlad import MOPPool2d, NetVLADPool2d
from poolab.pooling.map_pool import HeadPool2d, MapPool2d
from poolab.pooling.registry import SIBLINGS, create_pool, get_pool, list_pools, register
from poolab.pooling.window.adapool import AdaPool2d
from poolab.pooling.window.basic import AvgPool2d, MAMPool2d, MaxPool2d, MinPool2d
from poolab.pooling.window.blur import BlurPool2d, MaxBlurPool2d
from poolab.pooling.window.controls import SpaceToDepth2d, StridedConv2d, Subsample2d
from poolab.pooling.window.diffstride import DiffStridePool2d
from poolab.pooling.window.dpp import DetailPreservingPool2d
from poolab.pooling.window.entropy import EntropyWeightedPool2d
from poolab.pooling.window.fourier import FrequencyLowCutPool2d, SpectralPool2d
from poolab.pooling.window.gated import GatedPool2d, TreePool2d
from poolab.pooling.window.lip import LIPPool2d
from poolab.pooling.window.mixtures import MixedPool2d, MixedRandomPool2d
from poolab.pooling.window.ordinal import OrdinalPool2d
from poolab.pooling.window.polyphase import PolyphasePool2d
from poolab.pooling.window.powers import GeMPool2d, LehmerPool2d, LpPool2d
from poolab.pooling.window.rank import AvgTopKPool2d, MedianPool2d, RankAvgPool2d, RankWeightedPool2d, TMaxAvgPool2d
from poolab.pooling.window.rank_stochastic import MaxDropoutPool2d, RankStochasticPool2d
from poolab.pooling.window.softmax import LSEPool2d, SoftPool2d
from poolab.pooling.window.stochastic import StochasticPool2d
from poolab.pooling.window.subsampled import FractionalMaxPool2d, S3Pool2d
from poolab.pooling.window.universal import UniversalPool2d
from poolab.pooling.window.wavelets import WaveletPool2d
from poolab.pooling.window_pool import WindowPool2d, siblings

SIBLING_CLASSES = {cls.__name__: cls for cls in SIBLINGS.values()}
globals().update(SIBLING_CLASSES)


def __getattr__(name: str) -> Any:
    """Tell type checkers that there are names which are made at import; at run time none is left to find."""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AdaPool2d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AttentionPool2d",
    "AvgPool2d",
    "AvgTopKPool2d",
    "BilinearPool2d",
    "BlurPool2d",
    "CLIPAttentionPool2d",
    "CompactBilinearPool2d",
    "DetailPreservingPool2d",
    "DiffStridePool2d",
    "EntropyWeightedPool2d",
    "FractionalMaxPool2d",
    "FrequencyLowCutPool2d",
    "GatedPool2d",
    "GeMPool2d",
    "GlobalAvgMaxPool2d",
    "GlobalAvgPool2d",
    "GlobalGeMPool2d",
    "GlobalLSEPool2d",
    "GlobalLpPool2d",
    "GlobalMaxPool2d",
    "GlobalTopKPool2d",
    "HeadPool2d",
    "ISqrtCovPool2d",
    "InterMapPool2d",
    "LIPPool2d",
    "LSEPool2d",
    "LehmerPool2d",
    "LpPool2d",
    "MAMPool2d",
    "MOPPool2d",
    "MapPool2d",
    "MaxBlurPool2d",
    "MaxDropoutPool2d",
    "MaxPool2d",
    "MedianPool2d",
    "MinPool2d",
    "MixedPool2d",
    "MixedRandomPool2d",
    "NetVLADPool2d",
    "OrdinalPool2d",
    "PixelPyramidPool2d",
    "PolyphasePool2d",
    "Pool",
    "RankAvgPool2d",
    "RankStochasticPool2d",
    "RankWeightedPool2d",
    "Reference",
    "S3Pool2d",
    "SimPool2d",
    "SoftPool2d",
    "SpaceToDepth2d",
    "SpatialPyramidPool2d",
    "SpectralPool2d",
    "StochasticPool2d",
    "StridedConv2d",
    "Subsample2d",
    "SuperpixelPool2d",
    "TMaxAvgPool2d",
    "TreePool2d",
    "UniversalPool2d",
    "WaveletPool2d",
    "WindowPool2d",
    "Windows",
    "create_pool",
    "functional",
    "get_backend",
    "get_pool",
    "list_pools",
    "register",
    "set_backend",
    "siblings",
    "use_backend",
    *SIBLING_CLASSES,
]
