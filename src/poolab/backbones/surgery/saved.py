"""Count the bytes that one place keeps for the backward."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from poolab.measure import SavedStorages


def saved_bytes(run: Callable[[Tensor], Tensor], given: Tensor, layer: nn.Module | None) -> int:
    """Return the bytes that `run` saves for the backward, without its input map and the layer's parameters."""
    with torch.inference_mode(False):  # a map that is made in it cannot be saved
        map_ = given.detach().clone().requires_grad_()
        return _saved(run, map_, [map_, *(layer.parameters() if layer is not None else ())])


def _saved(run: Callable[[Tensor], Tensor], map_: Tensor, apart: list[Tensor]) -> int:
    kept = SavedStorages(apart)

    def pack(tensor: Tensor) -> Tensor:
        kept.add(tensor)
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(pack, lambda tensor: tensor):
        run(map_)
    return kept.bytes
