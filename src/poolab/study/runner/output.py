"""Standard output that may be full or closed."""

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from poolab.text import printable


class Output:
    """Standard output whose errors do not stop a study: what cannot be written is dropped, since the journal has it.

    A full disk under a log, or a reader that is gone (`... | head`), would else end the runner.
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.lost = self.stream is None  # started without an output: `>&-`

    def write(self, text: str) -> int:
        """Write a text; characters that the output's encoding lacks are escaped."""
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
        """Flush what was written."""
        if not self.lost:
            try:
                self.stream.flush()
            except (OSError, ValueError):
                self._give_up()

    def say(self, text: str) -> None:
        """Write lines and flush them at once."""
        self.write(f"{printable(text)}\n")
        self.flush()

    def _give_up(self) -> None:
        """Send what is still buffered to nowhere, so that the interpreter's last flush raises no error."""
        self.lost = True
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.stream.fileno())
            os.close(nothing)

    def __getattr__(self, name: str) -> Any:
        """Return the stream's own attribute (encoding, isatty, fileno)."""
        return getattr(self.stream, name)
