"""Count the bytes that one place keeps for the backward."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from poolab.measure import SavedStorages


def saved_bytes(run: Callable[[Tensor], Tensor], given: Tensor, layer: nn.Module | None) -> int | None:
    """Return the bytes that `run` saves for the backward, without its input map and the layer's parameters; None for a
    layer that was made in inference mode, such as a strided convolution: it has no backward.
    """
    parameters = [] if layer is None else list(layer.parameters())
    if any(parameter.is_inference() for parameter in parameters):
        return None
    with torch.inference_mode(False):  # a map that is made in it cannot be saved
        map_ = given.detach().clone().requires_grad_()
        return _saved(run, map_, [map_, *parameters])


def _saved(run: Callable[[Tensor], Tensor], map_: Tensor, apart: list[Tensor]) -> int:
    kept = SavedStorages(apart)

    def pack(tensor: Tensor) -> Tensor:
        kept.add(tensor)
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(pack, lambda tensor: tensor):
        run(map_)
    return kept.bytes
