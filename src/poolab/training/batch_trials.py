"""`python -m poolab.training.batch_trials CONFIG.json LINES`: trains steps of larger and larger batches.

Each size is a line of JSON in the file LINES: `{"size": 64, "fits": true, "memory": "..."}`; the last one says in `why`
what ended it.
"""

import gc
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from poolab.data import ImageDataModule
from poolab.errors import PoolabError
from poolab.measure import PeakMemory
from poolab.pooling import use_backend
from poolab.run_config import RunConfig
from poolab.training.build import build
from poolab.training.cluster import lightning_environment
from poolab.training.components import RunComponents
from poolab.training.free_memory import free_memory
from poolab.training.settings import LARGEST_BATCH

STEPS = 3  # the first makes the optimiser's state, mixed precision may skip one, and the next has all at once
SHARE = 0.8  # of the free memory: on the CPU the system ends a process that takes too much
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # torch's words on its devices


class Trials:
    """Training steps of the configured run at several batch sizes."""

    def __init__(self, config: RunConfig, parts: RunComponents) -> None:
        self.config, self.parts = config, parts
        self.device = self._trainer().strategy.root_device
        self.bound = None if self.device.type == "cuda" else int(SHARE * free_memory())
        self.peaks: list[tuple[int, int]] = []
        parts.module.steps = max(parts.module.steps, 100 * STEPS)  # some schedules refuse a step more
        if config.trainer.compile:
            parts.module.compile_network()

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield a line for each size, and a last one that says why no larger one is tried."""
        size, images = 2, len(self.parts.data.train)
        while True:
            why = self._beyond(size, images)
            if why is None:
                fits, told = self._try(size)
                if fits:
                    yield {"size": size, "fits": True, "memory": told}
                    size *= 2
                    continue
                why = told
            yield {"size": size, "fits": False, "why": why}
            return

    def _beyond(self, size: int, images: int) -> str | None:
        """Return why a size is not tried at all, or None."""
        if size > images:
            return f"the training split has {images:,} images"
        if size > LARGEST_BATCH:
            return f"{LARGEST_BATCH:,} is the most that data.batch_size takes"
        if self.bound is not None and len(self.peaks) > 1:
            (before, less), (last, more) = self.peaks[-2:]
            needed = more + max(0, more - less) * (size - last) // (last - before)
            if needed > self.bound:
                return f"{size} would take about {_gb(needed)}"
        return None

    def _try(self, size: int) -> tuple[bool, str]:
        """Return whether steps of this size fit, and the memory that they take or what is wrong."""
        try:
            with PeakMemory(self.device) as peak:
                self._steps(size)
        except (RuntimeError, MemoryError) as fault:
            if not isinstance(fault, MemoryError) and not any(words in str(fault).lower() for words in NO_MEMORY):
                raise
            return False, f"{size} do not fit"
        finally:
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        self.peaks.append((size, peak.bytes))
        if self.bound is not None and peak.bytes > self.bound:
            return False, f"{size} take {_gb(peak.bytes)}"
        return True, f"a step takes {_gb(peak.bytes)} of {self._there()}"

    def _steps(self, size: int) -> None:
        """Train as the run would: its data, augmentation, precision, kernels and optimiser."""
        config = replace(self.config, data=replace(self.config.data, batch_size=size))
        loaders = ImageDataModule(
            self.parts.data,
            **config.data.loading,
            seed=config.seed,
            channels_last=config.trainer.channels_last,
        )
        with use_backend(config.trainer.backend):
            self._trainer().fit(self.parts.module, loaders)

    def _trainer(self) -> pl.Trainer:
        settings = self.config.trainer
        return pl.Trainer(
            accelerator=settings.accelerator,
            devices=list(settings.devices) if isinstance(settings.devices, tuple) else 1,
            precision=settings.precision,
            gradient_clip_val=settings.gradient_clip,
            max_steps=STEPS,
            max_epochs=-1,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            plugins=[*(lightning_environment(os.environ) or ())],
        )

    def _there(self) -> str:
        if self.bound is not None:
            return f"{_gb(self.bound)} ({SHARE:.0%} of the memory that is free on the {self.device.type})"
        total = torch.cuda.get_device_properties(self.device).total_memory
        return f"{_gb(total)} on {torch.cuda.get_device_name(self.device)}"


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def main() -> int:
    """Try sizes for the configuration of a file, and write a line for each."""
    config = RunConfig.from_tree(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    parent = os.getppid()
    with Path(sys.argv[2]).open("w", encoding="utf-8", buffering=1) as lines:
        try:
            for line in Trials(config, build(config)).all():
                lines.write(json.dumps(line) + "\n")
                if os.getppid() != parent:  # who asked is gone
                    return 1
        except PoolabError as fault:
            lines.write(json.dumps({"size": 0, "fits": False, "why": str(fault)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
