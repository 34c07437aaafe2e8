"""`python -m poolab.study.runner.fork_server SOCKET`: starts the cells of a study, and records how each of them ends.

For cells of train.py it first imports what a run needs (5 to 8 s), once, and then forks a process for each cell; any
other program is started afresh from its list of arguments. It has one thread, so that a fork copies a whole state. It
outlives a runner that is killed for as long as its cells need to write their checkpoints.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from poolab.study.runner.child import facts, import_for_runs, leave, may_fork, run_cell
from poolab.study.runner.journal import Journal
from poolab.study.runner.locks import BEAT, Claim
from poolab.study.runner.messages import StartCell, ToRunner, ToServer
from poolab.study.runner.outcomes import Ending, ending, memory_kills
from poolab.study.runner.processes import drop_empty, exit_code, record, send

FRESH: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGCHLD: signal.SIG_DFL,
}


@dataclass
class Running:
    """A cell's process; `started` is the clock's time."""

    job: StartCell
    claim: Claim
    pid: int
    program: subprocess.Popen[bytes] | None = None  # None where it was forked
    halted: str | None = None  # why it alone was asked to stop
    started: float = field(default_factory=time.monotonic)


class ForkServer:
    """Receives jobs over a socket, starts them, and reports how they end."""

    def __init__(self, ear: socket.socket, journal: Journal, fork: bool):
        self.ear, self.journal, self.fork, self.pid = ear, journal, fork, os.getpid()
        self.unread = b""
        self.claims: list[int] = []  # files that came with jobs whose words are still unread
        self.running: dict[int, Running] = {}
        self.stopping = False
        self.alone = False  # the runner is gone
        self.memory_kills = memory_kills()

    def serve(self) -> StartCell | None:
        """Serve until the runner is gone and all cells have ended. Return a job in its cell's process, else None."""
        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop(signal.SIGTERM))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the runner's to receive
        self.pipes = (wake, waker)
        self._tell({"ready": facts()})
        with selectors.DefaultSelector() as selector:
            selector.register(self.ear, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            beaten = time.monotonic()
            while self.running or not (self.alone or self.stopping):
                for key, _ in selector.select(BEAT):
                    if key.fileobj == wake:
                        os.read(wake, 4096)
                    else:
                        for message in self._hear(selector):
                            job = self._obey(message)
                            if job is not None:
                                selector.close()
                                return job
                self._reap()
                if time.monotonic() - beaten > BEAT:
                    beaten = time.monotonic()
                    for cell in self.running.values():
                        cell.claim.beat()
        return None

    def _hear(self, selector: selectors.BaseSelector) -> Iterator[ToServer]:
        try:
            content, files, _, _ = socket.recv_fds(self.ear, 1 << 16, 64)
        except OSError:  # it was killed before it had heard all
            content, files = b"", []
        self.claims += files
        for file in files:
            os.set_inheritable(file, False)
        if not content:
            selector.unregister(self.ear)
            self.alone = True
            self._stop(signal.SIGTERM)
        *lines, self.unread = (self.unread + content).split(b"\n")
        return map(json.loads, lines)

    def _obey(self, message: ToServer) -> StartCell | None:
        """Act on a message; return the job if this is now the process of its cell."""
        if "stop" in message:
            self._stop(signal.Signals(message["stop"]))
            return None
        if "halt" in message:
            self._halt(message["halt"], message["reason"])
            return None
        return message if self._begin(message) else None

    def _begin(self, message: StartCell) -> bool:
        """Start a cell; return True if this is now its process."""
        claim = Claim(self.claims.pop(0))
        if self.stopping:
            self._record(message, claim, None, Ending("interrupted", "it had not begun"), 0.0)
            return False
        try:
            log = os.open(message["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        except OSError as error:
            self._record(message, claim, None, Ending("failed", f"its log cannot be written: {error}"), 0.0)
            return False
        try:
            return self._start(message, claim, log)
        except Exception as error:  # concerns this cell alone: the others go on
            if os.getpid() != self.pid:
                raise
            self._not_started(message, claim, log, Ending("failed", f"it could not be started: {error}"))
            return False

    def _start(self, job: StartCell, claim: Claim, log: int) -> bool:
        if self.fork and may_fork():
            # A request to stop that comes before the child has its own handlers must wait for them.
            signal.pthread_sigmask(signal.SIG_BLOCK, FRESH)
            pid = os.fork()
            if pid == 0:
                self._announce(job)
                self._leave(claim, log)
                return True
            with suppress(OSError):  # both do it: whoever comes first
                os.setpgid(pid, pid)
            cell = Running(job, claim, pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FRESH)
        else:
            started = self._program(job, claim, log)
            if started is None:
                return False
            cell = started
        os.close(log)
        self.running[cell.pid] = cell
        if self.stopping:  # asked for meanwhile
            send(cell.pid, signal.SIGTERM)
        return False

    def _announce(self, job: StartCell) -> None:
        """Tell the runner that the cell began, from the cell's process, in case this server is killed now.

        The runner hears the end of the socket only when every process has closed it, so that it misses no cell.
        """
        self._tell({"began": job["key"], "pid": os.getpid()})

    def _program(self, job: StartCell, claim: Claim, log: int) -> Running | None:
        """Start a program in a process group of its own, so that all its children can be ended."""
        try:
            program = subprocess.Popen(
                job["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[claim.file],
                process_group=0,
                preexec_fn=lambda: self._announce(job),  # safe: one thread
            )
        # A ValueError is a NUL or a lone surrogate in an argument; an OSError may be too many bytes of arguments.
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._not_started(job, claim, log, Ending("refused", f"it cannot be started: {error}"))
            return None
        return Running(job, claim, program.pid, program)

    def _not_started(self, job: StartCell, claim: Claim, log: int, became: Ending) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FRESH)
        os.close(log)
        self._record(job, claim, None, became, 0.0)

    def _leave(self, claim: Claim, log: int) -> None:
        """Release everything of the server but its imports, in the cell's process."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number, handler in FRESH.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FRESH)
        for file in (*self.pipes, *self.claims, *(cell.claim.file for cell in self.running.values())):
            os.close(file)
        for cell in self.running.values():
            if cell.program is not None:
                cell.program.returncode = 0  # no child of this process
        self.ear.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for file, standard in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(file, standard)
        os.close(nothing)
        os.close(log)
        self.kept = claim  # until the process ends

    def _reap(self) -> None:
        for cell in list(self.running.values()):
            code = exit_code(cell.pid)
            if code is None:
                continue
            if cell.program is not None:
                cell.program.returncode = code
            del self.running[cell.pid]
            became = ending(code, cell.job["log"], cell.job["folder"], self._short_of_memory(code))
            if not became.finished and (cell.halted or self.stopping):
                became = Ending("stopped", cell.halted) if cell.halted else Ending("interrupted", became.reason)
            self._record(cell.job, cell.claim, code, became, time.monotonic() - cell.started)
            os.waitpid(cell.pid, 0)  # as the last act: if this process is killed before, the runner can still ask

    def _short_of_memory(self, code: int) -> bool:
        """Return True if the system has killed processes because memory ran out since the last call."""
        if code != -signal.SIGKILL:
            return False
        before, self.memory_kills = self.memory_kills, memory_kills()
        return self.memory_kills > before

    def _record(self, job: StartCell, claim: Claim, code: int | None, became: Ending, seconds: float) -> None:
        record(self.journal, job["entry"], job["key"], claim, code, became, seconds)
        drop_empty(job["log"])
        self._tell({"ended": job["key"], "outcome": became.outcome, "reason": became.reason})

    def _stop(self, number: signal.Signals) -> None:
        self.stopping = True
        for cell in self.running.values():
            send(cell.pid, number)

    def _halt(self, key: str, reason: str) -> None:
        """Ask one cell to write its checkpoint and end."""
        for cell in self.running.values():
            if cell.job["key"] == key:
                cell.halted = reason
                send(cell.pid, signal.SIGTERM)

    def _tell(self, message: ToRunner) -> None:
        try:
            # A program's process has SIGPIPE as programs have it, and would die of a runner that is gone.
            self.ear.sendall(json.dumps(message).encode() + b"\n", getattr(socket, "MSG_NOSIGNAL", 0))
        except OSError:  # the runner is gone: the journal has it
            self.alone = True


def main() -> NoReturn:
    """Serve; in the forked process of a cell, return from the server first and then run the cell."""
    ear = socket.socket(fileno=int(sys.argv[1]))
    ear.set_inheritable(False)
    journal, fork, tracker = Journal(sys.argv[2]), sys.argv[3] == "fork", sys.argv[4]
    if fork:
        import_for_runs(tracker)
    job = ForkServer(ear, journal, fork).serve()
    if job is not None:
        run_cell(Path(job["config"]))
    leave(0)


if __name__ == "__main__":
    main()
