"""Send files of a run's folder to W&B: its pictures, and the folder of a finished run as a model."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records import Record

# W&B draws curves itself, from the figures of the epochs.
PICTURES = ("samples", "confusion", "reliability")

# What another machine needs to use the model, and what it was made with; those that the folder has.
MODEL = ("result.json", "config.json", "environment.json", "history.jsonl", "model.json", "last.ckpt", "model.onnx")

EXPORT = 600.0  # seconds that an export may take


def log_pictures(run: Any, folder: Path, place: dict[str, Any]) -> None:
    """Log the pictures that a folder has in one row, as images under `pictures/`.

    Args:
        run: a W&B run.
        folder: the run's folder.
        place: the epoch and the step that the row belongs to.
    """
    import wandb

    files = {name: folder / f"{name}.png" for name in PICTURES}
    images = {f"pictures/{name}": wandb.Image(str(file)) for name, file in files.items() if file.is_file()}
    if images:
        run.log({**images, **place})


def write_onnx(folder: Path, seconds: float = EXPORT) -> None:
    """Write the network of a finished run into its folder as model.onnx.

    In a process of its own: an exporter takes memory and time, and may not end.

    Raises:
        PoolabError: it cannot be exported, with what the process said.
    """
    words = ["export", str(folder), "--out", str(folder / "model.onnx"), "--force"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "poolab", *words], capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise PoolabError(f"poolab export took more than {seconds:g} s") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("writing ")]
        raise PoolabError("; ".join(line.strip().removeprefix("poolab: ") for line in lines[-3:]) or "it ended early")


def log_model(run: Any, folder: Path, record: Record) -> None:
    """Log the folder of a finished run as an artifact of the type "model", the alias "latest", its figures as metadata.

    Args:
        run: a W&B run.
        folder: the run's folder.
        record: the run's record.

    Raises:
        FileNotFoundError: the folder has no weights.
    """
    import wandb

    if not (folder / "last.ckpt").is_file():
        raise FileNotFoundError(f"{folder} has no last.ckpt")
    known = {name: value for name, value in record.metrics.items() if value is not None}
    artifact = wandb.Artifact(
        f"model-{record.signature}",
        type="model",
        description="The folder of a run of poolab: its record, its settings and its weights.",
        metadata={"signature": record.signature, "status": record.status, "seed": record.seed, **known},
    )
    for name in MODEL:
        if (folder / name).is_file():
            artifact.add_file(str(folder / name), name=name)
    run.log_artifact(artifact, aliases=["latest"])
