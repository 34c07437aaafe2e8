"""`poolab study sync`: upload offline W&B sessions, each once, with W&B's own client."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from poolab.errors import ConfigError, PoolabError
from poolab.study.runner.journal import Journal
from poolab.study.wandb.ledger import Synced, due, ledger_folder, ledger_of
from poolab.study.wandb.sessions import Session, sessions
from poolab.study.wandb.uploader import Uploader, failures, reach
from poolab.training import StopRequest, has_key, server, without_secrets

BATCH = 16  # sessions of one client: it takes a second to start, and 0.2 s for each
PATIENCE = 120.0


def sync(
    runs: Path,
    signatures: Sequence[str] | None = None,
    *,
    options: Sequence[str] = (),
    patience: float = PATIENCE,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Synced:
    """Upload what is due; continue after a failure, and try a session that failed once more alone.

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
    # What is under way when a signal comes is uploaded to its end: half a run would be sent again.
    with _alone(runs) as lock, StopRequest().listening() as stop:
        ledger, log = ledger_of(runs), ledger_folder(runs) / "client.log"
        _settle(ledger, log, sessions(runs))
        left, outcome = due(runs, signatures)
        address = server()
        if left:
            _greet(address)
        uploader = Uploader(log.resolve(), options, lock, patience)
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            failed = _tried(ledger, uploader, batch, address, stop)
            outcome.add(batch, failed)
            outcome.left = len(left) - start - len(batch)
            report(len(left) - outcome.left, len(left))
            if stop or len(failed) == len(batch):  # nothing of a batch: the server takes no more
                break
        outcome.stopped = bool(stop)
        return outcome


def _greet(address: str) -> None:
    if not has_key(address):
        raise ConfigError(f"W&B has no key for {without_secrets(address)}: wandb login, or WANDB_API_KEY")
    reach(address)


def _tried(
    ledger: Journal, uploader: Uploader, batch: Sequence[Session], address: str, stop: StopRequest
) -> dict[str, str]:
    """Upload some sessions, and those that failed once more alone; return why each one failed."""
    failed = _recorded(ledger, uploader, batch, address)
    if len(failed) == len(batch):
        return failed
    again = [one for one in batch if one.name in failed and not stop]
    for one in again:
        del failed[one.name]
        failed |= _recorded(ledger, uploader, [one], address)
    return failed


def _recorded(ledger: Journal, uploader: Uploader, batch: Sequence[Session], address: str) -> dict[str, str]:
    """Upload some sessions, and record the result of each; return why each one failed."""
    began = {"began": _now(), "server": without_secrets(address)}
    lines = {one.name: ledger.begin({"session": one.name, **began}) for one in batch}
    failed = uploader.upload(batch)
    for name, line in lines.items():
        _end(ledger, line, failed.get(name))
    return failed


def _end(ledger: Journal, line: int, reason: str | None) -> None:
    told = {"outcome": "uploaded"} if reason is None else {"outcome": "failed", "reason": reason}
    ledger.end(line, {"ended": _now(), **told})


def _settle(ledger: Journal, log: Path, found: Sequence[Session]) -> None:
    """Record the results of a sync that was killed: its client went on, and wrote them."""
    known = {one.name: one for one in found}
    last = {entry["session"]: entry for entry in ledger.entries()}
    lost = [name for name, entry in last.items() if "outcome" not in entry]
    failed = failures([known[name] for name in lost if name in known], log)
    for name in lost:
        gone = None if name in known else "it is gone, or no longer the last of its run"
        _end(ledger, ledger.begin(last[name]), failed.get(name, gone))


@contextmanager
def _alone(runs: Path) -> Iterator[int]:
    """Hold the lock of the folder's uploads; the client holds it too, and goes on if this process is killed."""
    path = ledger_folder(runs) / "lock"
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
