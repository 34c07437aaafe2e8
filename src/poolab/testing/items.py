"""The items of the suite: a named check each, and to which subjects it applies."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from poolab.testing.subject import Kind, Subject

ROLES = ("window", "global", "channel", "same")
BREADTH: tuple[Kind, ...] = ("default", "learned", "choice")
Check = Callable[[Subject], str | None]


@dataclass(frozen=True)
class Item:
    """One thing that every pooling does.

    Attributes:
        name: as in `Pool.exempt`.
        check: raises AssertionError where the subject does not do it; may answer a remark.
        says: what it checks, from the check's docstring.
        roles: the roles that it applies to.
        dims: the numbers of dimensions that it applies to.
        variants: how many kinds of variants it is worth: "default" alone, "learned" too, or every "choice".
        random_only: whether it speaks of random methods alone.
    """

    name: str
    check: Check
    says: str
    roles: tuple[str, ...] = ROLES
    dims: tuple[int, ...] = (1, 2, 3)
    variants: Kind = "default"
    random_only: bool = False

    def applies(self, subject: Subject) -> bool:
        """Return True if the item can be checked on the subject."""
        return (
            subject.cls.role in self.roles
            and subject.dims in self.dims
            and BREADTH.index(subject.kind) <= BREADTH.index(self.variants)
            and (subject.cls.random or not self.random_only)
        )


ITEMS: dict[str, Item] = {}


class Unavailable(Exception):
    """A check cannot run here; the message says what is missing."""


def _statement(check: Check) -> str:
    """Return what a check makes sure of: the first paragraph of its docstring without "Check that"."""
    text = " ".join(inspect.cleandoc(check.__doc__ or "").partition("\n\n")[0].split()).removeprefix("Check that ")
    return text[:1].upper() + text[1:]


def item(name: str, **where: Any) -> Callable[[Check], Check]:
    """Enter a check into the suite."""

    def add(check: Check) -> Check:
        ITEMS[name] = Item(name, check, _statement(check), **where)
        return check

    return add


def expect(holds: Any, *said: object) -> None:
    """Raise AssertionError with the joined parts of the message, unless the condition holds."""
    if not holds:
        raise AssertionError(" ".join(map(str, said)))


def expect_close(found: Tensor, expected: Tensor, *said: object, rtol: float, atol: float) -> None:
    """Raise AssertionError with the message and the worst place, unless both are equal within the tolerance; NaN equals
    NaN.
    """
    expect(found.shape == expected.shape, *said, f": expected shape {list(expected.shape)}, found {list(found.shape)}")
    close = torch.isclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)
    if not close.all():
        error = (found - expected).abs().masked_fill(close, -1.0).nan_to_num(nan=torch.inf)
        place = tuple(int(i) for i in torch.unravel_index(error.argmax(), error.shape))
        where = f"at {list(place)} expected {expected[place].item():.9g}, found {found[place].item():.9g}"
        raise AssertionError(" ".join(map(str, said)) + f": {where} ({int((~close).sum())} of {close.numel()} differ)")


def expect_refusal(kind: type[Exception], call: Callable[[], Any], parts: Iterable[str], *said: object) -> None:
    """Raise AssertionError unless the call raises `kind` with a message that holds all the parts."""
    try:
        call()
    except kind as refusal:
        missing = [part for part in parts if part not in str(refusal)]
        expect(not missing, *said, f": the message must say {missing}, found {str(refusal)!r}")
    except Exception as other:
        raise AssertionError(f"{' '.join(map(str, said))}: expected {kind.__name__}, found {other!r}") from other
    else:
        raise AssertionError(f"{' '.join(map(str, said))}: expected {kind.__name__}, but nothing was refused")
