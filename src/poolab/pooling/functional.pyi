# Made by `python -m poolab.catalogue stubs` from the classes; to change this file, change the class.

from typing import Literal

import torch
from torch import Tensor

from poolab.pooling.core.base import has_twin as has_twin

def adapool_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    beta: float = 0.5,
) -> Tensor: ...
def adapool_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    beta: float = 0.5,
) -> Tensor: ...
def adapool_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    beta: float = 0.5,
) -> Tensor: ...
def adaptive_avg_pool2d(
    input: Tensor,
    *,
    output_size: int | tuple[int, int] = 1,
) -> Tensor: ...
def adaptive_max_pool2d(
    input: Tensor,
    *,
    output_size: int | tuple[int, int] = 1,
) -> Tensor: ...
def aps_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"] = "l2",
    filter_size: int | None = None,
) -> Tensor: ...
def aps_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"] = "l2",
    filter_size: int | None = None,
) -> Tensor: ...
def aps_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    norm: Literal["l2", "l1", "linf", "l2_min", "l1_min"] = "l2",
    filter_size: int | None = None,
) -> Tensor: ...
def avg_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = True,
) -> Tensor: ...
def avg_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = True,
) -> Tensor: ...
def avg_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = True,
) -> Tensor: ...
def avg_topk_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    k: int = 2,
) -> Tensor: ...
def avg_topk_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    k: int = 2,
) -> Tensor: ...
def avg_topk_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    k: int = 2,
) -> Tensor: ...
def bilinear_pool2d(
    input: Tensor,
    *,
    normalize: bool = True,
) -> Tensor: ...
def binned_max_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def binned_max_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def binned_max_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def blur_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    filter_size: int = 4,
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
) -> Tensor: ...
def blur_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    filter_size: int = 4,
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
) -> Tensor: ...
def blur_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    filter_size: int = 4,
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
) -> Tensor: ...
def flc_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    window: Literal["hamming"] | None = None,
) -> Tensor: ...
def flc_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    window: Literal["hamming"] | None = None,
) -> Tensor: ...
def flc_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    window: Literal["hamming"] | None = None,
) -> Tensor: ...
def fractional_max_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    output_ratio: float | None = None,
    output_size: int | tuple[int, int] | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    output_ratio: float | None = None,
    output_size: int | tuple[int, int] | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    output_ratio: float | None = None,
    output_size: int | tuple[int, int] | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def fuzzy_integral_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    integral: Literal["sugeno", "dv_sugeno", "choquet"] = "sugeno",
    power: float = 2.0,
) -> Tensor: ...
def fuzzy_integral_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    integral: Literal["sugeno", "dv_sugeno", "choquet"] = "sugeno",
    power: float = 2.0,
) -> Tensor: ...
def fuzzy_integral_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    integral: Literal["sugeno", "dv_sugeno", "choquet"] = "sugeno",
    power: float = 2.0,
) -> Tensor: ...
def fuzzy_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    largest: float = 6.0,
) -> Tensor: ...
def fuzzy_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    largest: float = 6.0,
) -> Tensor: ...
def fuzzy_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    largest: float = 6.0,
) -> Tensor: ...
def gem_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 3.0,
    eps: float = 1e-06,
) -> Tensor: ...
def gem_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 3.0,
    eps: float = 1e-06,
) -> Tensor: ...
def gem_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 3.0,
    eps: float = 1e-06,
) -> Tensor: ...
def global_avg_pool2d(input: Tensor) -> Tensor: ...
def global_avgmax_pool2d(
    input: Tensor,
    *,
    mode: Literal["mean", "cat"] = "mean",
) -> Tensor: ...
def global_gem_pool2d(
    input: Tensor,
    *,
    p: float = 3.0,
    eps: float = 1e-06,
) -> Tensor: ...
def global_lp_pool2d(
    input: Tensor,
    *,
    p: float = 2.0,
    norm: Literal["mean", "sum"] = "mean",
) -> Tensor: ...
def global_lse_pool2d(
    input: Tensor,
    *,
    r: float = 10.0,
) -> Tensor: ...
def global_max_pool2d(input: Tensor) -> Tensor: ...
def global_topk_pool2d(
    input: Tensor,
    *,
    k: int = 8,
    share: float | None = None,
) -> Tensor: ...
def inter_map_pool2d(
    input: Tensor,
    *,
    groups: int = 2,
) -> Tensor: ...
def lehmer_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    a: float = 1.0,
) -> Tensor: ...
def lehmer_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    a: float = 1.0,
) -> Tensor: ...
def lehmer_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    a: float = 1.0,
) -> Tensor: ...
def lp_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 2.0,
    norm: Literal["mean", "sum"] = "mean",
) -> Tensor: ...
def lp_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 2.0,
    norm: Literal["mean", "sum"] = "mean",
) -> Tensor: ...
def lp_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 2.0,
    norm: Literal["mean", "sum"] = "mean",
) -> Tensor: ...
def lse_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    r: float = 10.0,
) -> Tensor: ...
def lse_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    r: float = 10.0,
) -> Tensor: ...
def lse_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    r: float = 10.0,
) -> Tensor: ...
def mam_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def mam_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def mam_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def max_blur_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    filter_size: int = 3,
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
) -> Tensor: ...
def max_blur_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    filter_size: int = 3,
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
) -> Tensor: ...
def max_blur_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    filter_size: int = 3,
    padding_mode: Literal["reflect", "replicate", "circular", "zeros"] = "reflect",
) -> Tensor: ...
def max_dropout_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    retain: float = 0.5,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def max_dropout_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    retain: float = 0.5,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def max_dropout_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    retain: float = 0.5,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def max_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def max_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def max_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def median_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def median_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def median_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def min_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def min_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def min_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def mixed_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.7,
) -> Tensor: ...
def mixed_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.7,
) -> Tensor: ...
def mixed_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.7,
) -> Tensor: ...
def mixed_random_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 0.5,
    sharing: Literal["layer", "channel", "region"] = "layer",
    eval_mode: Literal["majority", "expectation"] = "majority",
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def mixed_random_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 0.5,
    sharing: Literal["layer", "channel", "region"] = "layer",
    eval_mode: Literal["majority", "expectation"] = "majority",
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def mixed_random_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    p: float = 0.5,
    sharing: Literal["layer", "channel", "region"] = "layer",
    eval_mode: Literal["majority", "expectation"] = "majority",
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def pixel_pyramid_pool2d(
    input: Tensor,
    *,
    windows: tuple[int, ...] | list[int] = (27, 9, 3, 1),
    mode: Literal["max", "avg"] = "max",
) -> Tensor: ...
def rank_avg_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    t: int = 2,
) -> Tensor: ...
def rank_avg_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    t: int = 2,
) -> Tensor: ...
def rank_avg_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    t: int = 2,
) -> Tensor: ...
def rank_stochastic_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.5,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def rank_stochastic_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.5,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def rank_stochastic_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.5,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def rank_weighted_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.5,
    normalize: bool = True,
) -> Tensor: ...
def rank_weighted_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.5,
    normalize: bool = True,
) -> Tensor: ...
def rank_weighted_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    alpha: float = 0.5,
    normalize: bool = True,
) -> Tensor: ...
def s3_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    grid_size: int | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def s3_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    grid_size: int | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def s3_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    grid_size: int | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def softpool_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    temperature: float = 1.0,
) -> Tensor: ...
def softpool_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    temperature: float = 1.0,
) -> Tensor: ...
def softpool_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    temperature: float = 1.0,
) -> Tensor: ...
def spectral_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def spectral_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def spectral_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def spp_pool2d(
    input: Tensor,
    *,
    levels: tuple[int, ...] | list[int] = (1, 2, 4),
    mode: Literal["max", "avg"] = "max",
) -> Tensor: ...
def stochastic_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def stochastic_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def stochastic_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor: ...
def subsample_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def subsample_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def subsample_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def superpixel_pool2d(
    input: Tensor,
    *,
    reduction: Literal["max", "mean"] = "max",
    regions: int | None = None,
    grid: int | tuple[int, int] = 2,
    labels: Tensor | None = None,
) -> Tensor: ...
def t_max_avg_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    k: int = 3,
    threshold: float = 0.7,
    rule: Literal["all", "max", "mean"] = "all",
) -> Tensor: ...
def t_max_avg_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    k: int = 3,
    threshold: float = 0.7,
    rule: Literal["all", "max", "mean"] = "all",
) -> Tensor: ...
def t_max_avg_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    k: int = 3,
    threshold: float = 0.7,
    rule: Literal["all", "max", "mean"] = "all",
) -> Tensor: ...
def wavelet_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    *,
    wavelet: Literal["haar", "db2", "db3", "db4", "bior2.2"] = "haar",
    mode: Literal["symmetric", "reflect", "periodic"] = "symmetric",
) -> Tensor: ...
def wavelet_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    *,
    wavelet: Literal["haar", "db2", "db3", "db4", "bior2.2"] = "haar",
    mode: Literal["symmetric", "reflect", "periodic"] = "symmetric",
) -> Tensor: ...
def wavelet_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    *,
    wavelet: Literal["haar", "db2", "db3", "db4", "bior2.2"] = "haar",
    mode: Literal["symmetric", "reflect", "periodic"] = "symmetric",
) -> Tensor: ...
def weighted_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def weighted_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
def weighted_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
) -> Tensor: ...
