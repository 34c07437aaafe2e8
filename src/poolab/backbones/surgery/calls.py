"""Record what a forward pass pools: its pooling layers, pooling functions and strided convolutions."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from poolab.backbones.surgery.classes import WIRING
from poolab.backbones.surgery.frames import OffTheMap, Paths, Step
from poolab.backbones.surgery.functions import FUNCTIONS, REDUCTIONS, dims_of, named_arguments, reduces_map
from poolab.pooling import Pool, WindowPool2d

Shape = tuple[int, ...]
TORCH_WINDOWS: dict[type[nn.Module], int] = {
    nn.MaxPool1d: 1, nn.AvgPool1d: 1, nn.LPPool1d: 1,
    nn.MaxPool2d: 2, nn.AvgPool2d: 2, nn.LPPool2d: 2,
    nn.MaxPool3d: 3, nn.AvgPool3d: 3, nn.LPPool3d: 3,
}  # fmt: skip
WINDOWS = (*TORCH_WINDOWS, WindowPool2d)
ADAPTIVE = (
    nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool3d,
)  # fmt: skip
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


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
        result: the result itself.
        source: the map as the network has it, to see which calls pool the same one.
        steps: the way from the owner's `forward` to the call; empty where there is none that can be followed.
        astray: why there is none.
        autocast: the dtype that autocast chose for, where it was on.
        is_last: whether no convolution gave a map of more than one pixel afterwards.
    """

    owner: str
    op: str
    layer: str | None
    arguments: Mapping[str, Any]
    run: Callable[[Tensor], Tensor]
    given: Tensor | None = None
    output: Shape | None = None
    result: Any = None
    source: Tensor | None = None
    steps: tuple[Step, ...] = ()
    astray: str = ""
    autocast: torch.dtype | None = None
    is_last: bool = True

    @property
    def input(self) -> Shape | None:
        """The shape of the map."""
        return None if self.given is None else tuple(self.given.shape)

    def as_called(self) -> AbstractContextManager[Any]:
        """Return the context of autocast that the call was made in."""
        if self.autocast is None or self.given is None:
            return nullcontext()
        return torch.autocast(self.given.device.type, self.autocast)

    @property
    def dims(self) -> int:
        """The number of spatial dimensions."""
        known = dims_of(self.op) if self.layer is None else dims_of_layer(self.run)
        return known or (2 if self.given is None else self.given.dim() - 2)


@dataclass
class Frame:
    """A running module: its qualified name and itself."""

    path: str
    module: nn.Module


def is_pooling(module: nn.Module) -> bool:
    """Return True if a module is a pooling layer for maps, of torch or of poolab; one whose calls go to a layer of ours
    is none any more.
    """
    if hasattr(type(module), WIRING):
        return False
    return isinstance(module, WINDOWS + ADAPTIVE) or (isinstance(module, Pool) and module.role == "global")


def torch_class(layer: nn.Module) -> type[nn.Module] | None:
    """Return the pooling class of torch that a layer is an instance of."""
    return next((kind for kind in type(layer).__mro__ if kind in TORCH_WINDOWS or kind in ADAPTIVE), None)


def has_own_forward(layer: nn.Module) -> bool:
    """Return True if a layer's `forward` is not that of its pooling class in torch."""
    base = torch_class(layer)
    return base is None or type(layer).forward is not base.forward


def is_strided(module: nn.Module) -> bool:
    """Return True if a module is a strided convolution over a window."""
    return isinstance(module, CONVOLUTIONS) and max(module.stride) > 1 and max(module.kernel_size) > 1


def dims_of_layer(module: Any) -> int | None:
    """Return the number of spatial dimensions of a pooling layer or a convolution.

    >>> dims_of_layer(nn.MaxPool3d(2)), dims_of_layer(nn.Conv1d(1, 1, 3))
    (3, 1)
    """
    if isinstance(module, Pool):
        return module.dims
    return next((d for d in (1, 2, 3) for kind in type(module).__mro__ if kind.__name__.endswith(f"{d}d")), None)


class Observer(TorchFunctionMode):
    """Records the poolings of a model while it runs; calls inside a pooling layer are ignored.

    Attributes:
        calls: what was seen, in the order of the forward pass.
        ran: the qualified names of the modules that ran.

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
        self._handles: list[RemovableHandle] = []
        self.forget()

    def forget(self) -> None:
        """Begin anew, before a network is run again."""
        self.calls: list[Call] = []
        self.ran: set[str] = set()
        self._known: set[Any] = set()
        self._first: dict[str, Frame] = {}
        self._running: list[Frame] = []
        self._steps: list[tuple[tuple[Step, ...], str]] = []
        self._paths = Paths()

    def __enter__(self) -> Self:
        for path, module in self.model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):  # takes no hooks, and shows nothing of what it runs
                continue
            enter, leave = partial(self._enter, path), self._leave
            self._handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            # Before the hooks of others, which may change what the layer gives, and even where a call fails.
            self._handles.append(
                module.register_forward_hook(leave, with_kwargs=True, prepend=True, always_call=True)
            )  # fmt: skip
        super().__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        super().__exit__(*fault)
        self._paths = Paths()
        for handle in self._handles:
            handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function of torch, and note it if it pools."""
        kwargs = kwargs or {}
        op = getattr(func, "__name__", "")
        output = func(*args, **kwargs)
        if op in FUNCTIONS and self._running and not self._is_inside(self._running[:-1]) and not self._is_torch_s():
            self._note_function(op, func, named_arguments(op, args, kwargs), output)
        return output

    def _enter(self, path: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        way: tuple[tuple[Step, ...], str] = ((), "")
        if is_pooling(module) and self._running and not self._is_inside():
            way = self._way()
        self._running.append(Frame(path, module))
        self._steps.append(way)
        self.ran.add(path)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        while self._running:  # a module that failed may have left its own
            frame, way = self._running.pop(), self._steps.pop()
            if frame.module is module:
                break
        else:
            return
        given = [*args, *kwargs.values()]
        if not (given and isinstance(given[0], Tensor) and output is not None):
            return
        is_place = is_pooling(module) or is_strided(module)
        if is_place and self._running and not self._is_inside() and given[0].dim() == (dims_of_layer(module) or 0) + 2:
            call = Call("", type(module).__name__, frame.path, {}, module, steps=way[0], astray=way[1])
            self._note(call, given[0], output)
        if isinstance(module, CONVOLUTIONS) and isinstance(output, Tensor) and output.shape[2:].numel() > 1:
            for call in self.calls:
                call.is_last = False

    def _note_function(self, op: str, func: Any, arguments: dict[str, Any], output: Any) -> None:
        given = arguments.pop("input", None)
        if not isinstance(given, Tensor):
            return
        is_map = given.dim() - (dims_of(op) or 0) in (1, 2)  # without a batch too, which is left as it is
        if reduces_map(arguments, given.dim() - 2) if op in REDUCTIONS else is_map:
            steps, astray = self._way()
            call = Call("", op, None, arguments, partial(func, **arguments), steps=steps, astray=astray)
            self._note(call, given, output)

    def _way(self) -> tuple[tuple[Step, ...], str]:
        try:
            return self._paths.here(self._running[-1].module, sys._getframe(1)), ""
        except OffTheMap as reason:
            return (), str(reason)

    def _note(self, call: Call, given: Tensor, output: Any) -> None:
        owner = self._running[-1]
        is_first = self._first.setdefault(owner.path, owner) is owner
        # A module that runs again pools in the places of its first run, and in others if it takes another way.
        key = (owner.path, call.layer, call.op, call.steps)
        if key in self._known if call.steps else not is_first:
            return
        self._known.add(key)
        call.owner, call.given, call.source, call.result = owner.path, given.detach(), given, output
        device = given.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            call.autocast = torch.get_autocast_dtype(device)
        call.output = tuple(output.shape) if isinstance(output, Tensor) else None
        self.calls.append(call)

    def _is_inside(self, running: list[Frame] | None = None) -> bool:
        return any(is_pooling(frame.module) for frame in (self._running if running is None else running))

    def _is_torch_s(self) -> bool:
        """Return True if the running module is a pooling that computes what its class in torch or poolab does."""
        module = self._running[-1].module
        return is_pooling(module) and (isinstance(module, Pool) or not has_own_forward(module))
