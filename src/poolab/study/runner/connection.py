"""The runner's end of the socket to its fork server."""

import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from poolab.study.runner.jobs import Files
from poolab.study.runner.messages import ToRunner, ToServer


class Link:
    """The fork server's process, and the socket to it."""

    def __init__(self, files: Files, fork: bool, tracker: str):
        self.log = files.log("fork-server")
        self.made = [path for path in (self.log, *self.log.parents) if not path.exists()]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            ours, theirs = socket.socketpair()
            command = [
                sys.executable,
                "-m",
                "poolab.study.runner.fork_server",
                str(theirs.fileno()),
                str(files.journal),
            ]
            with theirs:
                self.process = subprocess.Popen(
                    [*command, "fork" if fork else "start", tracker],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # a terminal's Ctrl-C is for the runner alone
                )
        self.socket, self.unread, self.ready, self.used = ours, b"", False, False

    def tell(self, message: ToServer, files: Sequence[int] = ()) -> None:
        """Send a message. (If the server is gone, `receive` notices it.)"""
        self.used = self.used or "key" in message
        content = json.dumps(message).encode() + b"\n"
        with suppress(OSError):
            sent = socket.send_fds(self.socket, [content], list(files))
            self.socket.sendall(content[sent:])  # a signal may have cut a long message

    def receive(self, seconds: float) -> list[ToRunner] | None:
        """Return the messages that arrive within some seconds; None if the server is gone."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return []
        try:
            content = self.socket.recv(1 << 16)
        except OSError:
            content = b""
        if not content:
            return None
        *lines, self.unread = (self.unread + content).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close the socket: the server then ends after its cells, and at once where it had none."""
        self.socket.close()
        if not self.used:
            self.process.kill()
        self.process.wait()
        if not self.used:
            self._remove_traces()

    def _remove_traces(self) -> None:
        for path in self.made:
            with suppress(OSError):  # another runner's files may be in the folder
                path.unlink() if path == self.log else path.rmdir()


@contextmanager
def early_link(files: Files, fork: bool, tracker: str) -> Iterator[Link | None]:
    """Start a server that forks before it is known what it is to run, since its imports take seconds of a core.

    Meanwhile the study is read and checked, which takes as long. If nothing is to run, or the study has errors, the
    server is ended, and no trace is left of it.
    """
    link = None
    with suppress(OSError):  # such as a full disk: told when a cell is to start
        link = Link(files, fork, tracker) if fork else None
    try:
        yield link
    finally:
        if link is not None:
            link.close()
