"""Write and run files of torch.export, also with weights and activations of 8 bits (torchao's PT2E)."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from poolab.errors import ConfigError
from poolab.export.job import Job, Program

CALIBRATED_TOGETHER = 32


def traced(module: nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    """Return the program of a module for any number of images at a time."""
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(module, (example,), dynamic_shapes=({0: batch},))


def make(job: Job, folder: Path) -> bytes:
    """Return a .pt2 file; its extra file `poolab.json` has the facts."""
    program = traced(job.module, job.example)
    if job.calibration is not None:
        program = _quantised(program, job)
    return saved(program, job.facts)


def saved(program: torch.export.ExportedProgram, facts: Mapping[str, str]) -> bytes:
    """Return the .pt2 file of a program."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"poolab.json": json.dumps(dict(facts))})
    return buffer.getvalue()


def opened(path: Path) -> Program:
    """Return a function that runs the file in torch."""
    module = torch.export.load(path).module()

    def run(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        probabilities, logits = module(images)
        return probabilities.numpy(), logits.numpy()

    return run


def _quantised(program: torch.export.ExportedProgram, job: Job) -> torch.export.ExportedProgram:
    """Return the program with what torchao's quantiser for x86 processors computes in 8 bits.

    Raises:
        ConfigError: torchao is not installed.
    """
    try:
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
    except ImportError as fault:
        raise ConfigError(f"int8 of torch_export needs torchao ({fault}): pip install torchao") from fault
    assert job.calibration is not None
    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(program.module(), quantizer)
    for part in job.calibration.split(CALIBRATED_TOGETHER):
        prepared(part)
    return traced(convert_pt2e(prepared), job.example)
