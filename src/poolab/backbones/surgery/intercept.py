"""A module whose own `forward` runs as it was written, with its pooling calls handed to layers.

Its class becomes a subclass in which the functions that pool are copies of the original ones (`source.copied`): same
source, same control flow, with each pooling call known by its place in the source. Whatever else they do, they do.
"""

from collections.abc import Iterator
from functools import cache, partial, wraps
from types import FunctionType, MethodType
from typing import Any, NoReturn

from torch import nn

from poolab.backbones.surgery.activation import Refusal, copy_of, target
from poolab.backbones.surgery.classes import OVERRIDES, WIRING, WRITTEN, below_parametrization, subclass
from poolab.backbones.surgery.containers import hiding
from poolab.backbones.surgery.instructions import InnerCalls, Node, PoolCalls, Wiring
from poolab.backbones.surgery.source import NoSource, original

INSTANCE = "<forward of the instance>"  # a `forward` that was set on a module, as accelerate does


def intercept(module: nn.Module, wiring: Wiring) -> None:
    """Let a module hand its pooling calls to its layers; identity, class name and state stay.

    Raises:
        NoSource: one of its functions cannot be copied.
    """
    kind = below_parametrization(type(module), lambda base: intercepted_class(getattr(base, WRITTEN, base), wiring))
    own = next((node for name, node in wiring.methods if name == INSTANCE), None)
    if own is not None:
        module.__dict__["forward"] = _around(module, wiring, own)
    module.__class__ = kind
    for name, value in list(vars(module).items()):  # what others took from it before, as accelerate does
        if isinstance(value, MethodType) and value.__self__ is module:
            method = getattr(kind, OVERRIDES).get(original(value.__func__))
            if method is not None:
                module.__dict__[name] = MethodType(method, module)


def _around(module: nn.Module, wiring: Wiring, node: Node) -> Any:
    """Return the `forward` that was set on a module, with its pooling calls intercepted."""
    forward: Any = vars(module)["forward"]
    function, before, _ = target(forward)
    if not before or before[0] is not module:
        raise NoSource("its forward was set on the instance, and does not take the module as its first argument")
    copy = copy_of(wiring, node, function, own=True)
    if isinstance(forward, MethodType):
        return MethodType(copy, module)
    if not isinstance(forward, partial) or isinstance(forward.func, partial):
        raise NoSource(f"its forward was set on the instance, as a {type(forward).__name__}")
    made = partial(copy, *forward.args, **forward.keywords)
    vars(made).update(vars(forward))
    return made


@cache
def intercepted_class(base: Any, wiring: Wiring) -> Any:
    """Return the subclass of `base` whose methods hand their pooling calls to layers."""

    def reduce(self: Any, protocol: Any) -> Any:
        return _blank, (base, wiring), self.__getstate__()

    def refuse_script(self: Any) -> NoReturn:
        raise Refusal(
            f"torch.jit.script reads the source of {wiring.owner}.forward, where the poolings that were replaced still "
            "stand: use torch.export, or torch.jit.trace"
        )

    def refuse_copy(self: Any, memo: Any) -> NoReturn:
        raise Refusal(
            f"{base.__qualname__} has a __deepcopy__ of its own, which knows nothing of the poolings that were "
            "replaced: build the network again, swap its poolings and load its state_dict"
        )

    @wraps(base.__init__)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__class__ = base  # made anew from a network's class, as `type(net)(...)`, it is as it was written
        self.__init__(*args, **kwargs)

    overrides: dict[FunctionType, FunctionType] = {}
    body: dict[str, Any] = {}
    for name, node in wiring.methods:
        if name == INSTANCE:
            continue
        function = original(getattr(base, name))
        if function not in overrides:
            overrides[function] = copy_of(wiring, node, function, own=True)
        body[name] = overrides[function]
    if hasattr(base, "__deepcopy__"):
        body["__deepcopy__"] = refuse_copy
    return subclass(base, {
        **body,
        **hiding(base, frozenset(_layers(wiring))),
        "__init__": init,
        "__reduce_ex__": reduce,
        "__prepare_scriptable__": refuse_script,
        WRITTEN: base,
        WIRING: wiring,
        OVERRIDES: overrides,
    })  # fmt: skip


def _layers(wiring: Wiring) -> Iterator[str]:
    """Return the names of all layers that take calls."""
    waiting: list[Any] = [node for _, node in wiring.methods]
    while waiting:
        groups = [group for _, here in waiting.pop().points for group in here]
        for group in groups:
            if isinstance(group, InnerCalls):
                waiting += group.nodes
            elif isinstance(group, PoolCalls):
                yield from (place.layer for place in group.places if place is not None)


def _blank(base: Any, wiring: Wiring) -> nn.Module:
    """Return the empty module that unpickling and copying start from."""
    try:
        kind = intercepted_class(base, wiring)
    except NoSource as fault:
        raise Refusal(
            f"{base.__qualname__} is another class than when the network was saved ({fault}): build the network, swap "
            "its poolings and load its state_dict instead"
        ) from fault
    made: nn.Module = kind.__new__(kind)
    return made
