"""Text that a terminal shows and does not obey, on an output that may be full or gone."""

import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

# Control characters but the line break and the tabulator, marks that turn the direction of writing, lone surrogates.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text with its control characters written out: an escape sequence could hide what happened.

    >>> print(printable("k=\x1b[2Jgone"))
    k=\x1b[2Jgone
    """
    return OBEYED.sub(lambda found: _written_out(ord(found[0])), text)


def one_line(text: str) -> str:
    r"""Return a printable text without line breaks.

    >>> print(one_line("a\nb"))
    a\nb
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class Output:
    """Standard output that costs no study: what cannot be written is dropped, since the journal has it.

    A full disk under a log, or a reader that is gone (`... | head`), would else end the runner.
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.lost = self.stream is None  # started without an output: `>&-`

    def write(self, text: str) -> int:
        """Write a text; characters that the output's encoding lacks are written out."""
        if not self.lost:
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                encoding = self.stream.encoding or "ascii"
                self.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except (OSError, ValueError):  # a ValueError is a closed file
                self._give_up()
        return len(text)

    def flush(self) -> None:
        """Hand over what was written."""
        if not self.lost:
            try:
                self.stream.flush()
            except (OSError, ValueError):
                self._give_up()

    def say(self, text: str) -> None:
        """Write lines, and hand them over at once."""
        self.write(f"{printable(text)}\n")
        self.flush()

    def _give_up(self) -> None:
        """Send what is still buffered nowhere, so that the interpreter's last flush is no fault."""
        self.lost = True
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.stream.fileno())
            os.close(nothing)

    def __getattr__(self, name: str) -> Any:
        """The rest (encoding, isatty, fileno) is the stream's own."""
        return getattr(self.stream, name)
