"""Write and run TorchScript files, by tracing: torch.jit.script cannot compile poolab's networks, and is deprecated."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poolab.export.job import Job, Program


def make(job: Job, folder: Path) -> bytes:
    """Return a TorchScript file; its extra file `poolab.json` has the facts."""
    script = torch.jit.trace(job.module, (job.example,), check_trace=False)  # the file is compared in any case
    buffer = io.BytesIO()
    torch.jit.save(script, buffer, _extra_files={"poolab.json": json.dumps(dict(job.facts))})
    return buffer.getvalue()


def opened(path: Path) -> Program:
    """Return a function that runs the file in torch."""
    module = torch.jit.load(str(path))

    def run(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        probabilities, logits = module(images)
        return probabilities.numpy(), logits.numpy()

    return run
