"""W&B's own process beside a run: check that it lives, whether its server refuses, and bound the time of calls."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAME = "wandb-core"
DEATH = 5.0  # seconds that the system may take to end a process


class NoAnswer(Exception):
    """W&B's client has not finished a call in time."""


def bounded(action: Callable[[], None], seconds: float) -> None:
    """Call an action in a thread, and wait for it no longer than this.

    Raises:
        NoAnswer: it has not ended; it goes on in its thread, which does not hold the process up.
        Exception: what the action raised. An exit that it asked for (SystemExit) is a RuntimeError.
    """
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            action()
        except BaseException as fault:  # of a thread, nobody would hear of it
            raised.append(fault)

    thread = threading.Thread(target=guarded, name="poolab-wandb", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise NoAnswer(f"its client has not answered for {seconds:g} s")
    if raised and not isinstance(raised[0], Exception):
        raise RuntimeError(f"its client asked for an end: {raised[0]!r}") from raised[0]
    if raised:
        raise raised[0]


def client_process() -> int | None:
    """Return the process that W&B's client has started for this one; None if it cannot be found."""
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, ValueError):
            for child in map(int, path.read_text().split()):
                if NAME.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]:
                    return child
    return None


def is_dead(process: int | None) -> bool:
    """Return True if a process is known to have ended."""
    if process is None:
        return False
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state in ("Z", "X")


def kill(process: int | None) -> None:
    """Kill W&B's process, which does not answer: else this process would wait for it forever at its own end."""
    if process is None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGKILL)
    end = time.monotonic() + DEATH
    while not is_dead(process) and time.monotonic() < end:
        time.sleep(0.01)


def refusal(session: Path) -> str | None:
    """Return why the server refuses a session, from its client's own log; None if the log says nothing about it.

    The client says such a fault to nobody: its run ends as if all had arrived.
    """
    try:
        lines = (session / "logs" / "debug-internal.log").read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        if "fatal error" in line:
            try:
                return str(json.loads(line)["msg"])
            except (ValueError, KeyError, TypeError):
                return line
    return None
