"""The parts of a class's docstring: what the class computes, what to know about it, what its arguments mean."""

import inspect
import re
from dataclasses import dataclass
from textwrap import dedent

SECTIONS = ("Args", "Attributes", "Example", "Raises", "Returns")
END_OF_SENTENCE = re.compile(r"(?<!et al)(?<!e\.g)(?<!i\.e)\.(?=\s+[A-Z`(]|$)")


@dataclass(frozen=True)
class Docstring:
    """Hold the parts of a docstring.

    Attributes:
        formula: the first sentence, which says what the class computes.
        details: the rest of the text before the first section, a string for each paragraph.
        arguments: what `Args:` says, by name.
        raises: what `Raises:` says, by the name of the error.
        example: the doctest, without its indent.
    """

    formula: str
    details: tuple[str, ...]
    arguments: dict[str, str]
    raises: dict[str, str]
    example: str


def parsed(cls: type) -> Docstring:
    """Take the docstring of a class apart; what it does not say about arguments and errors, its bases say.

    >>> from poolab.pooling import get_pool
    >>> parsed(get_pool("lp")).formula
    'Apply Lp pooling, the power mean of absolute values: y = ((1/n) sum_i |x_i|^p)^(1/p).'
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
    raises: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        said = _split(base)[1]
        arguments |= _entries(said.get("Args", ""))
        raises |= _entries(said.get("Raises", ""))
    return Docstring(formula, details, arguments, raises, dedent(sections.get("Example", "")).strip())


def written(cls: type) -> str:
    """Return the docstring as the source has it, without what `Documentation` adds to it."""
    own = vars(cls).get("__doc__")
    return inspect.cleandoc(getattr(own, "written", own) or "")


def _split(cls: type) -> tuple[str, dict[str, str]]:
    """Return the text before the first section, and the sections."""
    heading = re.compile(rf"^({'|'.join(SECTIONS)}):[ ]*$", re.MULTILINE)
    text, *parts = heading.split(written(cls))
    return text, dict(zip(parts[::2], parts[1::2], strict=True))


def _entries(section: str) -> dict[str, str]:
    """Return the entries `name: text`, and `first, second: text`; further lines are indented deeper."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", dedent(section).strip()):
        names, colon, text = entry.partition(":")
        if colon:
            found |= {name.strip(" `*"): " ".join(text.split()) for name in names.split(",")}
    return found
