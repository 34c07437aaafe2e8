"""Texts from elsewhere (names of files, classes and arms, words of other programs) for a terminal or a log."""


def printable(text: object) -> str:
    r"""Return a text in which characters that steer a terminal, or that it cannot show, are written as escapes.

    Line breaks and tabulators stay. Bytes of a file's name that are no UTF-8 are shown as bytes.

    >>> print(printable("k=\x1b[2Jgone"), printable(b"caf\xe9".decode(errors="surrogateescape")))
    k=\x1b[2Jgone caf\xe9
    """
    readable = str(text).encode("utf-8", "surrogateescape" if _has_bytes(str(text)) else "surrogatepass")
    shown = readable.decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() or one in "\n\t" else _escaped(one) for one in shown)


def one_line(text: object) -> str:
    r"""Return a printable text without line breaks and tabulators.

    >>> print(one_line("a\nb"))
    a\nb
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _has_bytes(text: str) -> bool:
    """Whether all lone surrogates of a text stand for bytes, as Python decodes the names of files."""
    return all("\udc80" <= one <= "\udcff" for one in text if "\ud800" <= one <= "\udfff")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()
