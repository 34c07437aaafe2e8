"""Measure all costs of a network, under the flat names of a run's record."""

import torch
from torch import nn

from poolab.measure.module_state import device_of
from poolab.measure.saved import pooling_saved_bytes
from poolab.measure.size import multiply_adds, parameters
from poolab.measure.speed import inference_speed


def run_costs(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    train_batch_size: int = 128,
    latency_batch_size: int = 1,
    throughput_batch_size: int = 256,
    rounds: int = 50,
    seconds: float = 2.0,
    autocast: torch.dtype | None = None,
    channels_last: bool = False,
) -> dict[str, float]:
    """Measure what a network costs for images of shape (C, H, W), on the model's device.

    Returns:
        cost/parameters: weights, all of them.
        cost/multiply_adds: of one image (see `multiply_adds` for what counts).
        cost/pooling_saved_bytes: what the pooling layers save for backward for a batch of `train_batch_size`.
        speed/infer_latency_ms_median, speed/infer_latency_ms_p95: of a call with `latency_batch_size` images.
        speed/infer_images_per_s: in calls with `throughput_batch_size` images.

    The speeds are timed as `inference_speed` says, each for at most about twice `seconds`.

    >>> costs = run_costs(nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)), (1, 6, 6), train_batch_size=5, rounds=3)
    >>> {name: value for name, value in costs.items() if name.startswith("cost/")}
    {'cost/parameters': 20, 'cost/multiply_adds': 288, 'cost/pooling_saved_bytes': 320}
    """
    device = device_of(model)
    batch = torch.zeros(train_batch_size, *image_shape, device=device)
    if channels_last:
        batch = batch.to(memory_format=torch.channels_last)
    how = {"rounds": rounds, "seconds": seconds, "autocast": autocast, "channels_last": channels_last}
    latency = inference_speed(model, image_shape, batch_size=latency_batch_size, **how)  # type: ignore[arg-type]
    throughput = inference_speed(model, image_shape, batch_size=throughput_batch_size, **how)  # type: ignore[arg-type]
    with torch.autocast(device.type, autocast, enabled=autocast is not None):
        saved = pooling_saved_bytes(model, batch)
    return {
        "cost/parameters": parameters(model),
        "cost/multiply_adds": multiply_adds(model, batch[:1]),
        "cost/pooling_saved_bytes": sum(saved.values()),
        "speed/infer_latency_ms_median": latency["latency_ms_median"],
        "speed/infer_latency_ms_p95": latency["latency_ms_p95"],
        "speed/infer_images_per_s": throughput["images_per_s"],
    }
