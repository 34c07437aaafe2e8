"""The runner's end of the socket to its fork server."""

import json
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from poolab.study.runner.jobs import Files
from poolab.study.runner.messages import ToRunner, ToServer


class Link:
    """The fork server's process, and the socket to it."""

    def __init__(self, files: Files, fork: bool, tracker: str):
        self.log = files.log("fork-server")
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
        self.socket, self.unread, self.ready = ours, b"", False

    def tell(self, message: ToServer, files: Sequence[int] = ()) -> None:
        """Send a message. (If the server is gone, `receive` notices it.)"""
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
        """Close the socket: the server then ends after its cells."""
        self.socket.close()
        self.process.wait()
