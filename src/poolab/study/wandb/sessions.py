"""The offline W&B sessions in runs' folders: which are to be uploaded, and which not yet."""

from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

from poolab.errors import PoolabError
from poolab.records import FINISHED, RunFolder
from poolab.training import UNSENT, wandb_folder


class Session(NamedTuple):
    """One session of a run at W&B: the folder in `runs/<signature>/wandb`, and its state.

    `state` is "due"; or why it is not: "running", "unfinished" (it goes on some day), or "synced" by hand.
    """

    signature: str
    path: Path
    state: str

    @property
    def name(self) -> str:
        """The session's name in the ledger, independent of where the folder of the runs is."""
        return f"{self.signature}/{self.path.name}"

    @property
    def data(self) -> Path:
        """The file that W&B's client reads."""
        return self.path / f"run-{self.id}.wandb"

    @property
    def marker(self) -> Path:
        """The marker that W&B's client writes when it has read all of the file."""
        return self.data.with_suffix(".wandb.synced")

    @property
    def id(self) -> str:
        """The run's id at W&B."""
        return self.path.name.rpartition("-")[2]


def sessions(runs: Path, signatures: Container[str] | None = None) -> list[Session]:
    """Return the last session of each run that did not reach a server, in the order of their names.

    Of a run that was interrupted and went on only the last session counts: it has the epochs of those before it too.

    Args:
        runs: the folder of the runs.
        signatures: only these.
    """
    found = []
    for folder in sorted(
        path for path in runs.glob("*") if any((parent / "wandb").is_dir() for parent in _data_folders(path))
    ):
        if signatures is not None and folder.name not in signatures:
            continue
        made = sorted((path for parent in _data_folders(folder) for path in parent.glob("wandb/*run-*-*")), key=_when)
        if made and _not_sent(made[-1]):
            session = Session(folder.name, made[-1], "due")
            found.append(session._replace(state=_state(session, RunFolder(runs, folder.name))))
    return found


def _data_folders(folder: Path) -> list[Path]:
    """Return the folders where a run's W&B data may be: beside its record, and below WANDB_DIR."""
    return list(dict.fromkeys([folder, wandb_folder(folder)]))


def _when(path: Path) -> tuple[str, bool, str]:
    """Return the sorting key of sessions; of two of one second, the offline one is later (it lost its server)."""
    stamp, _, _ = path.name.removeprefix("offline-").rpartition("-")
    return stamp, path.name.startswith("offline-"), path.name


def _not_sent(path: Path) -> bool:
    return path.name.startswith("offline-") or (path / UNSENT).exists()


def _state(session: Session, folder: RunFolder) -> str:
    if folder.busy:
        return "running"
    try:
        record = folder.result
    except PoolabError:  # a damaged record: nobody knows what became of the run
        record = None
    if record is None or record.status not in (*FINISHED, "failed"):
        return "unfinished"
    return "synced" if session.marker.exists() else "due"
