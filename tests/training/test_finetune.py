"""recipe=finetune: a trained network with other poolings, before, exchanged and after."""

import json

import pytest
import torch

from poolab.errors import ConfigError
from poolab.records.table import arms
from poolab.records.table_page import markdown
from poolab.run_config import RunConfig
from poolab.training.source_run import source_fingerprint, source_of


def fingerprint(tree):
    return source_fingerprint(RunConfig.from_tree(tree))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("finetune")


@pytest.fixture(scope="module")
def source(launched, runs):
    """A finished run with max pooling: its record and folder."""
    record, folder, _ = launched(runs, "trainer.epochs=3")
    return record, folder


def tuned(source, *more):
    return ("recipe=finetune", f"recipe.checkpoint={source[1]}", "trainer.epochs=1", *more)


def weights(folder):
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if name.startswith("network.")}


def test_before_exchanged_and_after(launched, runs, source, capsys):
    record, folder, fresh = launched(runs, *tuned(source, "pooling=avg", "optim.lr=1e-12"))
    assert fresh
    metrics, was = record.metrics, source[0].metrics
    assert metrics["before/val/accuracy"] == was["val/accuracy"]
    assert metrics["before/test/accuracy"] == was["test/accuracy"]
    assert not [name for name in metrics if name.startswith(("before/test/class", "exchanged/test"))]
    # Nothing was learnt at this rate: what the exchange alone does is what is there in the end.
    assert metrics["val/loss"] == pytest.approx(metrics["exchanged/val/loss"], rel=1e-5)
    assert metrics["exchanged/val/loss"] != pytest.approx(was["val/loss"], rel=1e-3)
    for name, value in weights(folder).items():
        torch.testing.assert_close(value, weights(source[1])[name])
    text = capsys.readouterr().out
    assert f"taken over: 8 weights of {source[1]} (max)" in text
    assert "before     val accuracy" in text
    assert "exchanged  val accuracy" in text


def test_the_table_shows_before_exchanged_and_after(launched, runs, source):
    launched(runs, *tuned(source, "pooling=avg", "optim.lr=1e-12"))
    rows = {row.arm.split()[0]: row.figures for row in arms(runs) if "val before" in row.figures}
    row = rows["avg"]
    assert row["val before"] == source[0].metrics["val/accuracy"]
    assert row["val exchanged"] == pytest.approx(row["val after"])
    every, tuned_ones = markdown(arms(runs)).split("\n\n")
    assert tuned_ones.startswith("| arm | runs | val before | val exchanged | val after |")
    assert f"{row['val before']:.4f} | {row['val exchanged']:.4f}" in tuned_ones
    assert len(every.splitlines()) > len(tuned_ones.splitlines()), "the source itself"


def test_the_same_pooling_is_where_it_was(launched, runs, source):
    metrics = launched(runs, *tuned(source))[0].metrics
    assert metrics["exchanged/val/loss"] == pytest.approx(source[0].metrics["val/loss"], rel=1e-6)
    assert metrics["val/loss"] != metrics["exchanged/val/loss"]


def test_a_learnable_pooling_starts_afresh(launched, runs, source, capsys):
    record, folder, _ = launched(runs, *tuned(source, "pooling=lip"))
    assert "6 of the new pooling have new initial weights" in capsys.readouterr().out
    again = launched(runs, "recipe=finetune", f"recipe.checkpoint={folder}", "trainer.epochs=1", "pooling=avg")[0]
    assert again.metrics["before/val/loss"] == record.metrics["val/loss"]


def test_the_source_is_part_of_the_identity(configured, runs, source, launched, tmp_path):
    config = configured(runs, *tuned(source))
    other = launched(runs, "trainer.epochs=1")[1]
    assert fingerprint(config) != fingerprint(configured(runs, *tuned((None, other))))
    assert fingerprint(configured(runs)) == ""
    moved = tmp_path / "elsewhere"
    moved.symlink_to(source[1])
    assert fingerprint(configured(runs, *tuned((None, moved)))) == fingerprint(config)


def test_the_checkpoint_itself_may_be_named(configured, runs, source):
    config = configured(runs, "recipe=finetune", f"recipe.checkpoint={source[1] / 'last.ckpt'}")
    assert source_of(RunConfig.from_tree(config)).folder == source[1]


class TestRefusals:
    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            (["backbone=vgg_small"], r"was trained otherwise: add backbone=keras_cnn$"),
            (["seed=1"], r"add seed=0$"),
            (["head=global_avg"], r"is of another network: classifier.0.weight differ"),
        ],
    )
    def test_another_network_or_seed(self, launched, runs, source, overrides, message):
        with pytest.raises(ConfigError, match=message):
            launched(runs, *tuned(source, *overrides))

    def test_no_source(self, launched, runs, tmp_path):
        with pytest.raises(ConfigError, match=r"recipe.checkpoint=runs/<signature>"):
            launched(runs, "recipe=finetune")
        with pytest.raises(ConfigError, match=r"last.ckpt, config.json, result.json are missing"):
            launched(runs, "recipe=finetune", f"recipe.checkpoint={tmp_path}")

        with pytest.raises(ConfigError, match=r"checkpoint=\S+missing: there is no such folder"):
            launched(runs, "recipe=finetune", f"recipe.checkpoint={tmp_path / 'missing'}")

    def test_a_run_that_failed(self, launched, runs, source, tmp_path):
        for name in ("last.ckpt", "config.json"):
            (tmp_path / name).write_bytes((source[1] / name).read_bytes())
        failed = {**source[0].to_json(), "status": "diverged", "reason": "the loss became nan"}
        (tmp_path / "result.json").write_text(json.dumps(failed))
        with pytest.raises(ConfigError, match=r"is a run that diverged: the loss became nan"):
            launched(runs, "recipe=finetune", f"recipe.checkpoint={tmp_path}")

    def test_an_unknown_setting(self, launched, runs, source):
        with pytest.raises(ConfigError, match=r"recipe.rate: there is no such setting"):
            launched(runs, *tuned(source, "recipe.rate=3"))
