"""Text from elsewhere (names of files, classes and arms, output of other programs) for a terminal or a log."""


def printable(text: object) -> str:
    r"""Return a text in which characters that steer a terminal, or that it cannot show, are written as escapes.

    Line breaks and tabs stay. Bytes of a file's name that are not UTF-8 are shown as bytes.

    >>> print(printable("k=\x1b[2Jgone"), printable(b"caf\xe9".decode(errors="surrogateescape")))
    k=\x1b[2Jgone caf\xe9
    """
    return "".join(one if one.isprintable() or one in "\n\t" else _escaped(one) for one in str(text))


def one_line(text: object) -> str:
    r"""Return a printable text without line breaks and tabs.

    >>> print(one_line("a\nb"))
    a\nb
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
