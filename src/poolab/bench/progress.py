"""Show the progress of a benchmark: a bar with rich on a terminal, else one line for each group."""

import sys
from types import TracebackType
from typing import Any, Self


class Progress:
    """A bar on the error stream, so that the tables can go to a file.

    Args:
        groups: how many groups there will be.
    """

    def __init__(self, groups: int) -> None:
        self.groups, self._done, self._bar = groups, 0, _bar()
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.pause()

    def pause(self) -> None:
        """Take the bar away until the next group, so that a table has the terminal for itself."""
        if self._bar is not None:
            self._bar.stop()

    def start(self, title: str) -> None:
        """Begin the next group."""
        self._done += 1
        heading = f"[{self._done}/{self.groups}] {title}"
        if self._bar is None:
            print(heading, file=sys.stderr, flush=True)
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._bar.console.print(heading, highlight=False, markup=False)
        self._task = self._bar.add_task("", total=None)
        self._bar.start()

    def at(self, done: int, total: int, text: str) -> None:
        """Report the finished rounds, the largest number of rounds, and what runs now."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, description=text)


def _bar() -> Any:
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress
    except ModuleNotFoundError:
        return None
    # The name at the end: it changes its length with every case, and the bar should stand still.
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    return RichProgress(*columns, console=Console(stderr=True), transient=True)
