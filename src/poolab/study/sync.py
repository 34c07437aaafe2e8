"""`poolab study sync`: W&B data that were made offline are uploaded, each session once, by W&B's own client."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from poolab.errors import ConfigError, PoolabError
from poolab.study.endings import INTERRUPTED
from poolab.study.journal import Journal
from poolab.study.offline_runs import Session, sessions
from poolab.study.uploads import Uploader, failures, reach
from poolab.training.wandb_access import has_key, server

BATCH = 16  # sessions of one client: it takes a second to start, and 0.2 s for each
PATIENCE = 120.0
FOLDER = "wandb-sync"  # in DIR/studies: the ledger, the lock, and the client's last words


@dataclass
class Synced:
    """What became of the sessions of a folder; `failed` has the reasons by the sessions' names."""

    uploaded: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    earlier: int = 0
    running: int = 0
    unfinished: int = 0
    left: int = 0
    stopped: bool = False

    @property
    def code(self) -> int:
        """The exit code: 130 where it was stopped, 1 where an upload failed."""
        return INTERRUPTED if self.stopped else 1 if self.failed else 0

    def add(self, batch: Sequence[Session], failed: Mapping[str, str]) -> None:
        """What became of a batch."""
        self.failed |= failed
        self.uploaded += [one.name for one in batch if one.name not in failed]

    def __str__(self) -> str:
        """The last words of the command."""
        total = len(self.uploaded) + len(self.failed) + self.left
        parts = [f"{len(self.uploaded)} of {total} runs uploaded"]
        parts += [f"{self.earlier} were before"] if self.earlier else []
        parts += [f"{self.running} still run"] if self.running else []
        parts += [f"{self.unfinished} have not ended yet"] if self.unfinished else []
        again = "; the same command goes on from here" if self.failed or self.left else ""
        reasons = [f"{name}\n    {reason}" for name, reason in self.failed.items()]
        return "\n".join([*reasons, f"{', '.join(parts)}{again}"])


def due(runs: Path, signatures: Sequence[str] | None = None) -> tuple[list[Session], Synced]:
    """The sessions that are to be uploaded, and what became of the others."""
    known = {str(entry["session"]) for entry in _ledger(runs).entries() if entry.get("outcome") == "uploaded"}
    found = sessions(runs, None if signatures is None else set(signatures))
    left = [one for one in found if one.name not in known and one.state == "due"]
    outcome = Synced(
        running=sum(one.state == "running" for one in found),
        unfinished=sum(one.state == "unfinished" for one in found),
    )
    outcome.earlier = len(found) - len(left) - outcome.running - outcome.unfinished
    return left, outcome


def sync(
    runs: Path,
    signatures: Sequence[str] | None = None,
    *,
    options: Sequence[str] = (),
    patience: float = PATIENCE,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Synced:
    """Upload what is due; goes on after a failure, and tries a session that failed once more by itself.

    Args:
        runs: the folder of the runs.
        signatures: only these runs.
        options: further words of `wandb sync`.
        patience: seconds without progress after which a client is given up.
        report: told how many of how many are done, after each batch.

    Raises:
        ConfigError: there is no key.
        PoolabError: the server cannot be reached, or another process uploads.
    """
    if not sessions(runs, signatures):
        return Synced()
    with _alone(runs) as lock:
        ledger, log = _ledger(runs), _place(runs) / "client.log"
        _settle(ledger, log, sessions(runs))
        left, outcome = due(runs, signatures)
        address = server()
        if left:
            _greet(address)
        uploader = Uploader(log.resolve(), options, lock, patience)
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            outcome.add(batch, _tried(ledger, uploader, batch, address))
            outcome.left = len(left) - start - len(batch)
            report(len(left) - outcome.left, len(left))
            if uploader.stopped or not outcome.uploaded:  # of a whole batch nothing: the server takes none
                break
        outcome.stopped = uploader.stopped
        return outcome


def _greet(address: str) -> None:
    if not has_key(address):
        raise ConfigError(f"W&B has no key for {address}: wandb login, or WANDB_API_KEY")
    reach(address)


def _tried(ledger: Journal, uploader: Uploader, batch: Sequence[Session], address: str) -> dict[str, str]:
    """Upload some sessions, and those that failed once more by themselves; why they failed that did."""
    failed = _recorded(ledger, uploader, batch, address)
    if len(failed) == len(batch):
        return failed
    again = [one for one in batch if one.name in failed and not uploader.stopped]
    for one in again:
        del failed[one.name]
        failed |= _recorded(ledger, uploader, [one], address)
    return failed


def _recorded(ledger: Journal, uploader: Uploader, batch: Sequence[Session], address: str) -> dict[str, str]:
    """Upload some sessions, and write down what became of each; why they failed that did."""
    began = {"began": _now(), "server": address}
    places = {one.name: ledger.begin({"session": one.name, **began}) for one in batch}
    failed = uploader.upload(batch)
    for name, place in places.items():
        _end(ledger, place, failed.get(name))
    return failed


def _end(ledger: Journal, place: int, reason: str | None) -> None:
    told = {"outcome": "uploaded"} if reason is None else {"outcome": "failed", "reason": reason}
    ledger.end(place, {"ended": _now(), **told})


def _settle(ledger: Journal, log: Path, found: Sequence[Session]) -> None:
    """Write down what became of the sessions of a sync that was killed: its client went on, and has said so."""
    known = {one.name: one for one in found}
    last = {entry["session"]: entry for entry in ledger.entries()}
    lost = [name for name, entry in last.items() if "outcome" not in entry]
    failed = failures([known[name] for name in lost if name in known], log)
    for name in lost:
        gone = None if name in known else "its folder is gone"
        _end(ledger, ledger.begin(last[name]), failed.get(name, gone))


@contextmanager
def _alone(runs: Path) -> Iterator[int]:
    """Hold the folder's uploads; so does the client, which goes on when this process is killed."""
    path = _place(runs) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    except BlockingIOError:
        raise PoolabError(
            f"another `poolab study sync`, or the client that it started, uploads the runs of {runs}: wait for its end"
        ) from None
    finally:
        os.close(file)


def _place(runs: Path) -> Path:
    return runs / "studies" / FOLDER


def _ledger(runs: Path) -> Journal:
    return Journal(_place(runs) / "ledger.jsonl")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
