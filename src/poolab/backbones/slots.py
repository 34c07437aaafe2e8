"""Slots: the named places where a backbone pools, and the builder that fills them."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from poolab.backbones.request import Asked, AskedHead, read_head, read_pooling
from poolab.errors import ConfigError, nearest
from poolab.pooling import Pool, create_pool, get_pool
from poolab.run_config import OWN, PoolingConfig

Kind = Literal["window", "strided_conv", "head"]
Pair = tuple[int, int]
FLATTEN = "flatten"  # a head that keeps every pixel


@dataclass(frozen=True)
class Slot:
    """One place where a backbone pools: its default (`own`) and its present pooling (`pooling`).

    The geometry is that of the present pooling; a head has none.
    """

    name: str
    kind: Kind
    channels: int
    kernel_size: Pair | None
    stride: Pair | None
    padding: Pair | None
    own: str
    pooling: str


class SlotFiller:
    """Creates the layer of each slot while a backbone is built, and keeps a list of them.

    A backbone names each place once: `self.pool1 = slots.fill("pool1", channels=32, own="max", kernel_size=2)`.

    >>> slots = SlotFiller("mine", pooling={"name": "avg", "slots": ["pool2"]})
    >>> layers = [slots.fill(f"pool{i}", channels=8, own="max", kernel_size=2) for i in (1, 2)]
    >>> [slot.pooling for slot in slots.close(nn.ModuleList(layers)).values()]
    ['max', 'avg']
    """

    def __init__(self, backbone: str, pooling: Asked = None, head: AskedHead = None) -> None:
        self.backbone = backbone
        self.pooling = read_pooling(pooling)
        self.head = read_head(head)
        self.paths: dict[str, str] = {}
        self._filled: dict[str, tuple[Slot, nn.Module]] = {}

    def fill(
        self, name: str, *, channels: int, own: str, kernel_size: int, stride: int | None = None, padding: int = 0
    ) -> nn.Module:
        """Return the pooling of a window slot: the requested one or `own`, with the slot's geometry unless overridden.

        Raises:
            ConfigError: the pooling does not take these options or this window.
        """
        geometry = {"kernel_size": kernel_size, "stride": stride or kernel_size, "padding": padding}
        return self._window(Slot(name, "window", channels, None, None, None, own, own), geometry)

    def fill_strided_conv(self, name: str, conv: nn.Conv2d, *, kernel_size: int = 2) -> nn.Module:
        """Return the pooling that takes over the stride of a strided convolution, or `nn.Identity`.

        Where a pooling was asked for, `conv` is set to stride 1 and the pooling gets the stride that it had: put it
        after the convolution's normalisation and activation. The convolution's weights stay the same either way.

        Raises:
            ConfigError: the pooling does not take these options or this window.
        """
        (kh, kw), (sh, sw), padding = _pair(conv.kernel_size), _pair(conv.stride), _pair(conv.padding)
        own = f"conv{kh}x{kw}/{sh}"  # no name of a pooling: `strided_conv` may fill this slot too
        slot = Slot(name, "strided_conv", conv.out_channels, (kh, kw), (sh, sw), padding, own, own)
        if self.pooling.filling(name) is None:
            self._remember(slot, conv)
            return nn.Identity()
        conv.stride = (1, 1)
        return self._window(slot, {"kernel_size": kernel_size, "stride": (sh, sw), "padding": 0})

    def fill_head(self, *, channels: int, own: str = "global_avg") -> nn.Module:
        """Return the head, which turns the last map into features; `own="flatten"` keeps every pixel.

        Raises:
            ConfigError: the head does not take these options.
        """
        name = own if self.head.name == OWN else self.head.name
        slot = Slot("head", "head", channels, None, None, None, own, name)
        flatten = name == FLATTEN
        return self._remember(slot, nn.Identity() if flatten else self._create(slot, self.head.options))

    def stride_of(self, name: str) -> Pair:
        """Return the stride of the layer in a slot that has been filled; a shortcut around it needs the same."""
        stride = self._filled[name][0].stride
        assert stride is not None
        return stride

    def close(self, model: nn.Module) -> dict[str, Slot]:
        """Return every slot by name when all are filled; `paths` then has the name of each layer in `model`.

        Raises:
            ConfigError: `pooling.slots` or `pooling.at` names a slot that the backbone does not have, or a head was
                requested and the backbone has none.
        """
        self._check_slots(self.pooling)
        self._check_head()
        where = {id(module): path for path, module in model.named_modules()}
        self.paths = {name: where[id(module)] for name, (_, module) in self._filled.items()}
        return {name: slot for name, (slot, _) in self._filled.items()}

    def _window(self, slot: Slot, own_geometry: dict[str, Any]) -> nn.Module:
        asked = self.pooling.filling(slot.name)
        name = asked.name if asked else slot.own
        given = asked.geometry if asked else {}
        if get_pool(name).role == "window":
            geometry = {**own_geometry, **given}
            kernel_size, stride, padding = (_pair(geometry[key], key) for key in ("kernel_size", "stride", "padding"))
            slot = replace(slot, pooling=name, kernel_size=kernel_size, stride=stride, padding=padding)
        else:  # it has no window, and the map keeps its size
            geometry = dict(given)
            slot = replace(slot, pooling=name, kernel_size=(1, 1), stride=(1, 1), padding=(0, 0))
        pool = self._create(slot, {**geometry, **(asked.options if asked else {})})
        if pool.out_channels(slot.channels) != slot.channels:
            raise ConfigError(
                f"{self.backbone}: pooling {name} turns the {slot.channels} channels of slot {slot.name} into "
                f"{pool.out_channels(slot.channels)}, and the layer behind it takes {slot.channels}: choose another"
                f"{', or pooling.project=true' if 'project' in pool.options else ''}."
            )
        return self._remember(slot, pool)

    def _create(self, slot: Slot, arguments: Mapping[str, Any]) -> Pool:
        try:
            return create_pool(slot.pooling, channels=slot.channels, **arguments)
        except (ValueError, TypeError) as error:
            group = "head" if slot.kind == "head" else "pooling"
            raise ConfigError(
                f"{self.backbone}: {group} {slot.pooling} cannot fill slot {slot.name} "
                f"({slot.channels} channels): {error}{_larger_window(str(error))}"
            ) from error

    def _remember(self, slot: Slot, module: nn.Module) -> nn.Module:
        self._filled[slot.name] = (slot, module)
        return module

    def _check_slots(self, pooling: PoolingConfig) -> None:
        slots = pooling.slots if isinstance(pooling.slots, tuple) else ()
        allowed = [name for name, (slot, _) in self._filled.items() if slot.kind != "head"]
        faults = unknown_slots(self.backbone, "pooling.slots", slots, allowed)
        faults += unknown_slots(self.backbone, "pooling.at", pooling.at, allowed)
        if faults:
            raise ConfigError("\n".join(faults))

    def _check_head(self) -> None:
        if self.head.name != OWN and "head" not in self._filled:
            raise ConfigError(
                f"{self.backbone} has no head, since it keeps the map: head={self.head.name} cannot be used. Leave "
                "head=own; pooling= fills its slots."
            )


def unknown_slots(backbone: str, where: str, asked: Iterable[str], allowed: list[str]) -> list[str]:
    """Return the fault of a setting that names slots which the backbone does not have, or no fault.

    >>> unknown_slots("mine", "pooling.at", ["pol1"], ["pool1"])
    ['mine has no pooling slot pol1: did you mean pool1? Allowed in pooling.at: pool1.']
    """
    unknown = [name for name in asked if name not in allowed]
    if not unknown:
        return []
    hint = "the head is chosen with head=. " if "head" in unknown else nearest(unknown[0], allowed)
    every = ["all", *allowed] if where == "pooling.slots" else allowed
    return [f"{backbone} has no pooling slot {', '.join(unknown)}: {hint}Allowed in {where}: {', '.join(every)}."]


def _pair(value: Any, key: str = "geometry") -> Pair:
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2 or not all(isinstance(part, int) and not isinstance(part, bool) for part in pair):
        raise ConfigError(f"pooling.{key}={value!r} is neither an integer nor a pair of integers.")
    return pair


def _larger_window(told: str) -> str:
    """Return which window has the cells that an option asks for; empty where the cells are not the fault."""
    asked = re.search(r"\(the window has no more taps\), found (\d{1,4})$", told)
    return f"; pooling.kernel_size={math.ceil(math.sqrt(int(asked[1])))} would allow it" if asked else ""
