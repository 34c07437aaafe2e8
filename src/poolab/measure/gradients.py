"""The support of a pooling layer's gradient: which input elements its output depends on, and how evenly."""

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
class GradientSupport:
    """The gradient support of one pooling layer.

    Attributes:
        input_coverage: the share of input elements on which the output depends, from 0 to 1.
        entropy: the mean entropy, in nats, of the gradient of one output over the input elements. exp(entropy) is an
            effective number of elements.
    """

    input_coverage: float
    entropy: float


def gradient_support(
    model: nn.Module,
    images: Tensor,
    *,
    predict: Callable[[Tensor], Any] | None = None,
    outputs: int = OUTPUTS,
    seed: int = 0,
) -> dict[str, GradientSupport]:
    """Compute the gradient support of each pooling layer, on the feature maps that these images give it.

    Both figures come from the gradient of the layer's output y with respect to its input x, in eval mode (a random
    pooling draws nothing there).

    - Input coverage: the share of input elements i with d(sum_o w_o y_o)/dx_i != 0. The weights w_o are random in
      [0.5, 1.5), so that no two paths cancel.
    - Entropy of one output y_o: H = -sum_i p_i ln p_i with p_i = |dy_o/dx_i| / sum_j |dy_o/dx_j|, over all input
      elements of its image. It is averaged over `outputs` random outputs of each image. Outputs without a gradient are
      left out.

    A 2x2 maximum has coverage 0.25 and entropy 0; a 2x2 mean has coverage 1 and entropy ln 4 = 1.386.

    The model's state is restored afterwards, and its weights get no gradients.

    Args:
        model: any module. Pooling layers of poolab and torch are found by their class.
        images: the input of `predict`, on the model's device; they are one batch.
        predict: the function that runs the model on the images; None calls the model itself.
        outputs: the number of outputs of each image whose entropy is computed.
        seed: of the weights and of the choice of outputs.

    Returns:
        The figures of each layer, by the backbone's slot name, else by the module's name. All calls of a layer count
        together. The figures of a layer that is never called are NaN.

    >>> net = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2))
    >>> found = gradient_support(net, torch.rand(2, 3, 8, 8))
    >>> [(name, each.input_coverage, round(each.entropy, 4)) for name, each in found.items()]
    [('0', 0.25, 0.0), ('1', 1.0, 1.3863)]
    """
    model = uncompiled(model)
    tallies = {path: _Tally() for path in pooling_layers(model)}
    with preserve_state(model), _watching(model, tallies, outputs, seed), torch.no_grad():
        model.eval()
        (predict or model)(images)
    return {slot_label(model, path): tally.result() for path, tally in tallies.items()}


def gradient_at(output: Tensor, input: Tensor, weights: Tensor) -> Tensor:
    """Compute the gradient of sum(weights * output) with respect to the input. The graph is kept.

    It is zero where the output does not depend on the input.

    >>> x = torch.tensor([1.0, 3.0], requires_grad=True)
    >>> gradient_at(x.max(), x, torch.tensor(2.0))
    tensor([0., 2.])
    """
    (found,) = torch.autograd.grad(output, input, weights, retain_graph=True, allow_unused=True)
    return torch.zeros_like(input) if found is None else found


@dataclass
class _Tally:
    """Counts of elements and entropies of one layer, summed over its calls."""

    elements: int = 0
    kept: int = 0
    entropies: list[Tensor] = field(default_factory=list)

    def add(self, output: Tensor, input: Tensor, outputs: int, generator: torch.Generator) -> None:
        weights = 0.5 + torch.rand(output.shape, generator=generator).to(output)
        self.elements += input.numel()
        self.kept += int(gradient_at(output, input, weights).count_nonzero())
        images, each = len(output), output[0].numel()
        chosen = torch.randint(each, (outputs, images), generator=generator).to(output.device)
        for places in chosen:
            single = output.new_zeros(images, each).scatter_(1, places[:, None], 1)
            self.entropies.append(_entropies(gradient_at(output, input, single.view(output.shape))))

    def result(self) -> GradientSupport:
        if not self.elements:  # the layer was not called
            return GradientSupport(float("nan"), float("nan"))
        return GradientSupport(self.kept / self.elements, torch.cat(self.entropies).double().mean().item())


def _entropies(gradient: Tensor) -> Tensor:
    """Compute ln S - (sum_i g_i ln g_i) / S, g = |gradient|, S = sum_i g_i, for each image that has a gradient."""
    sizes = gradient.flatten(1).abs().float()
    sizes = sizes[sizes.sum(dim=1) != 0]
    total = sizes.sum(dim=1)
    return (total.log() - torch.xlogy(sizes, sizes).sum(dim=1) / total).clamp(min=0)


@contextmanager
def _watching(model: nn.Module, tallies: dict[str, _Tally], outputs: int, seed: int) -> Iterator[None]:
    """Add hooks that repeat each call of a pooling layer with a graph, in the precision of the call."""

    def after(path: str) -> Any:
        # "footprint" is the measure's former name; another one would draw other weights and change the figures.
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
