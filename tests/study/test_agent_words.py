"""What an agent writes by str() is what a study says."""

import pytest
import yaml

from poolab.configuration import compose
from poolab.study.agent_words import in_hydras_words
from poolab.study.cells import Cell

VALUES = {
    "data.image_size": None,
    "pooling.slots": ["pool1"],
    "backbone.match_to": {"name": "lip", "logit": "bottleneck"},
    "data.root": "a, b=[c]",
    "tracker.project": "0.5",
    "optim.lr": 1e-05,
    "force": True,
    "seed": 3,
}


@pytest.fixture
def agent(monkeypatch, tmp_path):
    """What an agent leaves for its run."""
    content = {"wandb_version": 1, **{key: {"value": value} for key, value in VALUES.items()}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("WANDB_SWEEP_ID", "x")
    return tmp_path / "config.yaml"


def test_the_words_are_those_of_a_cell(agent):
    given = [f"{key}={value}" for key, value in VALUES.items()]
    words = in_hydras_words(["train", *given, "other=None"])
    assert words == ["train", *Cell(VALUES).overrides, "other=None"]
    config = compose(words[1:-1])
    assert (config["data"]["image_size"], config["data"]["root"]) == (None, "a, b=[c]")
    assert config["backbone"]["match_to"] == {"name": "lip", "logit": "bottleneck"}


@pytest.mark.parametrize("content", ["a: [", "text", ""])
def test_a_file_that_says_nothing_changes_nothing(agent, content):
    agent.write_text(content)
    assert in_hydras_words(["seed=None"]) == ["seed=None"]


def test_without_an_agent_nothing_is_changed(agent, monkeypatch):
    monkeypatch.delenv("WANDB_SWEEP_ID")
    assert in_hydras_words(["data.image_size=None"]) == ["data.image_size=None"]
