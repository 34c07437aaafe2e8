"""A card as text for the terminal, and as Markdown."""

import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap

from poolab.catalogue.card import Card

CODE = ("class", "signature", "function")  # facts that are code and not prose
MARGIN = 21  # of the facts, for the longest of their headings
MARKS = re.compile(r"(`[^`]*`)|([*<~$|\\]|(?<![A-Za-z0-9)])_)")  # what is code already, and what Markdown would take


def text(card: Card, width: int = 80) -> str:
    """Return the card in lines of at most `width` columns.

    >>> from poolab.catalogue.card import card as card_of
    >>> text(card_of("min"), width=72).splitlines()[:2]
    ['min: MinPool2d', 'a window method; deterministic; learns nothing']
    """
    return "\n".join(_lines(card, width)).rstrip()


def _lines(card: Card, width: int) -> Iterator[str]:
    yield f"{card.name}: {card.class_name}"
    yield from _wrapped(card.kind, width)
    for paragraph in (card.formula, *card.details):
        yield from ("", *_wrapped(paragraph, width))
    yield from ("", "Options" if card.options else "Options: none beyond those of its signature")
    for row in card.options:
        yield from _wrapped(f"{row.name}: {row.allowed}; default {row.default}", width, "  ", "      ")
        yield from _wrapped(row.meaning, width, "      ")
    yield from ("", "Use", *_facts(card.use, width))
    yield from ("", *_wrapped(f"Cost of {card.measured_on}", width), *_facts(card.cost, width))
    yield from _list("Where implementations differ", card.disagreements, width)
    yield from _list("Not asked of it by the conformance suite", exemptions(card), width)
    yield from ("", "Example")
    yield from (f"  {line}" for line in card.example.splitlines())


def _facts(facts: Mapping[str, str], width: int) -> Iterator[str]:
    for title, fact in facts.items():
        yield from _wrapped(fact, width, f"  {title:<{MARGIN - 2}}", " " * MARGIN)


def _list(title: str, entries: Iterable[str], width: int) -> Iterator[str]:
    lines = [line for entry in entries for line in _wrapped(entry, width, "  - ", "    ")]
    yield from ["", title, *lines] if lines else []


def _wrapped(content: str, width: int, first: str = "", then: str | None = None) -> list[str]:
    later = first if then is None else then
    return wrap(content, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def exemptions(card: Card) -> list[str]:
    """Return each item of the conformance suite that the method is exempt from, with the reason."""
    return [f"{item}: {why}" for item, why in card.exempt.items()]


def markdown(card: Card) -> str:
    """Return the card as a Markdown page."""
    return "\n\n".join(_parts(card))


def _parts(card: Card) -> Iterator[str]:
    yield f"# {card.name}"
    yield from map(escaped, (card.formula, *card.details))
    yield f"{card.kind[0].upper()}{card.kind[1:]}."
    yield "## Options" if card.options else "## Options\n\nNone beyond those of its signature."
    if card.options:
        yield table(
            ("option", "default", "allowed", "meaning"),
            [(code(row.name), code(row.default), escaped(row.allowed), escaped(row.meaning)) for row in card.options],
        )
    for title, about, facts in (("Use", card.class_name, card.use), ("Cost", card.measured_on, card.cost)):
        rows = [(name, _fact(name, fact)) for name, fact in facts.items()]
        yield f"## {title}\n\n{table((title.lower(), escaped(about)), rows)}"
    for title, entries in (
        ("Where implementations differ", card.disagreements),
        ("Not asked of it by the conformance suite", exemptions(card)),
    ):
        yield from [f"## {title}", "\n".join(f"- {escaped(entry)}" for entry in entries)] if entries else []
    yield f"## Example\n\n```python\n{card.example}\n```"


def _fact(title: str, fact: str) -> str:
    return code(fact) if title in CODE and not fact.startswith("none") else escaped(fact)


def code(content: str) -> str:
    """Return code for a cell of a Markdown table."""
    return f"`{content}`".replace("|", r"\|")


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table of cells that are Markdown already."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def escaped(content: str) -> str:
    r"""Return text so that Markdown shows its formulas unchanged, also in a table.

    >>> print(escaped("y = (|a| * b < c) as in `x|y` and w_i x_(r)"))
    y = (\|a\| \* b \< c) as in `x\|y` and w_i x_(r)
    """
    return MARKS.sub(lambda found: (found[1] or "").replace("|", r"\|") or "\\" + found[2], content)
