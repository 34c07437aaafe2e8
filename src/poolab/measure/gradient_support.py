"""Where a pooling layer's gradient goes: how many of its input cells it keeps, and over how many it spreads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from poolab.measure.module_state import preserve_state, uncompiled
from poolab.measure.saved import pooling_layers, slot_label
from poolab.streams import derive_seed

OUTPUTS = 32


@dataclass(frozen=True)
class Footprint:
    """What one layer's gradient tells.

    Attributes:
        kept_share: the share of input cells on which the output depends, from 0 to 1.
        entropy: the mean entropy of a single output's footprint, in nats; exp of it is a number of cells.
    """

    kept_share: float
    entropy: float


def pooling_footprints(
    model: nn.Module,
    images: Tensor,
    *,
    predict: Callable[[Tensor], Any] | None = None,
    outputs: int = OUTPUTS,
    seed: int = 0,
) -> dict[str, Footprint]:
    """The footprint of each pooling layer on the maps that it gets from these images, in eval mode.

    Both come from y's gradient with respect to the layer's own input x, under what the layer computes in evaluation: a
    random pooling draws nothing there. The share kept is that of the cells with d(sum_o w_o y_o)/dx_i != 0, with random
    weights w_o in [0.5, 1.5), so that no two paths cancel. The entropy is that of a single output y_o: with
    p_i = |dy_o/dx_i| / sum_j |dy_o/dx_j| over all input cells of its image, H = -sum_i p_i ln p_i, averaged over
    `outputs` random outputs of each image; outputs that depend on nothing are left out. So a 2x2 maximum keeps 0.25 and
    has entropy 0, a 2x2 mean keeps 1 and has ln 4 = 1.386.

    Counted are poolab's and torch's pooling layers, by slot where a backbone names one, else by module name; a layer
    that is called more than once counts all its calls. The model is left as it was, without gradients.

    Args:
        model: any module; the poolings in it are found by their class.
        images: what `predict` takes; all go in at once, on the model's device.
        predict: the call that runs the model; None calls the model itself.
        outputs: how many outputs of each image get their entropy.
        seed: of the weights and of the outputs that are chosen.

    >>> net = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2))
    >>> found = pooling_footprints(net, torch.rand(2, 3, 8, 8))
    >>> [(name, each.kept_share, round(each.entropy, 4)) for name, each in found.items()]
    [('0', 0.25, 0.0), ('1', 1.0, 1.3863)]
    """
    model = uncompiled(model)
    tallies = {path: _Tally() for path in pooling_layers(model)}
    with preserve_state(model), _watching(model, tallies, outputs, seed), torch.no_grad():
        model.eval()
        (predict or model)(images)
    return {slot_label(model, path): tally.footprint() for path, tally in tallies.items()}


def gradient_at(output: Tensor, input: Tensor, weights: Tensor) -> Tensor:
    """The gradient of sum(weights * output) by the input, zero where there is no way back; the graph is kept.

    >>> x = torch.tensor([1.0, 3.0], requires_grad=True)
    >>> gradient_at(x.max(), x, torch.tensor(2.0))
    tensor([0., 2.])
    """
    (found,) = torch.autograd.grad(output, input, weights, retain_graph=True, allow_unused=True)
    return torch.zeros_like(input) if found is None else found


@dataclass
class _Tally:
    """The cells and entropies of one layer, over its calls."""

    cells: int = 0
    kept: int = 0
    entropies: list[Tensor] = field(default_factory=list)

    def add(self, output: Tensor, input: Tensor, outputs: int, generator: torch.Generator) -> None:
        weights = 0.5 + torch.rand(output.shape, generator=generator).to(output)
        self.cells += input.numel()
        self.kept += int(gradient_at(output, input, weights).count_nonzero())
        images, each = len(output), output[0].numel()
        chosen = torch.randint(each, (outputs, images), generator=generator).to(output.device)
        for places in chosen:
            single = output.new_zeros(images, each).scatter_(1, places[:, None], 1)
            self.entropies.append(_entropies(gradient_at(output, input, single.view(output.shape))))

    def footprint(self) -> Footprint:
        if not self.cells:  # the layer was not called
            return Footprint(float("nan"), float("nan"))
        return Footprint(self.kept / self.cells, torch.cat(self.entropies).double().mean().item())


def _entropies(gradient: Tensor) -> Tensor:
    """With g = |gradient| and S = sum_i g_i, ln S - (sum_i g_i ln g_i) / S of each image that has a gradient."""
    sizes = gradient.flatten(1).abs().float()
    sizes = sizes[sizes.sum(dim=1) != 0]
    total = sizes.sum(dim=1)
    return (total.log() - torch.xlogy(sizes, sizes).sum(dim=1) / total).clamp(min=0)


@contextmanager
def _watching(model: nn.Module, tallies: dict[str, _Tally], outputs: int, seed: int) -> Iterator[None]:
    """Hooks that repeat each pooling layer's call by itself, with a graph, where it happens: in the same precision."""

    def after(path: str) -> Any:
        generator = torch.Generator().manual_seed(derive_seed(seed, "footprint", slot_label(model, path)))

        def hook(layer: nn.Module, args: tuple[Any, ...], _: Any) -> None:
            with torch.inference_mode(False), torch.enable_grad():
                input = args[0].detach().clone().requires_grad_()
                output = layer.forward(input, *args[1:])
                output = output[0] if isinstance(output, tuple) else output
                tallies[path].add(output, input, outputs, generator)

        return hook

    handles = [layer.register_forward_hook(after(path)) for path, layer in pooling_layers(model).items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
