"""How a setting reads in the name of an arm: one form for all tables."""

from collections.abc import Mapping
from typing import Any

AT = "pooling.at."  # poolings of single slots
BARE = ("pooling.name", "head.name")  # their values name an arm without the key


def setting_words(key: str, value: Any) -> str:
    """Return a setting as the name of an arm has it.

    >>> setting_words("pooling.name", "max"), setting_words("pooling.slots", ["stage2"]), setting_words("optim.lr", 0.1)
    ('max', 'slots=[stage2]', 'optim.lr=0.1')
    >>> setting_words("pooling.at.pool1.name", "avg"), setting_words("pooling.at.pool1.k", 3)
    ('pool1=avg', 'pool1.k=3')
    """
    return value_words(value) if key in BARE else f"{short_key(key)}={value_words(value)}"


def short_key(key: str) -> str:
    """Return the key without what every reader knows: the pooling's group, and `.name` of a group's choice."""
    if key.startswith(AT):
        return key.removeprefix(AT).removesuffix(".name")
    return key.removeprefix("pooling.").removesuffix(".name")


def value_words(value: Any) -> str:
    """Return a value as it is typed on the command line, on one line.

    >>> value_words([1, "a"]), value_words(None), value_words(0.10), value_words(True)
    ('[1,a]', 'null', '0.1', 'true')
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(map(value_words, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{value_words(one)}' for key, one in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return printable(str(value))


def printable(text: str) -> str:
    r"""Return the text with control characters written out: a name must not move the cursor of a terminal.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode() for one in text
    )
