"""The messages between a runner and its fork server: one JSON object on a line, known by its first key."""

from typing import TypedDict, final


class ProcessFacts(TypedDict):
    """The facts that decide whether a process can be forked safely; `threads` is None if the system does not tell."""

    threads: int | None
    cuda: bool


@final
class StartCell(TypedDict):
    """Start a cell: the file of its configuration, its command, and where its output and its outcome are written."""

    key: str
    config: str
    command: tuple[str, ...]
    entry: int
    log: str
    folder: str | None


@final
class StopAll(TypedDict):
    """Send a signal to all cells, and start no more."""

    stop: int


@final
class HaltCell(TypedDict):
    """Ask one cell to write its checkpoint and end, for a reason."""

    halt: str
    reason: str


@final
class ServerReady(TypedDict):
    """The server has imported what it needs."""

    ready: ProcessFacts


@final
class CellBegan(TypedDict):
    """A cell's process has begun."""

    began: str
    pid: int


@final
class CellEnded(TypedDict):
    """A cell's process has ended, with this outcome."""

    ended: str
    outcome: str
    reason: str


ToServer = StartCell | StopAll | HaltCell
ToRunner = ServerReady | CellBegan | CellEnded
