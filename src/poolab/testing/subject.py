"""The subject of the suite: a class of pooling with one choice of options, and the modules that it makes."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from poolab.pooling import Pool
from poolab.pooling.core import Choice, Integer, Size
from poolab.testing.shapes import KINDS, USUAL, Shape

Oracle = Callable[[Tensor, Pool], Any]
Reference = Callable[[Tensor, Any, Pool], Tensor | None]
Kind = Literal["default", "learned", "choice"]
GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")


@dataclass(frozen=True)
class Subject:
    """A class, the options of one variant, and what its values are compared with.

    Attributes:
        cls: the pooling class; its `dims` says for how many spatial dimensions.
        options: the method's options, those of `cls.trial` among them.
        channels: the channels of every input.
        oracle: (real taps of a window, 1-d float64 in raster order; module) -> number.
        reference: (x in float64, geometry or None, module) -> y; None where it does not say.
        kind: "default", "learned" for another way to learn, "choice" for another value of one option.
        variant: the options that make the kind.
        fixed: geometry arguments of `cls.trial`, which take the place of the suite's own.
    """

    cls: type[Pool]
    options: Mapping[str, Any] = field(default_factory=dict)
    channels: int = 2
    oracle: Oracle | None = None
    reference: Reference | None = None
    kind: Kind = "default"
    variant: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pool: type[Pool],
        options: Mapping[str, Any] | None = None,
        channels: int = 2,
        oracle: Oracle | None = None,
        reference: Reference | None = None,
    ) -> "Subject":
        """Return the default variant: the class's trial options, overridden by the given ones."""
        given = {**pool.trial, **(options or {})}
        channels = given.pop("channels", channels)
        fixed = {name: given.pop(name) for name in GEOMETRY if name in given}
        return cls(pool, given, channels, oracle, reference, fixed=fixed)

    @property
    def dims(self) -> int:
        """The number of spatial dimensions."""
        return self.cls.dims

    @property
    def is_window(self) -> bool:
        """True if the pooling has windows, and with them a geometry."""
        return self.cls.role == "window"

    @property
    def label(self) -> str:
        """The variant in words, "default" for none."""
        return ",".join(f"{name}={value}" for name, value in self.variant.items()) or "default"

    @property
    def usual(self) -> Shape:
        """Overlapping windows, cut at every border."""
        return self.shape(USUAL[self.dims])

    @property
    def small(self) -> Shape:
        """Overlapping windows, cut at a border; few taps, two but for the main case, so that tracing is quick."""
        is_main = self.dims == 2 and self.kind == "default"
        kernel = (2, 2) if is_main else (*(1,) * (self.dims - 1), 2)
        return self.shape(Shape.of(kernel, (1,) * self.dims, [k // 2 for k in kernel]))

    @property
    def shapes(self) -> list[Shape]:
        """Complete windows, overlapping ones, ceil mode, dilation; one where there are no windows."""
        if not self.is_window:
            return [self.usual]
        return list(dict.fromkeys(map(self.shape, KINDS[self.dims])))

    @property
    def modes(self) -> tuple[bool, ...]:
        """The values of `training` in which the method computes different things."""
        return (False, True) if self.cls.random else (False,)

    def shape(self, wanted: Shape) -> Shape:
        """Return the geometry with the class's own trial arguments."""
        own: dict[str, Any] = {
            n: v if n == "ceil_mode" or isinstance(v, tuple) else (v,) * self.dims for n, v in self.fixed.items()
        }
        return replace(wanted, **own)

    def variants(self) -> Iterator["Subject"]:
        """Yield the subject itself, its other ways to learn, and one for each other value of each `Choice`."""
        yield self
        options = self.cls.options
        kinds: list[dict[str, Any]] = []
        if "learnable" in options:
            kinds.append({"learnable": not self._value("learnable")})
            sharing = options.get("sharing")
            if isinstance(sharing, Choice) and "channel" in sharing.allowed and self._value("sharing") != "channel":
                kinds.append({"learnable": True, "sharing": "channel"})
        for kind in kinds:
            yield replace(self, options={**self.options, **kind}, variant=kind, kind="learned")
        for name, option in options.items():
            if not isinstance(option, Choice) or name == "learnable" or (name == "sharing" and "learnable" in options):
                continue
            for value in option.allowed:
                one = replace(self, options={**self.options, name: value}, variant={name: value}, kind="choice")
                if value != self._value(name) and one.is_possible():
                    yield one

    def is_possible(self) -> bool:
        """Return True if the options go together; another value of one option may contradict the rest."""
        try:
            self.make()
        except ValueError:
            return False
        return True

    def make(
        self,
        shape: Shape | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        training: bool = False,
        generator: torch.Generator | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """Create a module with its parameters at their start values in `dtype`; in eval mode unless `training`."""
        torch.manual_seed(seed)
        arguments = {**self.options, **({"generator": generator} if generator else {})}
        if self.is_window:
            shape = shape or self.usual
            arguments |= {**shape.arguments, **self.within(shape.taps)}
        module = self.build(**{**arguments, **options}).to(dtype)
        # A start value such as 0.7 in float32 and then in float64 is another number.
        module.reset_parameters()
        return module.train(training)

    def build(self, **arguments: Any) -> Pool:
        """Call the constructor with these arguments, and with `channels` where the class takes them."""
        if self.cls.uses_channels != "never":
            arguments = {"channels": self.channels, **arguments}
        return self.cls(**arguments)

    def within(self, taps: int) -> dict[str, Any]:
        """Return the options that the window's size bounds, with values that a window of so many `taps` allows."""
        bounded = [n for n, option in self.cls.options.items() if isinstance(option, Integer) and option.within_window]
        return {name: min(self._value(name), taps) for name in bounded}

    def output_size(self, size: int) -> dict[str, Any]:
        """Return the option that sets the number of bins, where the class has it."""
        return {n: size for n, o in self.cls.options.items() if isinstance(o, Size) and n == "output_size"}

    def sizes(self, *lengths: int) -> tuple[int, ...]:
        """Return sizes of a map: the first `dims` of the given lengths."""
        return lengths[: self.dims]

    def distinct(self, *lengths: int, batch: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return a map of `distinct` values."""
        return distinct(batch, self.channels, *self.sizes(*lengths), dtype=dtype)

    def normal(self, seed: int, *lengths: int, batch: int = 1) -> Tensor:
        """Return a map of normal values in float64; an odd seed rounds them, so that taps tie and zeros occur."""
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, self.channels, *self.sizes(*lengths))
        values = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.round() if seed % 2 else values

    def parameters_of(self) -> list[str]:
        """Return the names of the constructor's parameters."""
        return list(inspect.signature(self.cls).parameters)

    def _value(self, name: str) -> Any:
        return self.options.get(name, self.cls.options[name].default)


def distinct(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Values in (-2, 2) in random order, clearly apart from each other, from minus each other and from 0."""
    count, generator = torch.Size(shape).numel(), torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    # Off the grid, on which the sums of two groups of elements would often be equal.
    off = 0.2 + 0.2 * torch.rand(count, generator=generator, dtype=torch.float64)
    return ((order + off) / count * 4 - 2).reshape(shape).to(dtype)


def mode(training: bool) -> str:
    """Return a mode in words, for a message."""
    return "in training" if training else "in evaluation"


def seeded(module: torch.nn.Module, x: Tensor, seed: int = 1) -> Tensor:
    """Return the output with the random numbers of one fixed seed."""
    torch.manual_seed(seed)
    return module(x)
