"""A bar in a notebook that is updated in place. It needs neither ipywidgets nor any other extension."""

import sys
from html import escape
from typing import Any

from poolab.text import printable


class Bar:
    """A bar with a text beside it.

    Args:
        display: IPython's `display`.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        self._shown = ""

    def update(self, done: float, total: float, text: str) -> None:
        """Show how much of it is done, and a text; what is shown already is not sent again."""
        shown = f'<progress value="{done:g}" max="{max(total, 1):g}"></progress> {escape(printable(text))}'
        if shown == self._shown:
            return
        self._shown = shown
        content = {"text/html": shown, "text/plain": printable(text)}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def notebook_bar() -> Bar | None:
    """Return a bar where this process is a notebook's kernel, else None.

    >>> notebook_bar() is None
    True
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or getattr(shell, "kernel", None) is None:  # `ipython` on a terminal has none
        return None
    from IPython.display import display

    return Bar(display)
