"""A run as large as another arm, and the networks that look at images before they train."""

import pytest
import torch

from poolab import cli
from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.records import RunFolder
from poolab.records.table import arms
from poolab.training.settings import check_settings

CONTROL = ("pooling=max", "backbone.match=parameters", "backbone.match_to=lip", "trainer.epochs=1")


@pytest.fixture(scope="module")
def runs(launched, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    arms = {
        "control": CONTROL,
        "lip": ("pooling=lip", "trainer.epochs=1"),
        "plain": ("pooling=max", "trainer.epochs=1"),
        "options": (*CONTROL[:2], "backbone.match_to={name:lip,logit:bottleneck}", "trainer.epochs=1"),
    }
    return folder, {name: launched(folder, *overrides)[0] for name, overrides in arms.items()}


def test_the_control_is_as_large_as_the_other_arm(runs):
    control, lip, plain = (runs[1][name].metrics for name in ("control", "lip", "plain"))
    assert control["match/target"] == lip["cost/parameters"]
    assert control["match/count"] == control["cost/parameters"]
    assert control["match/residual"] == control["cost/parameters"] - lip["cost/parameters"]
    assert abs(control["match/residual_share"]) < 0.02
    assert plain["cost/parameters"] < 0.9 * control["cost/parameters"]
    assert control["match/width_mult"] > 1
    assert not [name for name in plain if name.startswith("match/")]
    assert runs[1]["control"].notes["match/target"] == "parameters with lip"


def test_the_table_names_the_control(runs):
    names = {row.arm for row in arms(runs[0])}
    control = "max with as many parameters as lip"
    assert names == {"max", "lip", control, f"{control} logit=bottleneck"}


def test_the_weights_that_were_trained_are_the_wider_ones(runs):
    folder = RunFolder(runs[0], runs[1]["control"].signature)
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    assert len(state["network.conv1.weight"]) == round(32 * runs[1]["control"].metrics["match/width_mult"])


@pytest.mark.parametrize(("overrides", "message"), [
    (["backbone.match=parameters"], r"backbone\.match=parameters needs backbone\.match_to"),
    (["backbone.match_to=lip"], r"backbone\.match_to=lip needs backbone\.match=parameters or multiply_adds"),
    (["backbone.match=size", "backbone.match_to=lip"], r"backbone.match must be one of .*found 'size'"),
])  # fmt: skip
def test_a_wrong_setting_is_told_before_anything_runs(overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_settings(compose(overrides))


def test_a_wrong_arm_leaves_no_folder(tiny, tmp_path, capsys):
    wrong = ["backbone.match=parameters", "backbone.match_to=lipp"]
    assert cli.train([*tiny, f"runs_dir={tmp_path}/runs", *wrong]) == 2
    assert "match_to, the pooling that the network is to be matched to: pooling.name=lipp" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_shapes_are_those_of_the_wider_network(capsys):
    assert cli.main(["shapes", "data=cifar10", *CONTROL]) == 0
    out = capsys.readouterr().out
    assert "36x30x30" in out
    assert "matched: width_mult 1.1328: 211,834 parameters, with lip 213,834 (-0.94%)" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.fixture(scope="module")
def whitened(launched, tmp_path_factory):
    """The whitening layer after a run of each arm, and of another seed."""
    folder, found = tmp_path_factory.mktemp("whitened"), {}
    small = ("backbone=airbench94", "backbone.width_mult=0.05", "data.image_size=25", "trainer.epochs=1")
    for name, overrides in {"max": [], "avg": ["pooling=avg"], "other": ["seed=1"]}.items():
        _, place, _ = launched(folder, *small, *overrides)
        state = torch.load(place / "last.ckpt", weights_only=True)["state_dict"]
        found[name] = state["network.whiten.weight"], state["network.whiten.bias"]
    return found


def test_the_whitening_is_that_of_the_training_images_and_is_not_trained(whitened):
    from poolab.backbones.whitening import patch_filters
    from poolab.data import load_data, training_sample

    data = load_data("digits", image_size=25, limit_train=200, limit_test=100, seed=0)
    weight, bias = whitened["max"]
    assert torch.equal(weight, patch_filters(training_sample(data)))
    assert bias.any(), "the bias is trained"


def test_arms_of_a_seed_share_the_whitening(whitened):
    assert torch.equal(whitened["max"][0], whitened["avg"][0])
    assert not torch.equal(whitened["max"][0], whitened["other"][0])
