"""What of a run's folder goes to W&B, with W&B's own classes and no server."""

import json
from types import SimpleNamespace

import pytest
import wandb
from PIL import Image

from poolab.errors import PoolabError
from poolab.records import Record
from poolab.training.wandb_files import log_model, log_pictures, write_onnx

RECORD = Record(signature="0123456789ab", status="completed", seed=3, metrics={"test/accuracy": 0.5, "test/loss": None})


@pytest.fixture
def run():
    """A W&B run that keeps what it is given."""
    kept = SimpleNamespace(rows=[], artifacts=[])
    kept.log = kept.rows.append
    kept.log_artifact = lambda artifact, aliases: kept.artifacts.append((artifact, aliases))
    return kept


@pytest.fixture(autouse=True)
def _staging(monkeypatch, tmp_path):
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def test_the_pictures_that_there_are_go_in_one_row(run, tmp_path):
    for name in ("samples", "reliability"):
        Image.new("RGB", (4, 3)).save(tmp_path / f"{name}.png")
    log_pictures(run, tmp_path, {"epoch": 1, "trainer/global_step": 9})
    (row,) = run.rows
    assert row.keys() == {"pictures/samples", "pictures/reliability", "epoch", "trainer/global_step"}
    assert isinstance(row["pictures/samples"], wandb.Image)
    assert (row["epoch"], row["trainer/global_step"]) == (1, 9)


def test_without_pictures_there_is_no_row(run, tmp_path):
    log_pictures(run, tmp_path, {"epoch": 1})
    assert run.rows == []


def test_the_folder_is_an_artifact_of_the_type_model(run, tmp_path):
    for name in ("result.json", "config.json", "model.json", "last.ckpt", "test_examples.npz"):
        (tmp_path / name).write_text(json.dumps(name))
    log_model(run, tmp_path, RECORD)
    ((artifact, aliases),) = run.artifacts
    assert (artifact.type, artifact.name, aliases) == ("model", "model-0123456789ab", ["latest"])
    assert artifact.metadata == {
        "signature": "0123456789ab",
        "status": "completed",
        "seed": 3,
        "test/accuracy": 0.5,  # of the loss, which is no number, there is none
    }
    assert sorted(artifact.manifest.entries) == ["config.json", "last.ckpt", "model.json", "result.json"]


def test_what_an_export_says_is_told(tmp_path, monkeypatch):
    with pytest.raises(PoolabError, match=r"is not the folder of a run: it has no result\.json|has no result"):
        write_onnx(tmp_path)
    with pytest.raises(PoolabError, match=r"took more than 0\.001 s"):
        write_onnx(tmp_path, 0.001)


def test_a_folder_without_weights_is_no_model(run, tmp_path):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"has no last\.ckpt"):
        log_model(run, tmp_path, RECORD)
    assert run.artifacts == []
