"""What a forward pass pools, seen from outside: its pooling layers, pooling functions and strided convolutions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from poolab.pooling import Pool, WindowPool2d

Shape = tuple[int, ...]
WINDOWS = (nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d, WindowPool2d)
ADAPTIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)

# torch's pooling functions by the name that a mode and a graph know them under, and the names of their arguments.
_MAX = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "max_pool2d": _MAX,
    "max_pool2d_with_indices": _MAX,
    "avg_pool2d": ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    "lp_pool2d": ("input", "norm_type", "kernel_size", "stride", "ceil_mode"),
    "adaptive_avg_pool2d": ("input", "output_size"),
    "adaptive_max_pool2d": ("input", "output_size", "return_indices"),
    "mean": ("input", "dim", "keepdim"),
    "amax": ("input", "dim", "keepdim"),
}
REDUCTIONS = ("mean", "amax")  # poolings of a map where they reduce the last two of its four dimensions


@dataclass
class Call:
    """One pooling, or one strided convolution, of a forward pass.

    Attributes:
        owner: the qualified name of the module whose `forward` contains the call.
        op: the class of the layer, or the name of the function.
        layer: the qualified name of the layer; None for a function.
        arguments: a function's, by name, without the input.
        run: what computes it, from map to map.
        given: the map; no forward pass was made where it is None.
        output: the shape of the result.
        is_last: whether no convolution gave a map of more than one pixel afterwards.
    """

    owner: str
    op: str
    layer: str | None
    arguments: Mapping[str, Any]
    run: Callable[[Tensor], Tensor]
    given: Tensor | None = None
    output: Shape | None = None
    is_last: bool = True

    @property
    def input(self) -> Shape | None:
        """The shape of the map."""
        return None if self.given is None else tuple(self.given.shape)


@dataclass
class Frame:
    """A running module: its qualified name, itself, and its inputs."""

    path: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def is_pooling(module: nn.Module) -> bool:
    """Return True if a module is a pooling layer for maps, of torch or of poolab."""
    return isinstance(module, WINDOWS + ADAPTIVE) or (isinstance(module, Pool) and module.role == "global")


def is_strided(module: nn.Module) -> bool:
    """Return True if a module is a strided convolution over a window."""
    return isinstance(module, nn.Conv2d) and max(module.stride) > 1 and max(module.kernel_size) > 1


def named_arguments(op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a pooling function by name, without those that are None.

    >>> named_arguments("max_pool2d", ("x", 3), {"stride": None, "padding": 1})
    {'input': 'x', 'kernel_size': 3, 'padding': 1}
    """
    named = {**dict(zip(FUNCTIONS[op], args, strict=False)), **kwargs}
    return {name: value for name, value in named.items() if value is not None}


def reduces_map(arguments: Mapping[str, Any]) -> bool:
    """Return True if a reduction is over the last two of four dimensions.

    >>> reduces_map({"dim": (-2, -1)}), reduces_map({"dim": [2, 3]}), reduces_map({"dim": 1}), reduces_map({})
    (True, True, False, False)
    """
    dim = arguments.get("dim")
    return isinstance(dim, tuple | list) and sorted(each % 4 for each in dim if isinstance(each, int)) == [2, 3]


class Observer(TorchFunctionMode):
    """Records the poolings of a model while it runs; calls inside a pooling layer are ignored.

    Attributes:
        calls: what was seen, in the order of the forward pass.
        frames: what each module that pools in its own `forward` was given when it first ran.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2))
    >>> with Observer(net) as seen:
    ...     _ = net(torch.zeros(1, 3, 8, 8))
    >>> [(call.layer, call.op, call.output) for call in seen.calls]
    [('1', 'MaxPool2d', (1, 8, 3, 3))]
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.calls: list[Call] = []
        self.frames: dict[str, Frame] = {}
        self._running: list[Frame] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        for path, module in self.model.named_modules():
            enter, leave = partial(self._enter, path), self._leave
            self._handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            self._handles.append(module.register_forward_hook(leave, with_kwargs=True))
        super().__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        super().__exit__(*fault)
        for handle in self._handles:
            handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function of torch, and note it if it pools."""
        kwargs = kwargs or {}
        op = getattr(func, "__name__", "")
        output = func(*args, **kwargs)
        if op in FUNCTIONS and self._running and not self._is_inside():
            self._note_function(op, func, named_arguments(op, args, kwargs), output)
        return output

    def _enter(self, path: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._running.append(Frame(path, module, args, kwargs))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        frame = self._running.pop()
        given = [*args, *kwargs.values()]
        if not (given and isinstance(given[0], Tensor) and self._running):
            return
        if (is_pooling(module) or is_strided(module)) and not self._is_inside() and given[0].dim() == 4:
            self._note(Call(frame.path, type(module).__name__, frame.path, {}, module), given[0], output)
        if isinstance(module, nn.Conv2d) and isinstance(output, Tensor) and output.shape[-2:].numel() > 1:
            for call in self.calls:
                call.is_last = False

    def _note_function(self, op: str, func: Any, arguments: dict[str, Any], output: Any) -> None:
        given = arguments.pop("input", None)
        # Noted whatever its dimensions: the graph of the module does not tell them, and the two are matched in order.
        if isinstance(given, Tensor) and (op not in REDUCTIONS or reduces_map(arguments)):
            self._note(Call("", op, None, arguments, partial(func, **arguments)), given, output)

    def _note(self, call: Call, given: Tensor, output: Any) -> None:
        owner = self._running[-1]
        if self.frames.setdefault(owner.path, owner) is not owner:
            return  # a module that runs again pools in the places of its first run
        call.owner, call.given = owner.path, given.detach()
        call.output = tuple(output.shape) if isinstance(output, Tensor) else None
        self.calls.append(call)

    def _is_inside(self) -> bool:
        return any(is_pooling(frame.module) for frame in self._running)
