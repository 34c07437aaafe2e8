"""The parts of a class's docstring: the first sentence, the notes, and the meaning of its arguments."""

import inspect
import re
from dataclasses import dataclass
from textwrap import dedent

SECTIONS = ("Args", "Attributes", "Example", "Raises", "Returns")
END_OF_SENTENCE = re.compile(r"(?<!et al)(?<!e\.g)(?<!i\.e)\.(?=\s+[A-Z`(]|$)")


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring.

    Attributes:
        formula: the first sentence, which says by the house's rule what the class computes.
        details: the rest of the text before the first section, a string for each paragraph.
        arguments: what `Args:` says, by name.
        example: the doctest, without its indent.
    """

    formula: str
    details: tuple[str, ...]
    arguments: dict[str, str]
    example: str


def parsed(cls: type) -> Docstring:
    """Parse the docstring of a class; arguments that it does not describe are looked up in its bases.

    >>> from poolab.pooling import get_pool
    >>> parsed(get_pool("lp")).formula
    'The power mean of the absolute values, y = ((1/n) sum_i |x_i|^p)^(1/p).'
    >>> sorted(parsed(get_pool("lp")).arguments)[-3:]
    ['p', 'padding', 'stride']
    """
    text, sections = _split(cls)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]
    first = paragraphs[0] if paragraphs else ""
    end = END_OF_SENTENCE.search(first)
    formula, rest = (first[: end.end()], first[end.end() :].strip()) if end else (first, "")
    details = tuple(part for part in (rest, *paragraphs[1:]) if part)
    arguments: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        arguments |= _arguments(_split(base)[1].get("Args", ""))
    return Docstring(formula, details, arguments, dedent(sections.get("Example", "")).strip())


def _split(cls: type) -> tuple[str, dict[str, str]]:
    """Return the text before the first section, and the sections."""
    heading = re.compile(rf"^({'|'.join(SECTIONS)}):[ ]*$", re.MULTILINE)
    text, *parts = heading.split(inspect.cleandoc(vars(cls).get("__doc__") or ""))
    return text, dict(zip(parts[::2], parts[1::2], strict=True))


def _arguments(section: str) -> dict[str, str]:
    """Parse entries `name: what it is` and `first, second: what they are`; continued lines are indented deeper."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", dedent(section).strip()):
        names, colon, text = entry.partition(":")
        if colon:
            found |= {name.strip(" `*"): " ".join(text.split()) for name in names.split(",")}
    return found
