"""A table of all methods in 80 columns, and as Markdown."""

from collections.abc import Sequence
from typing import Any

from poolab.catalogue import render
from poolab.pooling import Pool, Reference, get_pool, list_pools
from poolab.pooling.core import Role, parsed
from poolab.pooling.registry import SIBLINGS

ROLES: tuple[Role, ...] = ("window", "global", "channel", "same")
COLUMNS = ("name", "role", "learns", "random", "channels", "dims", "reference")
USES = {"never": "-", "option": "option", "always": "yes"}
LONGEST = 26  # what 80 columns leave for a reference


def listed(role: Role | None = None) -> list[str]:
    """Return the names of all methods, or of those of one role: by role, then by name."""
    return sorted(list_pools(role), key=lambda name: (ROLES.index(get_pool(name).role), name))


def rows(names: Sequence[str]) -> list[dict[str, str]]:
    """Return one row for each method.

    >>> list(rows(["strided_conv"])[0].values())[:6]
    ['strided_conv', 'window', 'yes', '-', 'yes', '1 2 3']
    """
    return [_row(get_pool(name)) for name in names]


def _row(cls: type[Pool]) -> dict[str, str]:
    dims = [dims for dims in (1, 2, 3) if dims == cls.dims or (cls.name, dims) in SIBLINGS]
    return {
        "name": cls.name,
        "role": cls.role,
        "learns": USES[cls.learns],
        "random": "yes" if cls.random else "-",
        "channels": USES[cls.uses_channels],
        "dims": " ".join(map(str, dims)),
        "reference": str(cls.reference),
    }


def short(reference: Reference, longest: int = LONGEST) -> str:
    """Return a reference for a narrow table: at most two names, and the year.

    >>> short(Reference("Stergiou, Poppe, Kalliatakis", 2021, "arXiv:2101.00440"))
    'Stergiou et al. 2021'
    """
    authors = reference.authors.split(" (")[0].split(", ")
    names = f"{authors[0]} et al." if len(authors) > 2 else ", ".join(authors)
    room = longest - len(f" {reference.year}")
    return f"{names if len(names) <= room else names[: room - 3] + '...'} {reference.year}"


def print_pools(names: Sequence[str]) -> None:
    """Print the methods to the terminal, or 80 columns wide to a pipe."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, padding=(0, 1, 0, 0))
    for column in COLUMNS:
        shown.add_column(column, no_wrap=column != "reference", overflow="fold")
    for row in rows(names):
        shown.add_row(*(row | {"reference": short(get_pool(row["name"]).reference)}).values())
    console: Any = Console(highlight=False)
    console.print(shown)
    console.print("\nmore on one: poolab pools NAME; a picture: poolab pools NAME --show FILE", markup=False)


def markdown(names: Sequence[str], link: str = "{name}") -> str:
    """Return the methods as a Markdown table; `link` makes a name's cell, e.g. "[{name}]({name}.md)"."""
    header = (COLUMNS[0], "computes", *COLUMNS[1:])
    lines = []
    for name, row in zip(names, rows(names), strict=True):
        first, *rest = (render.escaped(cell) for cell in row.values())
        lines.append((link.format(name=first), render.escaped(parsed(get_pool(name)).formula), *rest))
    return render.table(header, lines)
