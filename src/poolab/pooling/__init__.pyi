# Made by `python -m poolab.catalogue stubs` from the classes; to change this file, change the class.

from typing import Literal

import torch

from poolab.pooling import functional as functional
from poolab.pooling.channel import inter_map as _channel_inter_map
from poolab.pooling.core.base import Pool as Pool
from poolab.pooling.core.base import Reference as Reference
from poolab.pooling.core.sizes import output_size as output_size
from poolab.pooling.core.windows import Windows as Windows
from poolab.pooling.fused.backend import get_backend as get_backend
from poolab.pooling.fused.backend import set_backend as set_backend
from poolab.pooling.fused.backend import use_backend as use_backend
from poolab.pooling.head import attention as _head_attention
from poolab.pooling.head import basic as _head_basic
from poolab.pooling.head import clip_attention as _head_clip_attention
from poolab.pooling.head import covariance as _head_covariance
from poolab.pooling.head import second_order as _head_second_order
from poolab.pooling.head import spatial_pyramid as _head_spatial_pyramid
from poolab.pooling.head import statistics as _head_statistics
from poolab.pooling.head import superpixel as _head_superpixel
from poolab.pooling.head import transport as _head_transport
from poolab.pooling.head import vlad as _head_vlad
from poolab.pooling.map_pool import HeadPool2d as HeadPool2d
from poolab.pooling.map_pool import MapPool2d as MapPool2d
from poolab.pooling.registry import create_pool as create_pool
from poolab.pooling.registry import get_pool as get_pool
from poolab.pooling.registry import list_pools as list_pools
from poolab.pooling.registry import register as register
from poolab.pooling.window import adapool as _window_adapool
from poolab.pooling.window import adaptive as _window_adaptive
from poolab.pooling.window import adown as _window_adown
from poolab.pooling.window import basic as _window_basic
from poolab.pooling.window import blur as _window_blur
from poolab.pooling.window import controls as _window_controls
from poolab.pooling.window import diffstride as _window_diffstride
from poolab.pooling.window import dpp as _window_dpp
from poolab.pooling.window import entropy as _window_entropy
from poolab.pooling.window import fourier as _window_fourier
from poolab.pooling.window import fuzzy as _window_fuzzy
from poolab.pooling.window import gated as _window_gated
from poolab.pooling.window import gaussian as _window_gaussian
from poolab.pooling.window import haar as _window_haar
from poolab.pooling.window import learned_polyphase as _window_learned_polyphase
from poolab.pooling.window import lift as _window_lift
from poolab.pooling.window import lip as _window_lip
from poolab.pooling.window import mixtures as _window_mixtures
from poolab.pooling.window import ordinal as _window_ordinal
from poolab.pooling.window import pasa as _window_pasa
from poolab.pooling.window import polyphase as _window_polyphase
from poolab.pooling.window import powers as _window_powers
from poolab.pooling.window import rank as _window_rank
from poolab.pooling.window import rank_stochastic as _window_rank_stochastic
from poolab.pooling.window import recurrent as _window_recurrent
from poolab.pooling.window import softmax as _window_softmax
from poolab.pooling.window import stochastic as _window_stochastic
from poolab.pooling.window import subsampled as _window_subsampled
from poolab.pooling.window import universal as _window_universal
from poolab.pooling.window import wavelets as _window_wavelets
from poolab.pooling.window_pool import WindowPool2d as WindowPool2d
from poolab.pooling.window_pool import siblings as siblings

class ADownPool2d(_window_adown.ADownPool2d):
    """Apply ADown (YOLOv9): means m of 2x2 values at stride 1, then (silu(norm(V m_1)), silu(norm(W max m_2))) as
    channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class AdaPool2d(_window_adapool.AdaPool2d):
    """Apply adaPool, a blend of two weighted means: y = beta y_eDSCW + (1 - beta) y_eM; y_eM is SoftPool and y_eDSCW
    = sum_i softmax(DSC(x_i, m))_i x_i."""

    beta: float
    learnable: bool
    sharing: Literal["layer", "channel"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        beta: float = 0.5,
        learnable: bool = True,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class AdaptiveAvgPool2d(_head_basic.AdaptiveAvgPool2d):
    """Apply adaptive average pooling, means of a grid of bins; bin i has the rows floor(iH/h) to ceil((i+1)H/h) - 1."""

    output_size: int | tuple[int, int]
    def __init__(
        self,
        *,
        output_size: int | tuple[int, int] = 1,
    ) -> None: ...

class AdaptiveLowPassPool2d(_window_pasa.AdaptiveLowPassPool2d):
    """Apply content-aware low-pass filtering (PASA): y_i = sum_k w_ik x_(i s + k), w_i by a softmax over k."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        filter_size: int = 3,
        groups: int = 1,
    ) -> None: ...

class AdaptiveMaxPool2d(_head_basic.AdaptiveMaxPool2d):
    """Apply adaptive max pooling, maxima of a grid of bins; bin i has the rows floor(iH/h) to ceil((i+1)H/h) - 1."""

    output_size: int | tuple[int, int]
    def __init__(
        self,
        *,
        output_size: int | tuple[int, int] = 1,
    ) -> None: ...

class AttentionPool2d(_head_attention.AttentionPool2d):
    """Apply attention pooling: y = sum_i a_i x_i over all positions i of the map, a = softmax_i(w^T tanh(V x_i +
    b))."""

    def __init__(
        self,
        *,
        channels: int,
        hidden: int = 128,
        gated: bool = False,
    ) -> None: ...

class AvgPool2d(_window_basic.AvgPool2d):
    """Apply average pooling: y = (1/n) sum_i x_i, the same as `nn.AvgPool2d` to the last bit."""

    count_include_pad: bool
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        count_include_pad: bool = True,
    ) -> None: ...

class AvgTopKPool2d(_window_rank.AvgTopKPool2d):
    """Apply average top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r)."""

    k: int
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        k: int = 2,
    ) -> None: ...

class BilinearPool2d(_head_second_order.BilinearPool2d):
    """Apply bilinear pooling, the mean product of channel pairs: B = (1/n) sum_i x_i x_i^T, as C * C features."""

    normalize: bool
    def __init__(
        self,
        *,
        normalize: bool = True,
    ) -> None: ...

class BinnedMaxPool2d(_window_adaptive.BinnedMaxPool2d):
    """Apply adaptive max pooling in place of windows: y_i = max of the bin floor(i H / h) to ceil((i + 1) H / h) -
    1."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class BlurPool2d(_window_blur.BlurPool2d):
    """Apply blur pooling, a binomial filter and a stride: y_i = sum_j b_j x_(i s + j - c) along each axis, b_j =
    binom(f - 1, j) / 2^(f - 1)."""

    filter_size: int
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        filter_size: int = 4,
        padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
    ) -> None: ...

class CLIPAttentionPool2d(_head_clip_attention.CLIPAttentionPool2d):
    """Apply CLIP's attention pooling: y = W_o sum_i a_i W_v t_i with a = softmax_i((W_q t_0)^T (W_k t_i) / sqrt(d)),
    by heads."""

    interpolation: Literal["bicubic", "bilinear"]
    def __init__(
        self,
        *,
        channels: int,
        heads: int | None = None,
        output_dim: int | None = None,
        position: Literal["learned", "rotary", "none"] = "learned",
        size: int | tuple[int, int] = 7,
        interpolation: Literal["bicubic", "bilinear"] = "bicubic",
    ) -> None: ...

class CombPool2d(_window_fuzzy.CombPool2d):
    """Apply CombPool, a learned combination of two aggregations: y = w_1^2 A(x) + w_2^2 B(x), w for each channel."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        functions: Literal["avg+max", "avg+sugeno", "max+sugeno", "avg+dv_sugeno", "avg+choquet"] = "avg+max",
    ) -> None: ...

class CompactBilinearPool2d(_head_second_order.CompactBilinearPool2d):
    """Apply compact bilinear pooling, sketched to d features: y_k = sum over i, j with h_i + g_j = k (mod d) of s_i
    t_j B_ij."""

    normalize: bool
    def __init__(
        self,
        *,
        channels: int,
        output_dim: int = 8192,
        seed: int = 0,
        normalize: bool = True,
    ) -> None: ...

class DetailPreservingPool2d(_window_dpp.DetailPreservingPool2d):
    """Apply detail-preserving pooling (DPP): y = sum_i w_i x_i / sum_j w_j with w_i = alpha + (d_i / mean_j
    d_j)^(lambda / 2)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        variant: Literal["lite", "full"] = "lite",
        symmetric: bool = True,
    ) -> None: ...

class DiffStridePool2d(_window_diffstride.DiffStridePool2d):
    """Apply DiffStride, spectral pooling with a learned stride: y = Re F^-1(crop(m F x)) * elements out / elements
    in, m a ramp to the crop."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        smoothness: float = 4.0,
    ) -> None: ...

class EntropyWeightedPool2d(_window_entropy.EntropyWeightedPool2d):
    """Apply entropy-weighted pooling: y = sum_i w_i x_i with w_i = p_i log p_i / sum_j p_j log p_j and p_i = |x_i| /
    sum_j |x_j|."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class FractionalMaxPool2d(_window_subsampled.FractionalMaxPool2d):
    """Apply fractional max pooling: y_i = max(x_(a_i), ..., x_(a_i + k - 1)), a_i = floor(alpha (i + u)) -
    floor(alpha u)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        output_ratio: float | None = None,
        output_size: int | tuple[int, int] | None = None,
    ) -> None: ...

class FrequencyLowCutPool2d(_window_fourier.FrequencyLowCutPool2d):
    """Apply FrequencyLowCut pooling, free of aliasing: y = Re F^-1(crop(w F x)) * elements out / elements in."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        window: Literal["hamming"] | None = None,
    ) -> None: ...

class FuzzyIntegralPool2d(_window_fuzzy.FuzzyIntegralPool2d):
    """Apply a fuzzy integral of the ranked values; m_r = (r / n)^power is the measure of the r largest of n."""

    power: float
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        integral: Literal["sugeno", "dv_sugeno", "choquet"] = "sugeno",
        power: float = 2.0,
    ) -> None: ...

class FuzzyPool2d(_window_fuzzy.FuzzyPool2d):
    """Apply fuzzy pooling, the mean by membership: y = sum_i p(x_i) x_i / sum_i p(x_i)."""

    largest: float
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        largest: float = 6.0,
    ) -> None: ...

class GatedPool2d(_window_gated.GatedPool2d):
    """Apply gated pooling, max and mean by a learned gate: y = g max_i x_i + (1 - g) mean_i x_i with g =
    logistic(sum_i w_i x_i)."""

    sharing: Literal["layer", "channel"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class GaussianPool2d(_window_gaussian.GaussianPool2d):
    """Apply Gaussian pooling (iSP, guided by global features): y = m + softplus(mu + noise sigma e) d, m and d the
    window's mean and deviation."""

    spread: Literal["window", "channel"]
    noise: float
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        generator: torch.Generator | None = None,
        spread: Literal["window", "channel"] = "window",
        noise: float = 1.0,
    ) -> None: ...

class GeMPool2d(_window_powers.GeMPool2d):
    """Apply generalized-mean pooling (GeM): y = ((1/n) sum_i max(x_i, eps)^p)^(1/p)."""

    p: float
    learnable: bool
    eps: float
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        p: float = 3.0,
        learnable: bool = True,
        per_channel: bool = False,
        eps: float = 1e-06,
    ) -> None: ...

class GlobalAvgMaxPool2d(_head_statistics.GlobalAvgMaxPool2d):
    """Apply global average and max pooling: y = (mean + max) / 2, or both one after the other, (N, 2C, 1, 1)."""

    def __init__(
        self,
        *,
        mode: Literal["mean", "cat"] = "mean",
    ) -> None: ...

class GlobalAvgPool2d(_head_basic.GlobalAvgPool2d):
    """Apply global average pooling, the mean of the map: y = (1/HW) sum_i x_i."""

    def __init__(self) -> None: ...

class GlobalGeMPool2d(_head_statistics.GlobalGeMPool2d):
    """Apply global generalized-mean pooling (GeM): y = ((1/HW) sum_i max(x_i, eps)^p)^(1/p)."""

    p: float
    learnable: bool
    eps: float
    def __init__(
        self,
        *,
        channels: int | None = None,
        p: float = 3.0,
        learnable: bool = True,
        per_channel: bool = False,
        eps: float = 1e-06,
    ) -> None: ...

class GlobalLSEPool2d(_head_statistics.GlobalLSEPool2d):
    """Apply global log-sum-exp pooling, a smooth maximum: y = (1/r) log((1/HW) sum_i exp(r x_i))."""

    r: float
    learnable: bool
    def __init__(
        self,
        *,
        r: float = 10.0,
        learnable: bool = False,
    ) -> None: ...

class GlobalLpPool2d(_head_statistics.GlobalLpPool2d):
    """Apply global Lp pooling, the power mean of the map: y = ((1/HW) sum_i |x_i|^p)^(1/p)."""

    p: float
    norm: Literal["mean", "sum"]
    learnable: bool
    def __init__(
        self,
        *,
        p: float = 2.0,
        norm: Literal["mean", "sum"] = "mean",
        learnable: bool = False,
    ) -> None: ...

class GlobalMaxPool2d(_head_basic.GlobalMaxPool2d):
    """Apply global max pooling, the maximum of the map: y = max_i x_i; on a tie the gradient goes to the first."""

    def __init__(self) -> None: ...

class GlobalTopKPool2d(_head_statistics.GlobalTopKPool2d):
    """Apply global top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r) over the map."""

    k: int
    share: float | None
    def __init__(
        self,
        *,
        k: int = 8,
        share: float | None = None,
    ) -> None: ...

class HaarWaveletPool2d(_window_haar.HaarWaveletPool2d):
    """Apply Haar wavelet downsampling (HWD): y = relu(norm(W (LL, LH, HL, HH) + b)), all bands of one level as
    channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class ISqrtCovPool2d(_head_covariance.ISqrtCovPool2d):
    """Apply iSQRT-COV pooling, the root of the covariance: R = S^(1/2), S = (1/n) sum_i (x_i - m)(x_i - m)^T, R's
    upper triangle."""

    iterations: int
    def __init__(
        self,
        *,
        channels: int,
        dim: int | None = 256,
        iterations: int = 5,
    ) -> None: ...

class InterMapPool2d(_channel_inter_map.InterMapPool2d):
    """Apply inter-map pooling (IMP), maxima over channel groups: y_j = max of the g maps jg to jg + g - 1."""

    def __init__(
        self,
        *,
        groups: int = 2,
    ) -> None: ...

class LIPPool2d(_window_lip.LIPPool2d):
    """Apply local importance pooling (LIP): y = sum_i exp(l_i) x_i / sum_j exp(l_j), with a network's logits l =
    G(x)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        logit: Literal["simplified", "bottleneck"] = "simplified",
    ) -> None: ...

class LSEPool2d(_window_softmax.LSEPool2d):
    """Apply log-sum-exp pooling, a smooth maximum: y = (1/r) log((1/n) sum_i exp(r x_i)), the mean form, which keeps
    constants."""

    r: float
    learnable: bool
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        r: float = 10.0,
        learnable: bool = False,
    ) -> None: ...

class LearnedPolyphasePool2d(_window_learned_polyphase.LearnedPolyphasePool2d):
    """Apply learnable polyphase sampling (LPS); in evaluation y_i = x_(i s + a) with the offsets a of the largest
    logit l_a."""

    temperature: float
    filter_size: int | None
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        generator: torch.Generator | None = None,
        hidden: int | None = None,
        temperature: float = 1.0,
        filter_size: int | None = None,
    ) -> None: ...

class LehmerPool2d(_window_powers.LehmerPool2d):
    """Apply Lehmer-mean pooling: y = sum_i x_i^(a+1) / sum_i x_i^a over the positive values."""

    a: float
    learnable: bool
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        a: float = 1.0,
        learnable: bool = False,
    ) -> None: ...

class LiftDownPool2d(_window_lift.LiftDownPool2d):
    """Apply LiftDownPool, a learned lifting scheme: along each axis d = x_odd - P(x_even), s = x_even + U(d); y is
    the sum of all bands."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        filter_size: int = 3,
    ) -> None: ...

class LpPool2d(_window_powers.LpPool2d):
    """Apply Lp pooling, the power mean of absolute values: y = ((1/n) sum_i |x_i|^p)^(1/p)."""

    p: float
    norm: Literal["mean", "sum"]
    learnable: bool
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        p: float = 2.0,
        norm: Literal["mean", "sum"] = "mean",
        learnable: bool = False,
    ) -> None: ...

class MAMPool2d(_window_basic.MAMPool2d):
    """Apply max-average-min pooling (MAM): y = max - min where max - min > mean, and (max + mean) / 2 elsewhere."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MOPPool2d(_head_vlad.MOPPool2d):
    """Apply multi-scale orderless pooling (MOP); the mean of the map, then the NetVLAD of the means of its regions,
    for each scale."""

    def __init__(
        self,
        *,
        channels: int,
        clusters: int = 64,
        scales: tuple[int, ...] | list[int] = (2, 4),
    ) -> None: ...

class MaxBlurPool2d(_window_blur.MaxBlurPool2d):
    """Apply max-blur pooling, maxima at stride 1 and a blur: y_i = sum_j b_j m_(i s + j - c) with m_l the maximum of
    window l."""

    filter_size: int
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        filter_size: int = 3,
        padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
    ) -> None: ...

class MaxDropoutPool2d(_window_rank_stochastic.MaxDropoutPool2d):
    """Apply max pooling with dropout of values; in training the maximum of those kept, each with probability p, P(y
    = x_(r)) = p (1 - p)^(r-1)."""

    retain: float
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        retain: float = 0.5,
    ) -> None: ...

class MaxPool2d(_window_basic.MaxPool2d):
    """Apply max pooling: y = max_i x_i, the same as `nn.MaxPool2d` to the last bit."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MedianPool2d(_window_rank.MedianPool2d):
    """Apply median pooling: y = x_((n+1)/2) for an odd number n of values and (x_(n/2) + x_(n/2+1)) / 2 for an even
    one."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MinPool2d(_window_basic.MinPool2d):
    """Apply min pooling: y = min_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MixedPool2d(_window_mixtures.MixedPool2d):
    """Apply mixed pooling, a blend of maximum and mean: y = alpha max_i x_i + (1 - alpha) (1/n) sum_i x_i."""

    alpha: float
    learnable: bool
    sharing: Literal["layer", "channel"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        alpha: float = 0.7,
        learnable: bool = False,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class MixedRandomPool2d(_window_mixtures.MixedRandomPool2d):
    """Apply mixed pooling by a draw, maximum or mean: y = z max_i x_i + (1 - z) (1/n) sum_i x_i with z = 1 with
    probability p, else 0."""

    p: float
    sharing: Literal["layer", "channel", "region"]
    eval_mode: Literal["majority", "expectation"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        p: float = 0.5,
        sharing: Literal["layer", "channel", "region"] = "layer",
        eval_mode: Literal["majority", "expectation"] = "majority",
    ) -> None: ...

class NetVLADPool2d(_head_vlad.NetVLADPool2d):
    """Apply NetVLAD pooling, the residuals to K centroids: V_k = sum_i a_k(x_i) (x_i - c_k), shares a(x) =
    softmax_k(w_k . x + b_k)."""

    def __init__(
        self,
        *,
        channels: int,
        clusters: int = 64,
        normalize_input: bool = True,
    ) -> None: ...

class OptimalTransportPool2d(_head_transport.OptimalTransportPool2d):
    """Apply regularized optimal transport pooling (ROTP): y_c = C sum_i P_ic x_ic, P a transport plan between the HW
    positions i and the C channels c."""

    def __init__(
        self,
        *,
        iterations: int = 4,
        marginal: Literal["channels", "positions"] = "channels",
    ) -> None: ...

class OrdinalPool2d(_window_ordinal.OrdinalPool2d):
    """Apply ordinal pooling, learned weights by rank: y = sum_r w_r x_(r) with w = softmax(logits)."""

    sharing: Literal["channel", "layer"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        init: Literal["uniform", "avg", "max"] = "uniform",
        sharing: Literal["channel", "layer"] = "channel",
    ) -> None: ...

class PixelPyramidPool2d(_head_spatial_pyramid.PixelPyramidPool2d):
    """Apply per-pixel pyramid pooling (4P), stride 1; the map pooled with M windows, side by side as C * M channels."""

    mode: Literal["max", "avg"]
    def __init__(
        self,
        *,
        channels: int | None = None,
        windows: tuple[int, ...] | list[int] = (27, 9, 3, 1),
        mode: Literal["max", "avg"] = "max",
        project: bool = False,
    ) -> None: ...

class PolyphasePool2d(_window_polyphase.PolyphasePool2d):
    """Apply adaptive polyphase sampling (APS): y_i = x_(i s + a) with the offsets a for which the norm of y is
    largest."""

    norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"]
    filter_size: int | None
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"] = "l2",
        filter_size: int | None = None,
    ) -> None: ...

class RNNPool2d(_window_recurrent.RNNPool2d):
    """Apply recurrent pooling (RNNPool): y = (R2(r), R2(r backwards), R2(c), R2(c backwards)), r_i = R1(row i) and
    c_j = R1(column j) of the window."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        hidden1: int | None = None,
        hidden2: int | None = None,
    ) -> None: ...

class RankAvgPool2d(_window_rank.RankAvgPool2d):
    """Apply rank-based average pooling (RAP): y = (1/t) sum_{r<=t} x_(r), the same function as `avg_topk`, published
    earlier."""

    t: int
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        t: int = 2,
    ) -> None: ...

class RankStochasticPool2d(_window_rank_stochastic.RankStochasticPool2d):
    """Apply rank-based stochastic pooling (RSP); in training the value of a drawn rank, P(r) = p_r / sum_s p_s, p as
    in RWP."""

    alpha: float
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        alpha: float = 0.5,
    ) -> None: ...

class RankWeightedPool2d(_window_rank.RankWeightedPool2d):
    """Apply rank-based weighted pooling (RWP): y = sum_r p_r x_(r) with p_r = alpha (1 - alpha)^(r-1)."""

    alpha: float
    normalize: bool
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        alpha: float = 0.5,
        normalize: bool = True,
    ) -> None: ...

class S3Pool2d(_window_subsampled.S3Pool2d):
    """Apply S3 pooling, a stochastic stride after maxima; in training window maxima in drawn rows and columns, in
    evaluation their means."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        grid_size: int | None = None,
    ) -> None: ...

class SimPool2d(_head_attention.SimPool2d):
    """Apply SimPool attention pooling: y = sum_i a_i v_i, a = softmax_i(q . k_i / sqrt(d)), q = W_q mean(x), k_i =
    W_k v_i, v_i = LN(x_i)."""

    gamma: float | None
    def __init__(
        self,
        *,
        channels: int,
        heads: int = 1,
        gamma: float | None = None,
    ) -> None: ...

class SoftPool2d(_window_softmax.SoftPool2d):
    """Apply SoftPool, the softmax-weighted mean: y = sum_i w_i x_i with w_i = exp(x_i/T) / sum_j exp(x_j/T)."""

    temperature: float
    learnable: bool
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        temperature: float = 1.0,
        learnable: bool = False,
    ) -> None: ...

class SpaceToDepth2d(_window_controls.SpaceToDepth2d):
    """Apply space to depth and a 1x1 convolution: y = b + W (x_c1 ... x_cn for all c), the window's values side by
    side as channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        project: bool = True,
    ) -> None: ...

class SpatialPyramidPool2d(_head_spatial_pyramid.SpatialPyramidPool2d):
    """Apply spatial pyramid pooling, n x n bins for each level n; the maxima (or means) of all bins are the
    features."""

    mode: Literal["max", "avg"]
    def __init__(
        self,
        *,
        levels: tuple[int, ...] | list[int] = (1, 2, 4),
        mode: Literal["max", "avg"] = "max",
    ) -> None: ...

class SpectralPool2d(_window_fourier.SpectralPool2d):
    """Apply spectral pooling, the low frequencies: y = Re F^-1(crop(F x)) * elements out / elements in, F the
    discrete Fourier transform."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class StochasticPool2d(_window_stochastic.StochasticPool2d):
    """Apply stochastic pooling; in training x_l with l drawn by p_i = x_i / sum_j x_j, in evaluation sum_i x_i^2 /
    sum_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
    ) -> None: ...

class StridedConv2d(_window_controls.StridedConv2d):
    """Apply a strided convolution in place of a pooling: y = b + sum_c sum_i w_ci x_ci."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        groups: int = 1,
        bias: bool = True,
    ) -> None: ...

class Subsample2d(_window_controls.Subsample2d):
    """Apply plain subsampling; output (i, j) is the element (i * stride, j * stride), or the last one where that
    lies outside."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class SuperpixelPool2d(_head_superpixel.SuperpixelPool2d):
    """Apply superpixel pooling, over regions of a label map: y[n, c, k] = max (or mean) of x[n, c, p] over the
    positions p of label k."""

    reduction: Literal["max", "mean"]
    regions: int | None
    grid: int | tuple[int, int]
    def __init__(
        self,
        *,
        reduction: Literal["max", "mean"] = "max",
        regions: int | None = None,
        grid: int | tuple[int, int] = 2,
    ) -> None: ...

class TIPSPool2d(_window_learned_polyphase.TIPSPool2d):
    """Apply translation invariant polyphase sampling: y_i = sum_a tau_a x_(i s + a), tau for each channel by a
    softmax."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class TMaxAvgPool2d(_window_rank.TMaxAvgPool2d):
    """Apply T-Max-Avg pooling, maximum or top-k mean: y = x_(1) if x_(k) >= T, else (1/k) sum_{r<=k} x_(r)."""

    k: int
    threshold: float
    rule: Literal["all", "max", "mean"]
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        k: int = 3,
        threshold: float = 0.7,
        rule: Literal["all", "max", "mean"] = "all",
    ) -> None: ...

class TreePool2d(_window_gated.TreePool2d):
    """Apply tree pooling, a soft binary tree over filters; a leaf is v.x = sum_i v_i x_i, a node g left + (1 - g)
    right, g = logistic(w.x)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        levels: int = 2,
    ) -> None: ...

class UniversalPool2d(_window_universal.UniversalPool2d):
    """Apply universal pooling, a learned softmax by position: y = sum_k w_k x_k with w = softmax(A x + b), A and b
    of each channel."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class WaveletPool2d(_window_wavelets.WaveletPool2d):
    """Apply wavelet pooling, the low-low band of one level: y_i = sum_k h_k x_(first_i + k) / sum_k h_k, scaled to
    keep constants."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        *,
        wavelet: Literal["haar", "db2", "db3", "db4", "bior2.2"] = "haar",
        mode: Literal["symmetric", "reflect", "periodic"] = "symmetric",
    ) -> None: ...

class ADownPool1d(ADownPool2d):
    """Apply ADown (YOLOv9): means m of 2x2 values at stride 1, then (silu(norm(V m_1)), silu(norm(W max m_2))) as
    channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class ADownPool3d(ADownPool2d):
    """Apply ADown (YOLOv9): means m of 2x2 values at stride 1, then (silu(norm(V m_1)), silu(norm(W max m_2))) as
    channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class AdaPool1d(AdaPool2d):
    """Apply adaPool, a blend of two weighted means: y = beta y_eDSCW + (1 - beta) y_eM; y_eM is SoftPool and y_eDSCW
    = sum_i softmax(DSC(x_i, m))_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        beta: float = 0.5,
        learnable: bool = True,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class AdaPool3d(AdaPool2d):
    """Apply adaPool, a blend of two weighted means: y = beta y_eDSCW + (1 - beta) y_eM; y_eM is SoftPool and y_eDSCW
    = sum_i softmax(DSC(x_i, m))_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        beta: float = 0.5,
        learnable: bool = True,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class AdaptiveLowPassPool1d(AdaptiveLowPassPool2d):
    """Apply content-aware low-pass filtering (PASA): y_i = sum_k w_ik x_(i s + k), w_i by a softmax over k."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        filter_size: int = 3,
        groups: int = 1,
    ) -> None: ...

class AdaptiveLowPassPool3d(AdaptiveLowPassPool2d):
    """Apply content-aware low-pass filtering (PASA): y_i = sum_k w_ik x_(i s + k), w_i by a softmax over k."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        filter_size: int = 3,
        groups: int = 1,
    ) -> None: ...

class AvgPool1d(AvgPool2d):
    """Apply average pooling: y = (1/n) sum_i x_i, the same as `nn.AvgPool2d` to the last bit."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        count_include_pad: bool = True,
    ) -> None: ...

class AvgPool3d(AvgPool2d):
    """Apply average pooling: y = (1/n) sum_i x_i, the same as `nn.AvgPool2d` to the last bit."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        count_include_pad: bool = True,
    ) -> None: ...

class AvgTopKPool1d(AvgTopKPool2d):
    """Apply average top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        k: int = 2,
    ) -> None: ...

class AvgTopKPool3d(AvgTopKPool2d):
    """Apply average top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        k: int = 2,
    ) -> None: ...

class BinnedMaxPool1d(BinnedMaxPool2d):
    """Apply adaptive max pooling in place of windows: y_i = max of the bin floor(i H / h) to ceil((i + 1) H / h) -
    1."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class BinnedMaxPool3d(BinnedMaxPool2d):
    """Apply adaptive max pooling in place of windows: y_i = max of the bin floor(i H / h) to ceil((i + 1) H / h) -
    1."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class BlurPool1d(BlurPool2d):
    """Apply blur pooling, a binomial filter and a stride: y_i = sum_j b_j x_(i s + j - c) along each axis, b_j =
    binom(f - 1, j) / 2^(f - 1)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        filter_size: int = 4,
        padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
    ) -> None: ...

class BlurPool3d(BlurPool2d):
    """Apply blur pooling, a binomial filter and a stride: y_i = sum_j b_j x_(i s + j - c) along each axis, b_j =
    binom(f - 1, j) / 2^(f - 1)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        filter_size: int = 4,
        padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
    ) -> None: ...

class CombPool1d(CombPool2d):
    """Apply CombPool, a learned combination of two aggregations: y = w_1^2 A(x) + w_2^2 B(x), w for each channel."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        functions: Literal["avg+max", "avg+sugeno", "max+sugeno", "avg+dv_sugeno", "avg+choquet"] = "avg+max",
    ) -> None: ...

class CombPool3d(CombPool2d):
    """Apply CombPool, a learned combination of two aggregations: y = w_1^2 A(x) + w_2^2 B(x), w for each channel."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        functions: Literal["avg+max", "avg+sugeno", "max+sugeno", "avg+dv_sugeno", "avg+choquet"] = "avg+max",
    ) -> None: ...

class DetailPreservingPool1d(DetailPreservingPool2d):
    """Apply detail-preserving pooling (DPP): y = sum_i w_i x_i / sum_j w_j with w_i = alpha + (d_i / mean_j
    d_j)^(lambda / 2)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        variant: Literal["lite", "full"] = "lite",
        symmetric: bool = True,
    ) -> None: ...

class DetailPreservingPool3d(DetailPreservingPool2d):
    """Apply detail-preserving pooling (DPP): y = sum_i w_i x_i / sum_j w_j with w_i = alpha + (d_i / mean_j
    d_j)^(lambda / 2)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        variant: Literal["lite", "full"] = "lite",
        symmetric: bool = True,
    ) -> None: ...

class DiffStridePool1d(DiffStridePool2d):
    """Apply DiffStride, spectral pooling with a learned stride: y = Re F^-1(crop(m F x)) * elements out / elements
    in, m a ramp to the crop."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        smoothness: float = 4.0,
    ) -> None: ...

class DiffStridePool3d(DiffStridePool2d):
    """Apply DiffStride, spectral pooling with a learned stride: y = Re F^-1(crop(m F x)) * elements out / elements
    in, m a ramp to the crop."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        smoothness: float = 4.0,
    ) -> None: ...

class EntropyWeightedPool1d(EntropyWeightedPool2d):
    """Apply entropy-weighted pooling: y = sum_i w_i x_i with w_i = p_i log p_i / sum_j p_j log p_j and p_i = |x_i| /
    sum_j |x_j|."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class EntropyWeightedPool3d(EntropyWeightedPool2d):
    """Apply entropy-weighted pooling: y = sum_i w_i x_i with w_i = p_i log p_i / sum_j p_j log p_j and p_i = |x_i| /
    sum_j |x_j|."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class FractionalMaxPool1d(FractionalMaxPool2d):
    """Apply fractional max pooling: y_i = max(x_(a_i), ..., x_(a_i + k - 1)), a_i = floor(alpha (i + u)) -
    floor(alpha u)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        output_ratio: float | None = None,
        output_size: int | tuple[int, int] | None = None,
    ) -> None: ...

class FractionalMaxPool3d(FractionalMaxPool2d):
    """Apply fractional max pooling: y_i = max(x_(a_i), ..., x_(a_i + k - 1)), a_i = floor(alpha (i + u)) -
    floor(alpha u)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        output_ratio: float | None = None,
        output_size: int | tuple[int, int] | None = None,
    ) -> None: ...

class FrequencyLowCutPool1d(FrequencyLowCutPool2d):
    """Apply FrequencyLowCut pooling, free of aliasing: y = Re F^-1(crop(w F x)) * elements out / elements in."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        window: Literal["hamming"] | None = None,
    ) -> None: ...

class FrequencyLowCutPool3d(FrequencyLowCutPool2d):
    """Apply FrequencyLowCut pooling, free of aliasing: y = Re F^-1(crop(w F x)) * elements out / elements in."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        window: Literal["hamming"] | None = None,
    ) -> None: ...

class FuzzyIntegralPool1d(FuzzyIntegralPool2d):
    """Apply a fuzzy integral of the ranked values; m_r = (r / n)^power is the measure of the r largest of n."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        integral: Literal["sugeno", "dv_sugeno", "choquet"] = "sugeno",
        power: float = 2.0,
    ) -> None: ...

class FuzzyIntegralPool3d(FuzzyIntegralPool2d):
    """Apply a fuzzy integral of the ranked values; m_r = (r / n)^power is the measure of the r largest of n."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        integral: Literal["sugeno", "dv_sugeno", "choquet"] = "sugeno",
        power: float = 2.0,
    ) -> None: ...

class FuzzyPool1d(FuzzyPool2d):
    """Apply fuzzy pooling, the mean by membership: y = sum_i p(x_i) x_i / sum_i p(x_i)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        largest: float = 6.0,
    ) -> None: ...

class FuzzyPool3d(FuzzyPool2d):
    """Apply fuzzy pooling, the mean by membership: y = sum_i p(x_i) x_i / sum_i p(x_i)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        largest: float = 6.0,
    ) -> None: ...

class GatedPool1d(GatedPool2d):
    """Apply gated pooling, max and mean by a learned gate: y = g max_i x_i + (1 - g) mean_i x_i with g =
    logistic(sum_i w_i x_i)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class GatedPool3d(GatedPool2d):
    """Apply gated pooling, max and mean by a learned gate: y = g max_i x_i + (1 - g) mean_i x_i with g =
    logistic(sum_i w_i x_i)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class GaussianPool1d(GaussianPool2d):
    """Apply Gaussian pooling (iSP, guided by global features): y = m + softplus(mu + noise sigma e) d, m and d the
    window's mean and deviation."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        generator: torch.Generator | None = None,
        spread: Literal["window", "channel"] = "window",
        noise: float = 1.0,
    ) -> None: ...

class GaussianPool3d(GaussianPool2d):
    """Apply Gaussian pooling (iSP, guided by global features): y = m + softplus(mu + noise sigma e) d, m and d the
    window's mean and deviation."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        generator: torch.Generator | None = None,
        spread: Literal["window", "channel"] = "window",
        noise: float = 1.0,
    ) -> None: ...

class GeMPool1d(GeMPool2d):
    """Apply generalized-mean pooling (GeM): y = ((1/n) sum_i max(x_i, eps)^p)^(1/p)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        p: float = 3.0,
        learnable: bool = True,
        per_channel: bool = False,
        eps: float = 1e-06,
    ) -> None: ...

class GeMPool3d(GeMPool2d):
    """Apply generalized-mean pooling (GeM): y = ((1/n) sum_i max(x_i, eps)^p)^(1/p)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        p: float = 3.0,
        learnable: bool = True,
        per_channel: bool = False,
        eps: float = 1e-06,
    ) -> None: ...

class HaarWaveletPool1d(HaarWaveletPool2d):
    """Apply Haar wavelet downsampling (HWD): y = relu(norm(W (LL, LH, HL, HH) + b)), all bands of one level as
    channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class HaarWaveletPool3d(HaarWaveletPool2d):
    """Apply Haar wavelet downsampling (HWD): y = relu(norm(W (LL, LH, HL, HH) + b)), all bands of one level as
    channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class LIPPool1d(LIPPool2d):
    """Apply local importance pooling (LIP): y = sum_i exp(l_i) x_i / sum_j exp(l_j), with a network's logits l =
    G(x)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        logit: Literal["simplified", "bottleneck"] = "simplified",
    ) -> None: ...

class LIPPool3d(LIPPool2d):
    """Apply local importance pooling (LIP): y = sum_i exp(l_i) x_i / sum_j exp(l_j), with a network's logits l =
    G(x)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        logit: Literal["simplified", "bottleneck"] = "simplified",
    ) -> None: ...

class LSEPool1d(LSEPool2d):
    """Apply log-sum-exp pooling, a smooth maximum: y = (1/r) log((1/n) sum_i exp(r x_i)), the mean form, which keeps
    constants."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        r: float = 10.0,
        learnable: bool = False,
    ) -> None: ...

class LSEPool3d(LSEPool2d):
    """Apply log-sum-exp pooling, a smooth maximum: y = (1/r) log((1/n) sum_i exp(r x_i)), the mean form, which keeps
    constants."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        r: float = 10.0,
        learnable: bool = False,
    ) -> None: ...

class LearnedPolyphasePool1d(LearnedPolyphasePool2d):
    """Apply learnable polyphase sampling (LPS); in evaluation y_i = x_(i s + a) with the offsets a of the largest
    logit l_a."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        generator: torch.Generator | None = None,
        hidden: int | None = None,
        temperature: float = 1.0,
        filter_size: int | None = None,
    ) -> None: ...

class LearnedPolyphasePool3d(LearnedPolyphasePool2d):
    """Apply learnable polyphase sampling (LPS); in evaluation y_i = x_(i s + a) with the offsets a of the largest
    logit l_a."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        generator: torch.Generator | None = None,
        hidden: int | None = None,
        temperature: float = 1.0,
        filter_size: int | None = None,
    ) -> None: ...

class LehmerPool1d(LehmerPool2d):
    """Apply Lehmer-mean pooling: y = sum_i x_i^(a+1) / sum_i x_i^a over the positive values."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        a: float = 1.0,
        learnable: bool = False,
    ) -> None: ...

class LehmerPool3d(LehmerPool2d):
    """Apply Lehmer-mean pooling: y = sum_i x_i^(a+1) / sum_i x_i^a over the positive values."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        a: float = 1.0,
        learnable: bool = False,
    ) -> None: ...

class LiftDownPool1d(LiftDownPool2d):
    """Apply LiftDownPool, a learned lifting scheme: along each axis d = x_odd - P(x_even), s = x_even + U(d); y is
    the sum of all bands."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        filter_size: int = 3,
    ) -> None: ...

class LiftDownPool3d(LiftDownPool2d):
    """Apply LiftDownPool, a learned lifting scheme: along each axis d = x_odd - P(x_even), s = x_even + U(d); y is
    the sum of all bands."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        filter_size: int = 3,
    ) -> None: ...

class LpPool1d(LpPool2d):
    """Apply Lp pooling, the power mean of absolute values: y = ((1/n) sum_i |x_i|^p)^(1/p)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        p: float = 2.0,
        norm: Literal["mean", "sum"] = "mean",
        learnable: bool = False,
    ) -> None: ...

class LpPool3d(LpPool2d):
    """Apply Lp pooling, the power mean of absolute values: y = ((1/n) sum_i |x_i|^p)^(1/p)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        p: float = 2.0,
        norm: Literal["mean", "sum"] = "mean",
        learnable: bool = False,
    ) -> None: ...

class MAMPool1d(MAMPool2d):
    """Apply max-average-min pooling (MAM): y = max - min where max - min > mean, and (max + mean) / 2 elsewhere."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MAMPool3d(MAMPool2d):
    """Apply max-average-min pooling (MAM): y = max - min where max - min > mean, and (max + mean) / 2 elsewhere."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MaxBlurPool1d(MaxBlurPool2d):
    """Apply max-blur pooling, maxima at stride 1 and a blur: y_i = sum_j b_j m_(i s + j - c) with m_l the maximum of
    window l."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        filter_size: int = 3,
        padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
    ) -> None: ...

class MaxBlurPool3d(MaxBlurPool2d):
    """Apply max-blur pooling, maxima at stride 1 and a blur: y_i = sum_j b_j m_(i s + j - c) with m_l the maximum of
    window l."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        filter_size: int = 3,
        padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
    ) -> None: ...

class MaxDropoutPool1d(MaxDropoutPool2d):
    """Apply max pooling with dropout of values; in training the maximum of those kept, each with probability p, P(y
    = x_(r)) = p (1 - p)^(r-1)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        retain: float = 0.5,
    ) -> None: ...

class MaxDropoutPool3d(MaxDropoutPool2d):
    """Apply max pooling with dropout of values; in training the maximum of those kept, each with probability p, P(y
    = x_(r)) = p (1 - p)^(r-1)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        retain: float = 0.5,
    ) -> None: ...

class MaxPool1d(MaxPool2d):
    """Apply max pooling: y = max_i x_i, the same as `nn.MaxPool2d` to the last bit."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MaxPool3d(MaxPool2d):
    """Apply max pooling: y = max_i x_i, the same as `nn.MaxPool2d` to the last bit."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MedianPool1d(MedianPool2d):
    """Apply median pooling: y = x_((n+1)/2) for an odd number n of values and (x_(n/2) + x_(n/2+1)) / 2 for an even
    one."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MedianPool3d(MedianPool2d):
    """Apply median pooling: y = x_((n+1)/2) for an odd number n of values and (x_(n/2) + x_(n/2+1)) / 2 for an even
    one."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MinPool1d(MinPool2d):
    """Apply min pooling: y = min_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MinPool3d(MinPool2d):
    """Apply min pooling: y = min_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class MixedPool1d(MixedPool2d):
    """Apply mixed pooling, a blend of maximum and mean: y = alpha max_i x_i + (1 - alpha) (1/n) sum_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        alpha: float = 0.7,
        learnable: bool = False,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class MixedPool3d(MixedPool2d):
    """Apply mixed pooling, a blend of maximum and mean: y = alpha max_i x_i + (1 - alpha) (1/n) sum_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        alpha: float = 0.7,
        learnable: bool = False,
        sharing: Literal["layer", "channel"] = "layer",
    ) -> None: ...

class MixedRandomPool1d(MixedRandomPool2d):
    """Apply mixed pooling by a draw, maximum or mean: y = z max_i x_i + (1 - z) (1/n) sum_i x_i with z = 1 with
    probability p, else 0."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        p: float = 0.5,
        sharing: Literal["layer", "channel", "region"] = "layer",
        eval_mode: Literal["majority", "expectation"] = "majority",
    ) -> None: ...

class MixedRandomPool3d(MixedRandomPool2d):
    """Apply mixed pooling by a draw, maximum or mean: y = z max_i x_i + (1 - z) (1/n) sum_i x_i with z = 1 with
    probability p, else 0."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        p: float = 0.5,
        sharing: Literal["layer", "channel", "region"] = "layer",
        eval_mode: Literal["majority", "expectation"] = "majority",
    ) -> None: ...

class OrdinalPool1d(OrdinalPool2d):
    """Apply ordinal pooling, learned weights by rank: y = sum_r w_r x_(r) with w = softmax(logits)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        init: Literal["uniform", "avg", "max"] = "uniform",
        sharing: Literal["channel", "layer"] = "channel",
    ) -> None: ...

class OrdinalPool3d(OrdinalPool2d):
    """Apply ordinal pooling, learned weights by rank: y = sum_r w_r x_(r) with w = softmax(logits)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        init: Literal["uniform", "avg", "max"] = "uniform",
        sharing: Literal["channel", "layer"] = "channel",
    ) -> None: ...

class PolyphasePool1d(PolyphasePool2d):
    """Apply adaptive polyphase sampling (APS): y_i = x_(i s + a) with the offsets a for which the norm of y is
    largest."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"] = "l2",
        filter_size: int | None = None,
    ) -> None: ...

class PolyphasePool3d(PolyphasePool2d):
    """Apply adaptive polyphase sampling (APS): y_i = x_(i s + a) with the offsets a for which the norm of y is
    largest."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"] = "l2",
        filter_size: int | None = None,
    ) -> None: ...

class RankAvgPool1d(RankAvgPool2d):
    """Apply rank-based average pooling (RAP): y = (1/t) sum_{r<=t} x_(r), the same function as `avg_topk`, published
    earlier."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        t: int = 2,
    ) -> None: ...

class RankAvgPool3d(RankAvgPool2d):
    """Apply rank-based average pooling (RAP): y = (1/t) sum_{r<=t} x_(r), the same function as `avg_topk`, published
    earlier."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        t: int = 2,
    ) -> None: ...

class RankStochasticPool1d(RankStochasticPool2d):
    """Apply rank-based stochastic pooling (RSP); in training the value of a drawn rank, P(r) = p_r / sum_s p_s, p as
    in RWP."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        alpha: float = 0.5,
    ) -> None: ...

class RankStochasticPool3d(RankStochasticPool2d):
    """Apply rank-based stochastic pooling (RSP); in training the value of a drawn rank, P(r) = p_r / sum_s p_s, p as
    in RWP."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        alpha: float = 0.5,
    ) -> None: ...

class RankWeightedPool1d(RankWeightedPool2d):
    """Apply rank-based weighted pooling (RWP): y = sum_r p_r x_(r) with p_r = alpha (1 - alpha)^(r-1)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        alpha: float = 0.5,
        normalize: bool = True,
    ) -> None: ...

class RankWeightedPool3d(RankWeightedPool2d):
    """Apply rank-based weighted pooling (RWP): y = sum_r p_r x_(r) with p_r = alpha (1 - alpha)^(r-1)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        alpha: float = 0.5,
        normalize: bool = True,
    ) -> None: ...

class S3Pool1d(S3Pool2d):
    """Apply S3 pooling, a stochastic stride after maxima; in training window maxima in drawn rows and columns, in
    evaluation their means."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        grid_size: int | None = None,
    ) -> None: ...

class S3Pool3d(S3Pool2d):
    """Apply S3 pooling, a stochastic stride after maxima; in training window maxima in drawn rows and columns, in
    evaluation their means."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
        grid_size: int | None = None,
    ) -> None: ...

class SoftPool1d(SoftPool2d):
    """Apply SoftPool, the softmax-weighted mean: y = sum_i w_i x_i with w_i = exp(x_i/T) / sum_j exp(x_j/T)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        temperature: float = 1.0,
        learnable: bool = False,
    ) -> None: ...

class SoftPool3d(SoftPool2d):
    """Apply SoftPool, the softmax-weighted mean: y = sum_i w_i x_i with w_i = exp(x_i/T) / sum_j exp(x_j/T)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        temperature: float = 1.0,
        learnable: bool = False,
    ) -> None: ...

class SpaceToDepth1d(SpaceToDepth2d):
    """Apply space to depth and a 1x1 convolution: y = b + W (x_c1 ... x_cn for all c), the window's values side by
    side as channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        project: bool = True,
    ) -> None: ...

class SpaceToDepth3d(SpaceToDepth2d):
    """Apply space to depth and a 1x1 convolution: y = b + W (x_c1 ... x_cn for all c), the window's values side by
    side as channels."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        project: bool = True,
    ) -> None: ...

class SpectralPool1d(SpectralPool2d):
    """Apply spectral pooling, the low frequencies: y = Re F^-1(crop(F x)) * elements out / elements in, F the
    discrete Fourier transform."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class SpectralPool3d(SpectralPool2d):
    """Apply spectral pooling, the low frequencies: y = Re F^-1(crop(F x)) * elements out / elements in, F the
    discrete Fourier transform."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class StochasticPool1d(StochasticPool2d):
    """Apply stochastic pooling; in training x_l with l drawn by p_i = x_i / sum_j x_j, in evaluation sum_i x_i^2 /
    sum_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
    ) -> None: ...

class StochasticPool3d(StochasticPool2d):
    """Apply stochastic pooling; in training x_l with l drawn by p_i = x_i / sum_j x_j, in evaluation sum_i x_i^2 /
    sum_i x_i."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        generator: torch.Generator | None = None,
    ) -> None: ...

class StridedConv1d(StridedConv2d):
    """Apply a strided convolution in place of a pooling: y = b + sum_c sum_i w_ci x_ci."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        groups: int = 1,
        bias: bool = True,
    ) -> None: ...

class StridedConv3d(StridedConv2d):
    """Apply a strided convolution in place of a pooling: y = b + sum_c sum_i w_ci x_ci."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
        groups: int = 1,
        bias: bool = True,
    ) -> None: ...

class Subsample1d(Subsample2d):
    """Apply plain subsampling; output (i, j) is the element (i * stride, j * stride), or the last one where that
    lies outside."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class Subsample3d(Subsample2d):
    """Apply plain subsampling; output (i, j) is the element (i * stride, j * stride), or the last one where that
    lies outside."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
    ) -> None: ...

class TIPSPool1d(TIPSPool2d):
    """Apply translation invariant polyphase sampling: y_i = sum_a tau_a x_(i s + a), tau for each channel by a
    softmax."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class TIPSPool3d(TIPSPool2d):
    """Apply translation invariant polyphase sampling: y_i = sum_a tau_a x_(i s + a), tau for each channel by a
    softmax."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class TMaxAvgPool1d(TMaxAvgPool2d):
    """Apply T-Max-Avg pooling, maximum or top-k mean: y = x_(1) if x_(k) >= T, else (1/k) sum_{r<=k} x_(r)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        k: int = 3,
        threshold: float = 0.7,
        rule: Literal["all", "max", "mean"] = "all",
    ) -> None: ...

class TMaxAvgPool3d(TMaxAvgPool2d):
    """Apply T-Max-Avg pooling, maximum or top-k mean: y = x_(1) if x_(k) >= T, else (1/k) sum_{r<=k} x_(r)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        k: int = 3,
        threshold: float = 0.7,
        rule: Literal["all", "max", "mean"] = "all",
    ) -> None: ...

class TreePool1d(TreePool2d):
    """Apply tree pooling, a soft binary tree over filters; a leaf is v.x = sum_i v_i x_i, a node g left + (1 - g)
    right, g = logistic(w.x)."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        levels: int = 2,
    ) -> None: ...

class TreePool3d(TreePool2d):
    """Apply tree pooling, a soft binary tree over filters; a leaf is v.x = sum_i v_i x_i, a node g left + (1 - g)
    right, g = logistic(w.x)."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        levels: int = 2,
    ) -> None: ...

class UniversalPool1d(UniversalPool2d):
    """Apply universal pooling, a learned softmax by position: y = sum_k w_k x_k with w = softmax(A x + b), A and b
    of each channel."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class UniversalPool3d(UniversalPool2d):
    """Apply universal pooling, a learned softmax by position: y = sum_k w_k x_k with w = softmax(A x + b), A and b
    of each channel."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int,
    ) -> None: ...

class WaveletPool1d(WaveletPool2d):
    """Apply wavelet pooling, the low-low band of one level: y_i = sum_k h_k x_(first_i + k) / sum_k h_k, scaled to
    keep constants."""

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int] = 1,
        ceil_mode: bool = False,
        *,
        wavelet: Literal["haar", "db2", "db3", "db4", "bior2.2"] = "haar",
        mode: Literal["symmetric", "reflect", "periodic"] = "symmetric",
    ) -> None: ...

class WaveletPool3d(WaveletPool2d):
    """Apply wavelet pooling, the low-low band of one level: y_i = sum_k h_k x_(first_i + k) / sum_k h_k, scaled to
    keep constants."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int, int] = 1,
        ceil_mode: bool = False,
        *,
        wavelet: Literal["haar", "db2", "db3", "db4", "bior2.2"] = "haar",
        mode: Literal["symmetric", "reflect", "periodic"] = "symmetric",
    ) -> None: ...
