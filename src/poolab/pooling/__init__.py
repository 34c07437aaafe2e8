"""Poolings for convolutional networks: classes, functional twins and a registry by name. Needs torch alone.

>>> import torch
>>> AvgTopKPool2d(kernel_size=3, stride=2, padding=1, k=3)(torch.randn(8, 16, 32, 32)).shape
torch.Size([8, 16, 16, 16])
>>> create_pool("stochastic", kernel_size=2)
StochasticPool2d(kernel_size=2, stride=2)
"""

from poolab.pooling import functional
from poolab.pooling.base import Pool, Reference
from poolab.pooling.controls import StridedConv2d, Subsample2d
from poolab.pooling.draws import StochasticPool2d
from poolab.pooling.extremes import AvgPool2d, MaxPool2d, MinPool2d, MixedPool2d
from poolab.pooling.fourier import FrequencyLowCutPool2d, SpectralPool2d
from poolab.pooling.head_pool import HeadPool2d
from poolab.pooling.heads import AdaptiveAvgPool2d, AdaptiveMaxPool2d, GlobalAvgPool2d, GlobalMaxPool2d
from poolab.pooling.powers import LpPool2d
from poolab.pooling.ranks import AvgTopKPool2d, RankAvgPool2d, RankStochasticPool2d, RankWeightedPool2d
from poolab.pooling.registry import create_pool, get_pool, list_pools, register
from poolab.pooling.soft import SoftPool2d
from poolab.pooling.strides import DiffStridePool2d
from poolab.pooling.wavelets import WaveletPool2d
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows

__all__ = [
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "AvgTopKPool2d",
    "DiffStridePool2d",
    "FrequencyLowCutPool2d",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "HeadPool2d",
    "LpPool2d",
    "MaxPool2d",
    "MinPool2d",
    "MixedPool2d",
    "Pool",
    "RankAvgPool2d",
    "RankStochasticPool2d",
    "RankWeightedPool2d",
    "Reference",
    "SoftPool2d",
    "SpectralPool2d",
    "StochasticPool2d",
    "StridedConv2d",
    "Subsample2d",
    "WaveletPool2d",
    "WindowPool2d",
    "Windows",
    "create_pool",
    "functional",
    "get_pool",
    "list_pools",
    "register",
]
