"""The runners of studies on this machine: each `poolab study run` holds a file with its number, and can be stopped."""

import fcntl
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def announced(runs_dir: Path, study: str) -> Iterator[None]:
    """Hold the runner's file while the study runs. A disk without room for it does not stop the study.

    The system frees the lock when the process ends, however it ends: a number in a file that nobody holds says nothing.
    """
    path = runs_dir / "studies" / f"{study}.runners" / f"{socket.gethostname()}-{os.getpid()}"
    file = None
    try:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
        yield
    finally:
        if file is not None:
            with suppress(OSError):
                path.unlink()
                path.parent.rmdir()  # where it was the last one
            os.close(file)


def stop_runners(runs_dir: str | Path, study: str) -> list[str]:
    """Ask the runners of a study to stop, as Ctrl-C does, and return which: their cells write their checkpoints."""
    told = []
    for path in sorted((Path(runs_dir) / "studies" / f"{study}.runners").glob("*")):
        runner = _living(path)
        if runner is None:
            continue
        host, pid = runner
        if host != socket.gethostname():
            told.append(f"a runner works on {host}: stop it there (kill -TERM {pid})")
            continue
        try:
            os.kill(pid, signal.SIGTERM)
            told.append(f"asked the runner with pid {pid} to stop: its cells write their checkpoints")
        except OSError as error:
            told.append(f"the runner with pid {pid} cannot be asked to stop: {error.strerror}")
    return told


def _living(path: Path) -> tuple[str, int] | None:
    """Return the runner that holds a file; a file that nobody holds is left from a process that was killed."""
    try:
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                content = json.loads(file.read())
                return str(content["host"]), int(content["pid"])
            path.unlink()
    except (OSError, ValueError, KeyError):
        pass
    return None
