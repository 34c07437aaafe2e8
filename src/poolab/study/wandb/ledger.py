"""What of a folder's runs is at W&B and what is to be uploaded, by the ledger; and what became of an upload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from poolab.errors import INTERRUPTED
from poolab.study.runner.journal import Journal
from poolab.study.wandb.sessions import Session, sessions

FOLDER = "wandb-sync"  # in DIR/studies


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
        again = "; the same command resumes here" if self.failed or self.left else ""
        same: dict[str, list[str]] = {}  # an absent server is one reason, not sixteen
        for name, reason in self.failed.items():
            same.setdefault(reason, []).append(name)
        reasons = ["\n".join([*names, f"    {reason}"]) for reason, names in same.items()]
        return "\n".join([*reasons, f"{', '.join(parts)}{again}"])


def due(runs: Path, signatures: Sequence[str] | None = None) -> tuple[list[Session], Synced]:
    """The sessions that are to be uploaded, what failed before last of all; and what became of the others."""
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


def place_of(runs: Path) -> Path:
    """Where the ledger, the lock and the client's last words are."""
    return runs / "studies" / FOLDER


def ledger_of(runs: Path) -> Journal:
    """Every upload that was begun."""
    return Journal(place_of(runs) / "ledger.jsonl")
