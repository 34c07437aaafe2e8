"""The progress of a running study: a table that is updated on a terminal, else lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from poolab.notebook import notebook_bar
from poolab.study.runner.jobs import Held, Job
from poolab.study.runner.outcomes import Ending
from poolab.study.runner.output import Output
from poolab.study.runner.state import State
from poolab.text import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

EVERY = 10.0  # seconds between two lines where there is no terminal


class Progress:
    """Shows the progress of a study. A context manager, since it uses the terminal and must give it back."""

    def __init__(self, workers: int, console: Console | None = None):
        from rich.console import Console

        output: Any = Output()
        self.console = console or Console(file=output, highlight=False, soft_wrap=True)
        self.workers = workers
        self.begun = time.monotonic()
        self.said = self.begun
        self.made = 0
        self.latest = self.begun  # when a cell was made last
        self.live: Live | None = None
        self.bar = notebook_bar() if console is None else None

    def __enter__(self) -> Progress:
        """Start to use the terminal, if there is one."""
        from rich.live import Live

        if self.console.is_terminal:
            # No refresh of its own: that would be a thread in the process that starts others.
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back."""
        if self.live is not None:
            self.live.__exit__(None, None, None)

    def ended(self, job: Job, became: Ending, attempt: int, again: bool) -> None:
        """Count an attempt; a failure is printed at once and stays readable."""
        if not again and (became.finished or became.outcome == "stopped"):
            self.made += 1
            self.latest = time.monotonic()
        if became.outcome not in ("completed", "busy"):
            more = ", is tried again" if again else ""
            text = f"{became.outcome}{more}: {one_line(job.text)}\n  {printable(became.reason)}"
            self.console.print(text, markup=False)

    def look(self, state: State) -> None:
        """Show the progress."""
        if self.bar is not None:
            self.bar.update(state.source.total - ahead(state), state.source.total, self.line(state))
        elif self.live is not None:
            self.live.update(self._table(state), refresh=True)
        elif time.monotonic() - self.said >= EVERY or not state.left:
            self.said = time.monotonic()
            self.console.print(printable(self.line(state)), markup=False)

    def line(self, state: State) -> str:
        """Return the counts and the remaining time."""
        failed = state.count("failed", "killed", "refused")
        parts = [
            f"{state.count('completed', 'diverged', 'stopped')}/{state.source.total} done",
            f"{len(state.earlier)} of them earlier" if state.earlier else "",
            f"{state.count('diverged')} diverged" if state.count("diverged") else "",
            f"{state.count('stopped')} stopped early" if state.count("stopped") else "",
            f"{len(state.running)} running" if state.running else "",
            f"{len(state.elsewhere)} in another runner" if state.elsewhere else "",
            f"{state.source.waiting} waiting" if state.source.waiting else "",
            f"{failed} failed" if failed else "",
            self._left(state),
            state.source.note,
        ]
        return ", ".join(part for part in parts if part)

    def _left(self, state: State) -> str:
        """Return the remaining time at the speed so far: known whenever a cell ends, and passing until then."""
        left = ahead(state)
        if not self.made or not left:
            return ""
        each = (self.latest - self.begun) / self.made
        return f"{duration(max(each * left - (time.monotonic() - self.latest), 0.0))} left"

    def _table(self, state: State) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        title = Text(printable(self.line(state)))
        table = Table(box=None, title=title, title_justify="left", show_header=False, padding=(0, 2, 0, 0))
        for held in sorted(state.running.values(), key=lambda held: held.started):
            attempt = f"attempt {held.attempt}" if held.attempt > 1 else ""
            passed = duration(time.monotonic() - held.started)
            text = Text(one_line(held.job.text), overflow="ellipsis", no_wrap=True)
            table.add_row(text, epochs(held), attempt, passed)
        return table


def ahead(state: State) -> int:
    """Return how many runs are not done yet."""
    return state.source.waiting + len(state.running) + len(state.elsewhere)


def epochs(held: Held) -> str:
    """Return how many epochs a run has finished: the lines of its history."""
    if held.job.folder is None:
        return ""
    try:
        count = (held.job.folder / "history.jsonl").read_bytes().count(b"\n")
    except OSError:
        return "starting"
    return f"epoch {count}"


def duration(seconds: float) -> str:
    """Return seconds in the unit that a person would use.

    >>> duration(3.2), duration(75), duration(7260)
    ('3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, seconds = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"
