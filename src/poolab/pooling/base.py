"""What every pooling is: its attributes, its options and its place in tables, tests and surgery."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from poolab.pooling.options import Option

Role = Literal["window", "global", "channel", "same"]
Use = Literal["never", "option", "always"]


@dataclass(frozen=True)
class Reference:
    """Where a method comes from."""

    authors: str
    year: int
    source: str

    def __str__(self) -> str:
        """One line, as in a table."""
        return f"{self.authors}, {self.year}, {self.source}"


class Pool(nn.Module):
    """The base of all poolings; its class attributes drive tests, tables, surgery and reports.

    Attributes:
        name: the method's stem, as in configurations; set by `register`.
        role: "window" (local, reduces by a stride), "global" (a head), "channel" or "same" (keeps the size).
        random: whether it draws random numbers in training.
        learns: whether it has parameters: never, by an option, or always.
        uses_channels: whether it must know the number of channels: never, by an option, or always.
        positional: whether a cell's place in the window matters, beyond its value.
        options: the method's own options by name.
        reference: authors, year, arXiv or DOI.
        exempt: items of the conformance suite that do not apply, each with its reason.
    """

    name: ClassVar[str]
    role: ClassVar[Role]
    random: ClassVar[bool] = False
    learns: ClassVar[Use] = "never"
    uses_channels: ClassVar[Use] = "never"
    positional: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {}
    reference: ClassVar[Reference]
    exempt: ClassVar[Mapping[str, str]] = {}
    _formula_names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read off what the formula takes, and show the options in the constructor's signature."""
        super().__init_subclass__(**kwargs)
        if "formula" in vars(cls):
            cls._formula_names = tuple(inspect.signature(cls.formula).parameters)[1:]
        cls.__signature__ = constructor_signature(cls)  # type: ignore[attr-defined]

    @staticmethod
    def formula(*arguments: Any, **options: Any) -> Tensor:
        """The method itself; each leaf writes its own."""
        raise TypeError("this pooling has no formula: give its class a static method formula(windows, ...)")

    def arguments(self) -> dict[str, Any]:
        """What the formula gets beside its windows; a learnable method puts its parameters in place of the options."""
        return {name: getattr(self, name) for name in self._formula_names}

    def out_channels(self, channels: int) -> int:
        """The number of channels that come out for `channels` going in."""
        return channels

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, as torch's layers show them."""
        shown = [f"{name}={value!r}" for name, value in self._given().items()]
        return ", ".join(shown)

    def _given(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n, option in self.options.items() if getattr(self, n) != option.default}


def constructor_signature(cls: type[Pool]) -> inspect.Signature:
    """The constructor's parameters with the declared options in place of `**options`."""
    shown = [p for p in list(inspect.signature(cls.__init__).parameters.values())[1:] if p.kind is not p.VAR_KEYWORD]
    if cls.uses_channels == "never":
        shown = [p for p in shown if p.name != "channels"]
    if not cls.random:
        shown = [p for p in shown if p.name != "generator"]
    taken = {p.name for p in shown}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default)
        for name, option in cls.options.items()
        if name not in taken
    ]
    return inspect.Signature([*shown, *options])


def check_floating(owner: str, input: Tensor) -> None:
    """Refuse what a pooling is not defined on, with what would be right."""
    if not input.is_floating_point():
        raise TypeError(
            f"{owner}: the input must have a floating dtype, found {input.dtype}; convert it, e.g. x.float()"
        )
    if input.dim() not in (3, 4):
        raise ValueError(f"{owner}: the input must be (N, C, H, W) or (C, H, W), found shape {tuple(input.shape)}")
