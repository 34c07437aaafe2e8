"""The uploads of a folder's sessions: what is at W&B, what is due, and the results of an upload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from poolab.errors import INTERRUPTED
from poolab.study.runner.journal import Journal
from poolab.study.wandb.sessions import Session, sessions

FOLDER = "wandb-sync"  # in DIR/studies


@dataclass
class Synced:
    """The result of an upload; `failed` has the reasons by the sessions' names."""

    uploaded: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    earlier: int = 0
    running: int = 0
    unfinished: int = 0
    left: int = 0
    stopped: bool = False

    @property
    def code(self) -> int:
        """The exit code: 130 if it was stopped, 1 if an upload failed."""
        return INTERRUPTED if self.stopped else 1 if self.failed else 0

    def add(self, batch: Sequence[Session], failed: Mapping[str, str]) -> None:
        """Add the result of a batch."""
        self.failed |= failed
        self.uploaded += [one.name for one in batch if one.name not in failed]

    def __str__(self) -> str:
        """Return the last output of the command."""
        total = len(self.uploaded) + len(self.failed) + self.left
        parts = [f"{len(self.uploaded)} of {total} runs uploaded"]
        parts += [f"{self.earlier} were before"] if self.earlier else []
        parts += [f"{self.running} still run"] if self.running else []
        parts += [f"{self.unfinished} have not ended yet"] if self.unfinished else []
        again = "; the same command resumes here" if self.failed or self.left else ""
        same: dict[str, list[str]] = {}  # an absent server is one reason, not sixteen
        for name, reason in self.failed.items():
            same.setdefault(reason, []).append(name)
        reasons = ["\n".join([*names, f"    {reason}"]) for reason, names in same.items()]
        return "\n".join([*reasons, f"{', '.join(parts)}{again}"])


def due(runs: Path, signatures: Sequence[str] | None = None) -> tuple[list[Session], Synced]:
    """Return the sessions to upload, those that failed before at the end, and the results of the others."""
    last = {str(entry["session"]): entry.get("outcome") for entry in ledger_of(runs).entries()}
    found = sessions(runs, None if signatures is None else set(signatures))
    left = [one for one in found if last.get(one.name) != "uploaded" and one.state == "due"]
    left.sort(key=lambda one: last.get(one.name) == "failed")
    outcome = Synced(
        running=sum(one.state == "running" for one in found),
        unfinished=sum(one.state == "unfinished" for one in found),
    )
    outcome.earlier = len(found) - len(left) - outcome.running - outcome.unfinished
    return left, outcome


def ledger_folder(runs: Path) -> Path:
    """Return the folder of the ledger, the lock and the client's last output."""
    return runs / "studies" / FOLDER


def ledger_of(runs: Path) -> Journal:
    """Return the journal of all uploads."""
    return Journal(ledger_folder(runs) / "ledger.jsonl")
