"""Ctrl-C, SIGTERM and a cluster's signals: the handler only sets a flag; the run stops at the next step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted(Exception):
    """The run was asked to stop and has left a checkpoint."""


class Diverged(Exception):
    """The loss is no longer a number."""


class StopRequest:
    """Whether the run was asked to stop, and by which signal.

    A checkpoint written inside a signal handler can hang or be torn (Lightning issues 21406 and 20542), so the handler
    does nothing but remember. A second Ctrl-C ends the process at once. USR1 is SLURM's word that the time limit is
    near, USR2 submitit's; Lightning would answer USR1 inside its handler, and leaves it to whoever took it before.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

    def __init__(self) -> None:
        self.reason: str | None = EARLIER.reason

    def __bool__(self) -> bool:
        """Whether a signal came."""
        return self.reason is not None

    def obey(self) -> None:
        """End the run here if it was asked to stop; its last checkpoint is what it goes on from.

        Raises:
            Interrupted: it was.
        """
        if self:
            raise Interrupted(f"stopped by {self.reason}")

    def install(self) -> None:
        """Take the signals over; again after Lightning has put its own handlers in front."""
        for number in self.SIGNALS:
            signal.signal(number, self._remember)

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Listen for the length of the block, then give the signals back."""
        before: dict[int, Any] = {number: signal.getsignal(number) for number in self.SIGNALS}
        self.install()
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.reason is not None and number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
            raise KeyboardInterrupt
        self.reason = self.reason or signal.Signals(number).name


class _Earlier:
    """A request that came before there was a run: the imports take seconds, in which SLURM may want to stop it."""

    reason: str | None = None

    def listen(self) -> None:
        """From now on signals are remembered; a run that begins later has them for its own."""
        for number in StopRequest.SIGNALS:
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or signal.Signals(number).name


EARLIER = _Earlier()
