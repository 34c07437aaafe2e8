"""Poolings in the frequency domain: keep the low frequencies of the whole map, drop the rest."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.open_sizes import is_open
from poolab.pooling.core.options import Choice
from poolab.pooling.core.windows import Windows, compute_dtype
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

WHOLE_MAP = {  # what no method of the whole map can promise
    "nan": "each output is a sum over the whole map, so a NaN reaches all of its map's outputs",
    "infinities": "each output is a sum over the whole map with weights of both signs: inf - inf is NaN",
    "memory": "the Fourier transform of one dimension holds complex numbers, two for each element",
}


def frequencies(length: int, out: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the frequencies 0, 1, ... that maps of both lengths have, and how many bins of the spectrum each of them
    is.

    A frequency p is the two bins p and -p, but 0 is one, and so is the input's own Nyquist frequency length / 2.
    """
    # float64, which Apple's GPUs lack, so that the weights are right to the precision of any input.
    dtype = torch.float32 if device.type == "mps" else torch.float64
    shorter = torch.sym_min(length, out) if is_open(length, out) else min(length, out)
    places = torch.arange(shorter // 2 + 1, device=device, dtype=dtype)
    return places, torch.where((places == 0) | (2 * places == length), 1.0, 2.0).to(dtype)


def low_pass(input: Tensor, sizes: Sequence[int], weights: Sequence[Tensor]) -> Tensor:
    """Transform, weight each axis's frequencies 0, 1, ..., drop those above, transform back to `sizes`.

    A weight stands for all bins of its frequency; with 1 for frequency 0 a constant stays. In float32 for narrower
    dtypes. Weighting and dropping go axis by axis. Along an axis they are one real matrix, which the FFT does not
    beat before the axis has about 1000 elements: forward and backward on one core 19 against 98 ms for 64x64x32x32, 88
    against 264 ms for 2x64x224x224, 251 against 227 ms for 1x4x1024x1024. But a matrix is not made where it would be
    larger than a map, as in one dimension: 1024 elements 89 against 24 ms.
    """
    output = input.to(compute_dtype(input.dtype))
    device, elements = input.device.type, math.prod(input.shape[2:])
    # A matrix in bfloat16 would not even keep a constant.
    exact = torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
    with exact:
        for axis, (out, weight) in reversed(list(enumerate(zip(sizes, weights, strict=True), start=2))):
            # torch 2.14's FFT refuses an empty batch on the CPU ("Inconsistent configuration parameters", oneMKL).
            small = is_open(output.shape[axis], out) or output.shape[axis] * out <= elements or output.numel() == 0
            along = by_matrix if small else by_fft
            output = along(output, axis, out, weight)
    return output.contiguous()


def by_matrix(input: Tensor, axis: int, out: int, weights: Tensor) -> Tensor:
    """Compute `low_pass` along one axis by M_ij = 1/length sum_p weight_p cos(2 pi p (i/out - j/length))."""
    places = torch.arange(weights.shape[0], device=weights.device, dtype=weights.dtype)
    length = input.shape[axis]
    ahead, back = _turns(out, places), _turns(length, places)
    matrix = (ahead.cos() * weights) @ back.cos().T + (ahead.sin() * weights) @ back.sin().T
    matrix = (matrix / length).to(input.dtype)
    if axis == input.dim() - 1:
        return input @ matrix.T
    if is_open(length, out):  # a matrix times maps would ask which of both is larger
        return (input.transpose(axis, -1) @ matrix.T).transpose(axis, -1)
    shape = (*input.shape[:axis], out, *input.shape[axis + 1 :])
    return (matrix @ input.flatten(axis + 1)).reshape(shape)


def by_fft(input: Tensor, axis: int, out: int, weights: Tensor) -> Tensor:
    """Compute `low_pass` along one axis by the fast Fourier transform of a real line."""
    places = torch.arange(weights.shape[0], device=weights.device)
    # The inverse counts a bin twice, for p and -p, but that of frequency 0 and of the output's Nyquist frequency once.
    once = (places == 0) | (2 * places == out)
    scale = weights / torch.where(once, 1.0, 2.0) * (out / input.shape[axis])
    spectrum = torch.fft.rfft(input, dim=axis).narrow(axis, 0, weights.shape[0])
    weighted = spectrum * scale.to(input.dtype).view(-1, *[1] * (input.dim() - 1 - axis))
    return torch.fft.irfft(weighted, n=out, dim=axis)


def _turns(length: int, places: Tensor) -> Tensor:
    """Return the angles 2 pi p i / length, (length, p); whole turns are taken off while the numbers are whole."""
    positions = torch.arange(length, device=places.device, dtype=places.dtype)
    return (positions[:, None] * places) % length * (2 * math.pi / length)


@register("spectral")
class SpectralPool2d(WindowPool2d):
    """Apply spectral pooling, the low frequencies: y = Re F^-1(crop(F x)) * elements out / elements in, F the discrete
    Fourier transform.

    The crop is the centred block of the output's size. So y is the map without its frequencies above the output's
    Nyquist frequency, sampled at i * (size in / size out): a constant stays that constant and a cosine up to that
    frequency stays that cosine, for odd and even sizes. The map counts as periodic, and y may ring beyond the input's
    range. The geometry says the output's size and nothing more; padding and dilation have no other effect. An output
    larger than its input (padding can ask for it) is the trigonometric interpolation, the spectrum filled with zeros.

    An even output has one bin for its two Nyquist frequencies, +n/2 and -n/2: it holds the sum of both, so that the
    cosine of that frequency keeps its size and y is real. The frequency dropout of the paper is left out.

    Example:
        >>> import torch
        >>> x = torch.cos(2 * torch.pi * torch.arange(10.0) / 10)  # one period, on 10 elements and then on 5
        >>> y = SpectralPool2d(2)(x.expand(1, 10, 10))[0, 0]
        >>> torch.allclose(y, torch.cos(2 * torch.pi * torch.arange(5.0) / 5), atol=1e-6)
        True
    """

    reference = Reference("Rippel, Snoek, Adams", 2015, "arXiv:1506.03767")
    positional = True
    exempt = WHOLE_MAP
    disagreements = (
        "google-research/diffstride (FixedSpectralPooling) does not rescale: a constant comes out multiplied by "
        "elements in / elements out, 4 for 8x8 to 4x4; it rounds the kept size down to an even one, at least 2.",
        "The paper, as diffstride, sets what is not real in the Nyquist bins to zero; the cosine of the new Nyquist "
        "frequency then comes out at half its size, relative to the others.",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Transform, crop to the low frequencies, transform back."""
        lengths = zip(windows.sizes, windows.output_size, strict=True)
        weights = [frequencies(length, out, windows.input.device)[1] for length, out in lengths]
        return low_pass(windows.input, windows.output_size, weights)


@register("flc")
class FrequencyLowCutPool2d(WindowPool2d):
    """Apply FrequencyLowCut pooling, free of aliasing: y = Re F^-1(crop(w F x)) * elements out / elements in.

    As `SpectralPool2d`, with two differences. The crop is one-sided, as in the published code: of the two frequencies
    that an even output cannot tell apart, -n/2 and +n/2, it keeps -n/2 alone, and the real part of that is half of
    their sum along each axis; `spectral` keeps their sum. For an odd output, and for frequencies below, both are the
    same. And the spectrum may be weighted before the crop, against ringing: `window="hamming"` is ASAP (Grabinski,
    Keuper, Keuper 2023, arXiv:2307.09804), per axis w_p = sqrt(0.54 + 0.46 cos(pi p / P)) with P the input's highest
    frequency, so that their product is the square root of the outer product. It is 1 at frequency 0, hence a constant
    stays. The geometry says the output's size and nothing more; published is the stride 2.

    Args:
        window: None, or "hamming" for ASAP.

    Example:
        >>> import torch
        >>> FrequencyLowCutPool2d(2)(torch.ones(1, 14, 14)).shape  # 14 and 6 are where the published code fails
        torch.Size([1, 7, 7])
    """

    reference = Reference("Grabinski, Jung, Keuper, Keuper", 2022, "arXiv:2204.00491")
    positional = True
    window: str | None
    options = {"window": Choice(None, (None, "hamming"))}
    exempt = WHOLE_MAP
    disagreements = (
        "GeJulia/flc_pooling crops [n/4, 3n/4) of the shifted spectrum: for n = 2 mod 4 (6, 10, 14) frequency 0 is off "
        "its place by one and a constant becomes a wave; odd sizes give 7 -> 4 but 5 -> 2; its first version returns "
        "the absolute value.",
        "GeJulia/flc_pooling (asap.py) takes numpy.hamming(n), whose middle is between two bins for even n: a constant "
        "is multiplied by 0.954 for n = 8, and the imaginary part is dropped; it is made once, for the first size.",
        "Where the published crop is right (multiples of 4), it differs from this one in the corner bin (-n/2, -m/2): "
        "it holds half of two of the four corners, here a quarter of all four, which does not prefer a diagonal.",
    )

    @staticmethod
    def formula(windows: Windows, window: str | None = None) -> Tensor:
        """Transform, weight, crop to the low frequencies, transform back."""
        weights = []
        for length, out in zip(windows.sizes, windows.output_size, strict=True):
            places, bins = frequencies(length, out, windows.input.device)
            weight = torch.where((places > 0) & (2 * places == out), 1.0, bins)
            if window == "hamming":
                highest: Any = torch.sym_max(length // 2, 1) if is_open(length) else max(length // 2, 1)
                weight = weight * (0.54 + 0.46 * (math.pi / highest * places).cos()).sqrt()
            weights.append(weight)
        return low_pass(windows.input, windows.output_size, weights)
