"""What an agent writes by str() is what a study says."""

import pytest
import yaml

from poolab.cli import main
from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.study.sweep.cells import Cell
from poolab.study.wandb.agent_args import in_hydras_words

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


LOOKED_UP = [
    "data.root=${oc.env:SECRET}",
    "data.root='${oc.env:SECRET}'",
    "data.root=${oc.decode:${oc.env:SECRET}}",
    "tracker.tags=[a,${oc.env:SECRET}]",
    "backbone.match_to={name:${oc.env:SECRET}}",
    "data.root=a${oc.env:SECRET}b",
    "data.root=${seed}",
    "data.root=${hydra:runtime.cwd}",
    "data.root=${oc.create:{a:1}}",
    "data.root=\\${oc.env:SECRET}",
    "data.root=$${oc.env:SECRET}",
    "data.root=$\\{oc.env:SECRET\\}",  # Hydra takes the backslashes out of a word without quotes
    "data.root=$\\\\{oc.env:SECRET}",
]


@pytest.mark.parametrize("word", LOOKED_UP)
def test_a_value_of_a_sweep_looks_nothing_up(agent, word, monkeypatch, capsys):
    monkeypatch.setenv("SECRET", "hush")
    with pytest.raises(ConfigError, match="is not looked up"):
        in_hydras_words(["seed=1", word])
    assert main(["train", "seed=1", word, "--cfg", "job", "--resolve"]) == 2
    told = capsys.readouterr()
    assert "comes from a sweep" in told.err
    assert "hush" not in told.out + told.err


@pytest.mark.parametrize("value", [
    *("${oc.env:SECRET}", ["a", "${oc.env:SECRET}"], {"a": "${oc.env:SECRET}"}, {"${oc.env:SECRET}": 1}),
    *([[["${seed}"]]], "x${hydra:runtime.cwd}", "\\${oc.env:SECRET}", "$\\{oc.env:SECRET\\}"),
])  # fmt: skip
def test_a_value_of_an_agents_file_looks_nothing_up(agent, value):
    agent.write_text(yaml.safe_dump({"data.root": {"value": value}}))
    with pytest.raises(ConfigError, match="is not looked up"):
        in_hydras_words([f"data.root={value}"])


@pytest.mark.parametrize("value", ["$HOME", "{a}", "$ {x}", "%(x)s", "$(id)", "`id`", "}${"[:2]])
def test_texts_that_nobody_looks_up_stay(agent, value):
    agent.write_text(yaml.safe_dump({"data.root": {"value": value}}))
    assert compose(in_hydras_words([f"data.root={value}"]))["data"]["root"] == value


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"a: &a [*a]", b"[" * 1000, b"!!python/object:os.system x", b"- 1"])
def test_a_file_that_is_no_agents_changes_nothing(agent, content):
    agent.write_bytes(content)
    assert in_hydras_words(["seed=None"]) == ["seed=None"]
