"""The parts of the GPU benchmark: each returns what the result has of it."""

from time import perf_counter
from typing import Any

import torch

from poolab.bench.choices import Kernel
from poolab.bench.gpu_sizes import Sizes
from poolab.bench.result import interval_of
from poolab.measure import PeakMemory, synchronise
from poolab.pooling import create_pool, get_pool, list_pools, use_backend

CLOSE = {"float32": 2e-4, "bfloat16": 2e-2}  # of the largest number: sums in another order
NET_METHODS = ("max", "avg_topk")


def bandwidth(device: str, sizes: Sizes) -> dict[str, Any]:
    """Measure the bytes a second that a copy moves."""
    from poolab.bench.bandwidth import copy_bandwidth

    return {"bytes_per_s": interval_of(copy_bandwidth(device, size=2**20 if sizes.width < 64 else None))}


def conformance(device: str, dtype: str, sizes: Sizes) -> dict[str, Any]:
    """Compare the kernel of each window method with plain torch on the same device, forward and backward."""
    names = list_pools("window") if sizes.width >= 64 else list(sizes.methods)
    return {name: _agreement(name, device, dtype) for name in names}


def _agreement(name: str, device: str, dtype: str) -> dict[str, Any]:
    """Return the largest difference, relative to the largest number, in both layouts; or why there is none."""
    cls, worst, has_kernel = get_pool(name), 0.0, True
    try:
        options = {**cls.trial, **({} if cls.uses_channels == "never" else {"channels": 8})}
        torch.manual_seed(0)
        pool = create_pool(name, kernel_size=3, stride=2, padding=1, **options).to(device)
        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(4, 8, 17, 18, generator=torch.Generator().manual_seed(0))
            x = x.to(device, getattr(torch, dtype)).contiguous(memory_format=layout).requires_grad_()
            found = []
            for backend in ("fused", "plain"):
                torch.manual_seed(1)
                with use_backend(backend):
                    y = pool(x)
                # Kernels have a gradient of their own; plain torch leaves that of its operations.
                has_kernel &= backend == "plain" or type(y.grad_fn).__name__ == "FusedBackward"
                found.append((y.detach(), *torch.autograd.grad(y.float().square().sum(), x)))
            for ours, expected in zip(*found, strict=True):
                scale = expected.float().abs().max().clamp(min=1.0)
                worst = max(worst, ((ours.float() - expected.float()).abs().max() / scale).item())
    except Exception as fault:
        return {"agrees": False, "fault": f"{type(fault).__name__}: {str(fault).strip().partition(chr(10))[0]}"}
    return {"agrees": worst <= CLOSE[dtype], "difference": worst, "has_kernel": has_kernel}


def ops(device: str, kernel: Kernel, layout: str, dtype: str, sizes: Sizes) -> dict[str, Any]:
    """Measure operators beside `nn.MaxPool2d`: time, share of the copy bandwidth, memory."""
    from poolab.bench.bandwidth import copy_bandwidth
    from poolab.bench.ops_group import Place, measure_group

    place = Place(sizes.shape, kernel, layout, dtype, device)
    copies = copy_bandwidth(device, size=2**20 if sizes.width < 64 else None, rounds=5).median
    return dict(measure_group(place, sizes.methods, paths=("fused",), plan=sizes.plan, bandwidth=copies))


def net(device: str, network: str, mode: str, sizes: Sizes) -> dict[str, Any]:
    """Measure a training step in bfloat16, channels_last, with `nn.MaxPool2d`, max and avg_topk; its peak memory."""
    from poolab.bench.net_group import Place, TrainingStep, measure_group

    place = Place(sizes.batch_size, sizes.width, "channels_last", "bfloat16", device, mode, network)
    group = dict(measure_group(place, NET_METHODS, ("fused",), sizes.plan))
    peaks = {}
    for method in NET_METHODS if torch.device(device).type == "cuda" and mode == "eager" else ():
        with use_backend("fused"):
            step = TrainingStep(place, method, "fused")
            step()
            with PeakMemory(torch.device(device)) as peak:
                step()
        peaks[method] = peak.bytes
    return {**group, "peak_bytes": peaks}


def lightning(device: str, sizes: Sizes) -> dict[str, Any]:
    """Measure a step of airbench94 in Lightning's loop and in a bare one, in turn."""
    import pytorch_lightning as pl

    from poolab.bench.net_group import Place, TrainingStep

    place = Place(sizes.batch_size, sizes.width, "channels_last", "bfloat16", device, "eager", "airbench94")
    step = TrainingStep(place, "max", "fused")

    class Loop(pl.LightningModule):
        """The same step, where Lightning calls the backward and the optimizer."""

        def __init__(self) -> None:
            super().__init__()
            self.network = step.model

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            """Return the loss."""
            return step.loss()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            """Return the step's own optimizer."""
            return step.optimizer

    def run_lightning() -> None:
        quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        accelerator = "gpu" if torch.device(device).type == "cuda" else "cpu"
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=1,
            max_epochs=1,
            **dict.fromkeys(quiet, False),  # type: ignore[arg-type]
        )
        trainer.fit(Loop(), torch.zeros(sizes.steps, 1).split(1))

    def run_bare() -> None:
        for _ in range(sizes.steps):
            step()

    seconds: dict[str, list[float]] = {"lightning": [], "bare": []}
    for run in (run_lightning, run_bare):
        run()
    for _ in range(5):
        for name, run in (("lightning", run_lightning), ("bare", run_bare)):
            synchronise(torch.device(device))
            start = perf_counter()
            run()
            synchronise(torch.device(device))
            seconds[name].append((perf_counter() - start) / sizes.steps)
    ratios = [a / b for a, b in zip(seconds["lightning"], seconds["bare"], strict=True)]
    return {"steps": sizes.steps, "seconds_per_step": seconds, "ratios": ratios, "version": pl.__version__}
