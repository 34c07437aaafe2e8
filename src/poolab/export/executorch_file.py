"""Write and run ExecuTorch files (.pte), whose convolutions and matrix products XNNPACK computes; one image at a time.

With a number of images that may change, ExecuTorch 1.5.1 with torch 2.14 reserved memory for 15 where 64 were allowed,
and refused more.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poolab.export.job import Job, Program


def make(job: Job, folder: Path) -> bytes:
    """Return a .pte file."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(job.module, (job.example[:1],))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)


def opened(path: Path) -> Program:
    """Return a function that runs the file in ExecuTorch's runtime for Python, image by image."""
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(path)  # it must outlive its method
    method = program.load_method("forward")

    def run(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        # The outputs are views of memory that the next call writes into.
        found = [[output.clone() for output in method.execute([image[None].contiguous()])] for image in images]
        probabilities, logits = (torch.cat([pair[place] for pair in found]).numpy() for place in (0, 1))
        return probabilities, logits

    return run
