"""Measure the speed of a network: latency of a small batch, throughput of a large one."""

from contextlib import nullcontext
from time import perf_counter

import torch
from torch import nn

from poolab.measure.module_state import device_of, preserve_state

MIN_ROUNDS = 3  # timed calls, however slow they are


def inference_speed(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    batch_size: int = 1,
    device: torch.device | str | None = None,
    warmup: int = 3,
    rounds: int = 50,
    seconds: float = 2.0,
    autocast: torch.dtype | None = None,
    channels_last: bool = False,
) -> dict[str, float]:
    """Time the network on batches of random images in eval and inference mode, after a warm-up.

    Each call is timed by itself, on CUDA between two synchronisations. It stops after `rounds` calls or `seconds`,
    whichever comes first, but not before 3 calls. The model and torch's generators are left as they were.

    Args:
        model: any network for images.
        image_shape: (C, H, W) of one image.
        batch_size: images in a call.
        device: where to run; None is the model's device. The model is moved back afterwards.
        warmup: calls before the first that is timed (fewer where they alone use up `seconds`, but one).
        rounds: timed calls at most.
        seconds: time for the warm-up, and again for the timed calls.
        autocast: the dtype of mixed precision, e.g. torch.bfloat16; None runs in the model's own.
        channels_last: the memory format of the images.

    Returns:
        batch_size, rounds, latency_ms_median, latency_ms_p95 of one call, and images_per_s at the median latency.

    >>> speed = inference_speed(nn.Flatten(), (3, 8, 8), batch_size=4, rounds=5)
    >>> speed["rounds"], speed["latency_ms_median"] <= speed["latency_ms_p95"]
    (5, True)
    """
    home = device_of(model)
    place = torch.device(device) if device is not None else home
    images = _images((batch_size, *image_shape), place, channels_last)
    precision = torch.autocast(place.type, autocast) if autocast else nullcontext()
    model.to(place)  # outside of inference mode, in which moved weights could never be trained again
    try:
        with preserve_state(model), torch.inference_mode(), precision:
            model.eval()
            _timed_calls(model, images, warmup, seconds, at_least=1)
            times = _timed_calls(model, images, rounds, seconds, at_least=MIN_ROUNDS)
    finally:
        model.to(home)
    shares = torch.tensor([0.5, 0.95], dtype=torch.float64)
    median, p95 = (1e3 * torch.tensor(times, dtype=torch.float64).quantile(shares)).tolist()
    return {
        "batch_size": batch_size,
        "rounds": len(times),
        "latency_ms_median": median,
        "latency_ms_p95": p95,
        "images_per_s": 1e3 * batch_size / median,
    }


def _timed_calls(model: nn.Module, images: torch.Tensor, rounds: int, seconds: float, at_least: int) -> list[float]:
    times: list[float] = []
    end = perf_counter() + seconds
    while len(times) < max(rounds, at_least) and (len(times) < at_least or perf_counter() < end):
        synchronise(images.device)
        start = perf_counter()
        model(images)
        synchronise(images.device)
        times.append(perf_counter() - start)
    return times


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work; on the CPU return at once."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _images(shape: tuple[int, ...], device: torch.device, channels_last: bool) -> torch.Tensor:
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)
    return images.to(memory_format=torch.channels_last) if channels_last else images
