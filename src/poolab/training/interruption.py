"""Handle Ctrl-C, SIGTERM and a cluster's signals: the handler only sets a flag; the run stops at the next step."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted(Exception):
    """The run was asked to stop and has left a checkpoint."""


class Diverged(Exception):
    """The loss is no longer a number."""


class StopRequest:
    """A flag that says if the run was asked to stop, and by which signal.

    A checkpoint written inside a signal handler can hang or be torn (Lightning issues 21406 and 20542), so the handler
    does nothing but remember. A second Ctrl-C ends the process at once. USR1 is SLURM's word that the time limit is
    near, USR2 submitit's; Lightning would answer USR1 inside its handler, and leaves it to whoever took it before. HUP
    comes when the terminal is closed; under nohup it is ignored, and stays so. Only the main thread can take signals:
    a run in another one is not asked to stop by any.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

    def __init__(self) -> None:
        self.reason: str | None = EARLIER.reason

    def __bool__(self) -> bool:
        """Return True if a signal came."""
        return self.reason is not None

    def obey(self) -> None:
        """End the run here if it was asked to stop; it continues from its last checkpoint.

        Raises:
            Interrupted: it was.
        """
        if self:
            raise Interrupted(f"stopped by {self.reason}")

    def install(self) -> None:
        """Install the handlers; called again after Lightning has installed its own."""
        take(self._remember)

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Listen to signals for the length of the block, then restore the old handlers."""
        before = taken()
        self.install()
        try:
            yield self
        finally:
            give_back(before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.reason is not None and number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
            raise KeyboardInterrupt
        self.reason = self.reason or signal.Signals(number).name


def take(handler: Callable[[int, FrameType | None], Any]) -> dict[int, Any]:
    """Install a handler for every request to stop; return the old ones. Outside of the main thread, do nothing."""
    before = taken()
    for number in before:
        signal.signal(number, handler)
    return before


def taken() -> dict[int, Any]:
    """Return the handlers of the signals that may be taken: none outside of the main thread, and HUP unless ignored."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found: dict[int, Any] = {number: signal.getsignal(number) for number in StopRequest.SIGNALS}
    if found[signal.SIGHUP] == signal.SIG_IGN:
        del found[signal.SIGHUP]
    return found


def give_back(before: Mapping[int, Any]) -> None:
    """Restore handlers; one that was not set by Python cannot be restored, and gets the system's default."""
    for number, handler in before.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _Earlier:
    """Remembers a request to stop that came before the run began: the imports take seconds."""

    reason: str | None = None

    def listen(self) -> None:
        """Remember signals from now on; a run that begins later receives them."""
        take(self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or signal.Signals(number).name


EARLIER = _Earlier()
