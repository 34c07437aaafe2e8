"""Write and run ExecuTorch files (.pte), whose convolutions and matrix products XNNPACK computes."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poolab.export.job import Job, Program

MOST_IMAGES = 64  # in one call: ExecuTorch reserves the memory when it loads a file


def make(job: Job, folder: Path) -> bytes:
    """Return a .pte file, for 1 to 64 images at a time."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    batch = torch.export.Dim("batch", min=1, max=MOST_IMAGES)
    program = torch.export.export(job.module, (job.example,), dynamic_shapes=({0: batch},))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)


def opened(path: Path) -> Program:
    """Return a function that runs the file in ExecuTorch's runtime for Python."""
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("forward")

    def run(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        probabilities, logits = (output.clone().numpy() for output in method.execute([images.contiguous()]))
        return probabilities, logits

    return run
