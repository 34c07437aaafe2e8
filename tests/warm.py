"""Processes for tests, forked from one that has imported what a run needs: each starts in a tenth of the time."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.warm_imports"])


class WarmProcess:
    """A process that executes a program as `python -c PROGRAM WORDS` does; both its outputs are one pipe.

    Its parent is multiprocessing's fork server and not the process of the test, so that nothing of a test is in it.
    """

    def __init__(self, program: str, words: list[str], folder: Path):
        self.reader, writer = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(target=execute, args=(program, words, str(folder), writer))
        self.process.start()
        writer.close()

    def __enter__(self) -> "WarmProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.process.kill()
        self.process.join()

    def lines(self) -> Iterator[str]:
        """Yield the lines that it prints, until it ends."""
        with open(os.dup(self.reader.fileno())) as text:
            yield from text

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Return its exit code; a negative one is the signal that killed it."""
        self.process.join(seconds)
        return self.process.exitcode


def execute(program: str, words: list[str], folder: str, output: Connection) -> None:
    """Execute the program in this process."""
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["-c", *words]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
