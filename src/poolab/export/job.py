"""The interface of the writers of formats."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor, nn

# From uint8 images to probabilities and logits.
Program = Callable[[Tensor], tuple[np.ndarray, np.ndarray]]


class Job(NamedTuple):
    """The input of a writer: a module from one tensor to two, an example of its input, and the file's metadata.

    `calibration` are images for int8, in the form of the example; None: no quantisation. `whole` are the names of the
    modules that stay in float32 then.
    """

    module: nn.Module
    example: Tensor
    facts: Mapping[str, str]
    calibration: Tensor | None = None
    whole: tuple[str, ...] = ()


class Writer(Protocol):
    """A module that writes one format."""

    def make(self, job: Job, folder: Path) -> bytes:
        """Return the content of the file; `folder` is for temporary files."""

    def opened(self, path: Path) -> Program:
        """Return a function that runs the file: from a uint8 tensor to probabilities and logits."""
