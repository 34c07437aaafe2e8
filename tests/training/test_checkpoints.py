"""Checkpoints that are damaged, foreign or another run's: one sentence, and code in them is never run."""

import json
import os
import shutil

import pytest
import torch

from poolab.errors import ConfigError, PoolabError
from poolab.records import RunFolder
from poolab.run_config import RunConfig
from poolab.training.checkpoints import SIGNATURE
from poolab.training.source_run import source_of


@pytest.fixture(scope="module")
def finished(launched, tmp_path_factory):
    return launched(tmp_path_factory.mktemp("finished"), "trainer.epochs=1")


class Harm:
    def __reduce__(self):
        return (os.mkdir, ("harm",))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def random_bytes(path):
    path.write_bytes(bytes(range(256)) * 64)


def code(path):
    torch.save({"state_dict": {}, "x": Harm()}, path)


def old_pickle(path):
    import pickle

    path.write_bytes(pickle.dumps({"x": Harm()}))


def text(path):
    path.write_text("last")


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) - 200 :] = bytes(200)
    path.write_bytes(content)


def foreign(path):
    torch.save({"state_dict": {"a": torch.ones(1)}}, path)


def a_list(path):
    torch.save([1], path)


def no_mapping(path):
    content = torch.load(path, weights_only=True)
    torch.save({**content, "state_dict": [1]}, path)


DAMAGES = [cut, empty, random_bytes, code, old_pickle, text, folder, pipe, flipped, foreign, a_list, no_mapping]


@pytest.fixture
def interrupted(launched, finished, tmp_path):
    """A run's folder with a checkpoint and without a result, as a kill leaves it."""
    copy = tmp_path / finished[1].name
    shutil.copytree(finished[1], copy)
    (copy / "result.json").unlink()
    return copy


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_one_sentence_and_force_starts_afresh(
    launched, interrupted, tmp_path, monkeypatch, damage
):
    monkeypatch.chdir(tmp_path)
    damage(interrupted / "last.ckpt")
    with pytest.raises(PoolabError, match=r"last\.ckpt cannot be used: .*; force=true starts afresh") as caught:
        launched(tmp_path, "trainer.epochs=1")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()
    assert not (interrupted / "result.json").exists()


def test_force_starts_afresh(launched, interrupted, tmp_path):
    cut(interrupted / "last.ckpt")
    assert launched(tmp_path, "trainer.epochs=1", "force=true")[0].status == "completed"


def test_the_checkpoint_of_another_run_is_not_gone_on_from(launched, finished, interrupted, tmp_path):
    _, other, _ = launched(tmp_path / "other", "trainer.epochs=1", "seed=1")
    shutil.copy(other / "last.ckpt", interrupted / "last.ckpt")
    with pytest.raises(PoolabError, match=rf"is of the run {other.name} and not of {interrupted.name}; force=true"):
        launched(tmp_path, "trainer.epochs=1")


def test_a_checkpoint_that_does_not_say_whose_it_is_is_gone_on_from(launched, interrupted, tmp_path):
    content = torch.load(interrupted / "last.ckpt", weights_only=True)
    assert content.pop(SIGNATURE) == interrupted.name
    torch.save(content, interrupted / "last.ckpt")
    assert launched(tmp_path, "trainer.epochs=1")[0].status == "completed"


@pytest.fixture
def source(finished, tmp_path):
    copy = tmp_path / "source"
    shutil.copytree(finished[1], copy)
    return copy


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_of_a_source(launched, source, tmp_path, damage):
    damage(source / "last.ckpt")
    with pytest.raises(ConfigError, match=r"last\.ckpt|missing") as caught:
        launched(tmp_path / "runs", "recipe=finetune", f"recipe.checkpoint={source}")
    assert "\n" not in str(caught.value)


def test_a_source_with_the_checkpoint_of_another_run(launched, source, tmp_path):
    _, other, _ = launched(tmp_path / "other", "trainer.epochs=1", "seed=1")
    shutil.copy(other / "last.ckpt", source / "last.ckpt")
    with pytest.raises(ConfigError, match=rf"is of the run {other.name} and not of"):
        launched(tmp_path / "runs", "recipe=finetune", f"recipe.checkpoint={source}")


CONFIGS = {
    "empty": b"",
    "cut off": b'{"backbone": {"na',
    "not UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "null": b"null",
    "nested": b"[" * 100_000,
    "no backbone": json.dumps({"data": {"name": "digits"}, "pooling": {"name": "max"}, "seed": 0}).encode(),
    "a backbone in words": json.dumps({"backbone": "x", "data": {"name": "d"}, "pooling": {}, "seed": 0}).encode(),
    "no seed": json.dumps({group: {"name": "x"} for group in ("backbone", "data", "pooling")}).encode(),
    "a name in a list": json.dumps({group: {"name": ["x"]} for group in ("backbone", "data", "pooling")}).encode(),
}


@pytest.mark.parametrize("content", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_source_with_a_damaged_or_hand_written_configuration(configured, source, tmp_path, content):
    (source / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"source/config\.json (cannot be read|is not the configuration of a run): "):
        source_of(RunConfig.from_tree(configured(tmp_path, "recipe=finetune", f"recipe.checkpoint={source}")))


RECORDS = {
    "empty": b"",
    "cut off": b'{"status": "comp',
    "a list": b"[]",
    "no status": b"{}",
    "unknown status": b'{"status": "done"}',
    "no metrics": b'{"status": "completed", "started": "1", "config": {}}',
    "metrics of null": b'{"status": "completed", "started": "1", "config": {}, "metrics": null}',
    "a metric in words": b'{"status": "completed", "started": "1", "config": {}, "metrics": {"val/loss": "low"}}',
    "not UTF-8": b"\xff",
    "newer": b'{"status": "completed", "schema_version": 99}',
}


@pytest.mark.parametrize("content", RECORDS.values(), ids=RECORDS.keys())
def test_a_source_with_a_damaged_or_hand_written_record(configured, source, tmp_path, content):
    (source / "result.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"recipe.checkpoint=\S+source cannot be gone on from: .*result\.json"):
        source_of(RunConfig.from_tree(configured(tmp_path, "recipe=finetune", f"recipe.checkpoint={source}")))


@pytest.mark.parametrize("name", ["config.json", "curves.png"])
def test_another_file_of_the_folder_is_no_checkpoint(configured, source, tmp_path, name):
    (source / name).touch()
    with pytest.raises(ConfigError, match=r"is no run: name its folder"):
        source_of(RunConfig.from_tree(configured(tmp_path, "recipe=finetune", f"recipe.checkpoint={source / name}")))


def test_a_checkpoint_is_written_beside_the_run_and_not_through_tmpdir(launched, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    record, folder, _ = launched(tmp_path / "runs", "trainer.epochs=1")
    assert record.status == "completed"
    assert RunFolder(folder.parent, folder.name).checkpoint is not None
