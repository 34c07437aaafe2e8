"""The base class of all poolings: attributes, options, and what tables, tests and surgery ask of a pooling."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.compiler import is_exporting

from poolab.pooling.core.geometry import SIZE_TYPES, IntOrSizes, Padding
from poolab.pooling.core.learned import Learned
from poolab.pooling.core.open_sizes import is_open
from poolab.pooling.core.options import Option, is_whole, sorted_out
from poolab.pooling.core.padding_words import PaddingWord

Role = Literal["window", "global", "channel", "same"]
Use = Literal["never", "option", "always"]
EXTRAS = ("training", "generator", "labels")  # what a formula may take beside the options, with a default of its own


@dataclass(frozen=True)
class Reference:
    """Name where a method comes from."""

    authors: str
    year: int
    source: str

    def __str__(self) -> str:
        """Return one line, as in a table."""
        return f"{self.authors}, {self.year}, {self.source}"


class _Signature:
    """Give a class's constructor its options; made when asked for, since 140 classes at import took 20 ms."""

    def __get__(self, owner: object, cls: type["Pool"]) -> inspect.Signature:
        return constructor_signature(cls)


class Pool(nn.Module):
    """Define what all layers have: class attributes drive tests, tables, documentation, surgery and reports.

    Attributes:
        name: the method's stem, as in configurations; set by `register`.
        dims: the number of spatial dimensions.
        role: "window" (local, reduces by a stride), "global" (a head), "channel" or "same" (keeps the size).
        random: whether it draws random numbers in training.
        learns: whether it has parameters: never, by an option, or always.
        uses_channels: whether it must know the number of channels: never, by an option, or always.
        positional: whether a tap's place in the window matters, beyond its value.
        resizes: whether the output's size may change while it learns.
        output_shape: the output's shape for an input (N, C, H, W), as Python writes it; a window method needs none.
        options: the method's own options by name.
        learned: the option that `learnable=True` turns into a parameter.
        reference: authors, year, arXiv or DOI; a class of the user's own may leave it out.
        evaluates: what it computes in evaluation where that is not what it computes in training.
        disagreements: how public implementations differ from this one and from each other, a sentence each.
        exempt: items of the conformance suite that do not apply, each with its reason.
        trial: options that make the method small enough for a test, where the defaults are not.
    """

    name: ClassVar[str]
    role: ClassVar[Role]
    dims: ClassVar[int] = 2
    random: ClassVar[bool] = False
    learns: ClassVar[Use] = "never"
    uses_channels: ClassVar[Use] = "never"
    positional: ClassVar[bool] = False
    resizes: ClassVar[bool] = False
    output_shape: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Option]] = {}
    learned: ClassVar[Learned | None] = None
    reference: ClassVar[Reference]
    evaluates: ClassVar[str] = ""
    disagreements: ClassVar[tuple[str, ...]] = ()
    exempt: ClassVar[Mapping[str, str]] = {}
    trial: ClassVar[Mapping[str, Any]] = {}
    __signature__ = _Signature()
    _formula_names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read off what the formula takes."""
        super().__init_subclass__(**kwargs)
        if "formula" in vars(cls):
            cls._formula_names = tuple(inspect.signature(cls.formula).parameters)[1:]

    @staticmethod
    def formula(*arguments: Any, **options: Any) -> Tensor:
        """Compute the method itself; each leaf writes its own."""
        raise TypeError("this pooling has no formula: give its class a static method formula(windows, ...)")

    def arguments(self) -> dict[str, Any]:
        """Return what the formula gets beside its windows; a learned value takes the place of its option."""
        values = {name: getattr(self, name) for name in self._formula_names}
        if self.learned is not None and self.is_learning:
            values[self.learned.option] = self.learned.current(self)
        return values

    def conflicts(self) -> Iterator[str]:
        """Tell what is wrong with the options together, or with `channels`, each option being right by itself."""
        yield from ()

    def build(self) -> None:
        """Make the parameters, buffers and layers, where the method has any; here, those of a learned option."""
        if self.learned is not None and self.is_learning:
            self.learned.make(self, self.shared_shape)

    def reset_parameters(self) -> None:
        """Set every parameter of this module itself to its start; layers inside it have their own method."""
        if self.learned is not None and self.is_learning:
            self.learned.reset(self)

    def out_channels(self, channels: int) -> int:
        """Return the number of channels that come out for `channels` going in."""
        return channels

    def extra_repr(self) -> str:
        """Return the arguments that differ from their defaults, as torch's layers show them."""
        shown = [f"{name}={value!r}" for name, value in self._given().items()]
        return ", ".join(shown)

    @property
    def is_learning(self) -> bool:
        """Return True if the option `learnable` asks for a parameter."""
        return bool(getattr(self, "learnable", False))

    @property
    def is_per_channel(self) -> bool:
        """Return True if each channel has a parameter of its own; where nothing is learned there is none to share."""
        asked = getattr(self, "sharing", None) == "channel" or bool(getattr(self, "per_channel", False))
        return asked and (self.is_learning or "learnable" not in self.options)

    @property
    def shared_shape(self) -> tuple[int, ...]:
        """Return the shape of a parameter that the layer shares, or that each channel has for itself.

        A shared one has the shape (1,): FSDP2's `fully_shard` cuts parameters along their first dimension.
        """
        return (self.channels or 1, *(1,) * self.dims) if self.is_per_channel else (1,)

    @property
    def is_bound_to_channels(self) -> bool:
        """Return True if the parameters are those of one number of channels."""
        return self.uses_channels == "always" or self.is_per_channel

    def check_channels(self, input: Tensor, owner: str = "") -> None:
        """Refuse a map whose channels are not those that the parameters were made for, in the name of `owner`."""
        if self.channels is None or not self.is_bound_to_channels or input.dim() <= self.dims:
            return
        found = input.shape[-self.dims - 1]
        if found != self.channels:
            name, shape = owner or type(self).__name__, tuple(input.shape)
            raise ValueError(f"{name}: made for channels={self.channels}, found {found} channels in {shape}")

    def _take(
        self, options: Mapping[str, Any], taps: int | None, channels: int | None, faults: list[str] | None = None
    ) -> None:
        """Check and keep the options and `channels`, tell all faults at once, then build."""
        owner, faults = type(self).__name__, list(faults or ())
        values, wrong = sorted_out(self.options, options, taps)
        for name, value in values.items():
            setattr(self, name, value)
        self.channels = channels
        found = [*wrong.values(), *self._channel_faults()]
        if self.learned is not None and self.is_learning and self.learned.option not in wrong:
            start = self.learned.fault(float(getattr(self, self.learned.option)))
            found += [start] if start else []
        if not wrong and not faults:  # what it says of options and geometry, it says of right ones
            found += self.conflicts()
        faults += [f"{owner}: {'; '.join(found)}"] if found else []
        if faults:
            raise ValueError("; ".join(faults))
        with torch.inference_mode(False):  # a parameter that is made under inference_mode could never be trained
            self.build()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any, **keywords: Any) -> None:
        """Load the own parameters; a learned number that was kept with the shape () gets its (1,)."""
        for name, parameter in self.named_parameters(prefix.removesuffix("."), recurse=False):
            kept = state_dict.get(name)
            if isinstance(kept, Tensor) and kept.dim() == 0 and parameter.shape == (1,):
                state_dict[name] = kept.reshape(1)
        super()._load_from_state_dict(state_dict, prefix, *arguments, **keywords)

    @property
    def itself(self) -> "Pool":
        """Return the layer: what a traced graph of the layer alone calls (see `traced`)."""
        return self

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse torch.jit.script.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{type(self).__name__}: torch.jit.script cannot compile it, since torch's script language knows no "
            "formulas chosen by class; use torch.export.export(module, (input,)), or torch.jit.trace(module, input)"
        )

    def _channel_faults(self) -> Iterator[str]:
        channels = self.channels
        if channels is not None and self.uses_channels == "never":
            yield f"takes no channels (found {channels!r}): leave it out"
        elif channels is not None and not (is_whole(channels) and channels >= 1):
            yield f"channels must be an int >= 1, found {channels!r}"
        elif channels is None and self.uses_channels == "always":
            yield "needs channels, the number of channels of its input"
        elif channels is None and self.uses_channels == "option" and self.is_per_channel:
            option = "sharing='channel'" if "sharing" in self.options else "per_channel=True"
            yield f"{option} needs channels, the number of channels of its input"

    def _given(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n, option in self.options.items() if getattr(self, n) != option.default}


def constructor_signature(cls: type[Pool]) -> inspect.Signature:
    """Return the constructor's parameters with the declared options in place of `**options`."""
    hidden = {*(["channels"] if cls.uses_channels == "never" else []), *([] if cls.random else ["generator"])}
    declared = list(inspect.signature(cls.__init__).parameters.values())[1:]
    shown = [p for p in declared if p.kind is not p.VAR_KEYWORD and p.name not in hidden]
    shown = [p.replace(annotation=sized(p.annotation, cls.dims)) for p in shown]
    if cls.uses_channels == "always":  # None is refused with the other faults, in one message
        shown = [p.replace(annotation=int, default=p.empty) if p.name == "channels" else p for p in shown]
    taken = {p.name for p in shown}
    options = [option_parameter(name, option) for name, option in cls.options.items() if name not in taken]
    return inspect.Signature([*shown, *options])


def option_parameter(name: str, option: Option) -> inspect.Parameter:
    """Return an option as a parameter by keyword, with its default and its type."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.annotation)


def sized(annotation: Any, dims: int) -> Any:
    """Return a type in which "an int, or one for each dimension" says how many dimensions there are."""
    size: Any = SIZE_TYPES[dims]
    return {IntOrSizes: size, IntOrSizes | None: size | None, Padding: size | PaddingWord}.get(annotation, annotation)


def formula_parameters(cls: type[Pool]) -> dict[str, inspect.Parameter]:
    """Return what the formula takes beside its windows or its map."""
    return dict(list(inspect.signature(cls.formula).parameters.items())[1:])


def has_twin(cls: type[Pool]) -> bool:
    """Return True if the formula takes only options and random numbers, so that a function can compute it."""
    return cls.learns != "always" and set(formula_parameters(cls)) <= {*cls.options, *EXTRAS}


LAYOUTS = {1: ("(N, C, L)", "(C, L)"), 2: ("(N, C, H, W)", "(C, H, W)"), 3: ("(N, C, D, H, W)", "(C, D, H, W)")}


def check_floating(owner: str, input: Tensor, dims: int = 2) -> None:
    """Refuse what a pooling is not defined on, with what would be right."""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{owner}: the input must be a torch.Tensor, found {type(input).__name__}; e.g. torch.tensor(x)"
        )
    if not input.is_floating_point() or input.dtype.itemsize < 2:  # torch computes with no number of 8 bits
        raise TypeError(
            f"{owner}: the input must have a floating dtype, found {input.dtype}; convert it, e.g. x.float()"
        )
    if input.is_nested or input.layout is not torch.strided:
        found, instead = _no_dense_map(input)
        raise TypeError(f"{owner}: the input must be a dense map, found {found}; {instead}")
    if input.dim() not in (dims + 1, dims + 2):
        raise ValueError(f"{owner}: the input must be {' or '.join(LAYOUTS[dims])}, found shape {tuple(input.shape)}")


def _no_dense_map(input: Tensor) -> tuple[str, str]:
    """Return what kind of tensor is no dense map, and what to do with it."""
    if input.is_nested:
        return "a nested tensor", "pool its maps one by one, e.g. [pool(x) for x in nested.unbind()]"
    return f"layout {input.layout}", "convert it, e.g. x.to_dense()"


def memory_format(input: Tensor) -> torch.memory_format:
    """Return channels_last where the map is laid out so and only so, else contiguous (as inside vmap).

    Where an exporter leaves the size open the answer would hold for the example alone, so it is contiguous.
    """
    if (is_exporting() and is_open(*input.shape[2:])) or torch._C._functorch.is_batchedtensor(input) or _is_mapped():
        return torch.contiguous_format
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(input.dim())
    if last is not None and input.is_contiguous(memory_format=last) and not input.is_contiguous():
        return last
    return torch.contiguous_format


def _is_mapped() -> bool:
    """Return True inside vmap, as in jacfwd, where tangents are batched though the map is not: torch copies no batched
    tensor to channels_last.
    """
    if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is None:
        return False
    stack = torch._C._functorch.get_interpreter_stack() or []
    return any(level.key() == torch._C._functorch.TransformType.Vmap for level in stack)
