"""Pooling layers for convolutional networks.

>>> import torch
>>> AvgTopKPool2d(3, 2, padding=1, k=3)(torch.rand(8, 16, 9, 9)).shape
torch.Size([8, 16, 5, 5])
>>> AvgTopKPool1d(4, k=3)(torch.rand(8, 16, 100)).shape
torch.Size([8, 16, 25])
>>> create_pool("stochastic", kernel_size=2)
StochasticPool2d(kernel_size=2, stride=2)

help(AvgTopKPool2d)    one layer: formula, arguments, shapes, errors
functional             the layers without parameters as functions:
                       functional.avg_topk_pool2d(x, 3, k=3)
create_pool, get_pool, list_pools, register
                       layers by the name that configurations use
Pool, WindowPool2d, MapPool2d, HeadPool2d, Windows, Reference, siblings
                       to write a layer of your own
output_size            the size of an output: output_size(32, 3, stride=2)
use_backend, set_backend, get_backend
                       compiled kernels or plain torch
"""

# `help()` lists the classes of a module that has `__all__`, 170,000 lines of them here; so the names that are imported
# below are the package's names. `__init__.pyi` declares them, and the siblings, for editors and type checkers.
from poolab.pooling import functional
from poolab.pooling.channel.inter_map import InterMapPool2d
from poolab.pooling.core.base import Pool, Reference
from poolab.pooling.core.documentation import overview as _overview
from poolab.pooling.core.sizes import output_size
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
from poolab.pooling.head.transport import OptimalTransportPool2d
from poolab.pooling.head.vlad import MOPPool2d, NetVLADPool2d
from poolab.pooling.map_pool import HeadPool2d, MapPool2d
from poolab.pooling.registry import POOLS as _POOLS
from poolab.pooling.registry import SIBLINGS as _SIBLINGS
from poolab.pooling.registry import create_pool, get_pool, list_pools, register
from poolab.pooling.window.adapool import AdaPool2d
from poolab.pooling.window.adaptive import BinnedMaxPool2d
from poolab.pooling.window.adown import ADownPool2d
from poolab.pooling.window.basic import AvgPool2d, MAMPool2d, MaxPool2d, MinPool2d
from poolab.pooling.window.blur import BlurPool2d, MaxBlurPool2d
from poolab.pooling.window.controls import SpaceToDepth2d, StridedConv2d, Subsample2d
from poolab.pooling.window.diffstride import DiffStridePool2d
from poolab.pooling.window.dpp import DetailPreservingPool2d
from poolab.pooling.window.entropy import EntropyWeightedPool2d
from poolab.pooling.window.fourier import FrequencyLowCutPool2d, SpectralPool2d
from poolab.pooling.window.fuzzy import CombPool2d, FuzzyIntegralPool2d, FuzzyPool2d
from poolab.pooling.window.gated import GatedPool2d, TreePool2d
from poolab.pooling.window.gaussian import GaussianPool2d
from poolab.pooling.window.haar import HaarWaveletPool2d
from poolab.pooling.window.learned_polyphase import LearnedPolyphasePool2d, TIPSPool2d
from poolab.pooling.window.lift import LiftDownPool2d
from poolab.pooling.window.lip import LIPPool2d
from poolab.pooling.window.mixtures import MixedPool2d, MixedRandomPool2d
from poolab.pooling.window.ordinal import OrdinalPool2d
from poolab.pooling.window.pasa import AdaptiveLowPassPool2d
from poolab.pooling.window.polyphase import PolyphasePool2d
from poolab.pooling.window.powers import GeMPool2d, LehmerPool2d, LpPool2d
from poolab.pooling.window.rank import AvgTopKPool2d, MedianPool2d, RankAvgPool2d, RankWeightedPool2d, TMaxAvgPool2d
from poolab.pooling.window.rank_stochastic import MaxDropoutPool2d, RankStochasticPool2d
from poolab.pooling.window.recurrent import RNNPool2d
from poolab.pooling.window.softmax import LSEPool2d, SoftPool2d
from poolab.pooling.window.stochastic import StochasticPool2d
from poolab.pooling.window.subsampled import FractionalMaxPool2d, S3Pool2d
from poolab.pooling.window.universal import UniversalPool2d
from poolab.pooling.window.wavelets import WaveletPool2d
from poolab.pooling.window_pool import WindowPool2d, siblings

globals().update({cls.__name__: cls for cls in _SIBLINGS.values()})
__doc__ = f"{__doc__}\n{_overview(_POOLS.values())}"
