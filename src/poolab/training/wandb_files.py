"""What of a run's folder goes to W&B: its pictures, and the folder of a finished run as a model."""

from pathlib import Path
from typing import Any

from poolab.records import Record

PICTURES = ("samples", "curves", "confusion", "reliability")
# What another machine needs to use the model, and what it was made with; those that the folder has.
MODEL = ("result.json", "config.json", "environment.json", "history.jsonl", "model.json", "last.ckpt")


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
