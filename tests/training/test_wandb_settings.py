"""What W&B is told: the configuration's word before W&B's environment, and that before poolab's own default."""

import warnings
from pathlib import Path

import pytest

from poolab.configuration import compose
from poolab.run_config import RunConfig, WandbConfig
from poolab.training.settings import check_settings
from poolab.training.trackers import build_tracker
from poolab.training.wandb_settings import PROJECT, wandb_folder, wandb_settings

SILENT = compose([])["tracker"]  # the default, which says nothing
FULL = {**SILENT, "mode": "online", "project": "ours", "entity": "team", "group": "g", "tags": ["x"]}
FOLDER = Path("runs/0123456789ab")


def told(tracker, **environment):
    return wandb_settings(
        WandbConfig.from_tree(tracker), FOLDER, "title", {f"WANDB_{key}": value for key, value in environment.items()}
    )


@pytest.mark.parametrize(("name", "value", "field", "gives"), [
    ("PROJECT", "mine", "project", "mine"),
    ("ENTITY", "us", "entity", "us"),
    ("NAME", "my run", "name", "my run"),
    ("RUN_GROUP", "a", "group", "a"),
    ("NOTES", "why\nnot", "notes", "why\nnot"),
    ("JOB_TYPE", "train", "job_type", "train"),
    ("TAGS", "a,b", "tags", ("a", "b")),
    ("TAGS", " a , ,b,", "tags", ("a", "b")),
    ("MODE", "online", "mode", "online"),
    ("MODE", "Offline", "mode", "offline"),
    ("MODE", "disabled", "mode", "disabled"),
    ("MODE", "dryrun", "mode", "offline"),
    ("MODE", "run", "mode", "online"),
    ("DISABLED", "true", "mode", "disabled"),
    ("DISABLED", "1", "mode", "disabled"),
    ("DISABLED", "false", "mode", "offline"),
    ("SILENT", "false", "silent", False),
    ("SILENT", "0", "silent", False),
    ("SILENT", "true", "silent", True),
    ("DIR", "/scratch", "folder", Path("/scratch/0123456789ab")),
])  # fmt: skip
def test_the_environment_is_heard_where_the_configuration_says_nothing(name, value, field, gives):
    assert getattr(told(SILENT, **{name: value}), field) == gives


@pytest.mark.parametrize("name", ["PROJECT", "ENTITY", "NAME", "RUN_GROUP", "NOTES", "JOB_TYPE", "TAGS", "MODE",
                                  "DISABLED", "SILENT", "DIR"])  # fmt: skip
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_says_nothing(name, value):
    assert told(SILENT, **{name: value}) == told(SILENT)
    own = told(SILENT)
    assert (own.project, own.name, own.mode, own.silent, own.folder) == (PROJECT, "title", "offline", True, FOLDER)
    assert (own.entity, own.group, own.tags, own.notes, own.job_type) == (None, None, (), None, None)


def test_the_configuration_stands_before_the_environment():
    others = {"PROJECT": "p", "ENTITY": "e", "RUN_GROUP": "r", "TAGS": "t", "MODE": "disabled", "DISABLED": "true"}
    own = told(FULL, **others)
    assert (own.mode, own.project, own.entity, own.group, own.tags) == ("online", "ours", "team", "g", ("x",))


def test_an_unknown_mode_is_warned_of():
    with pytest.warns(UserWarning, match="WANDB_MODE='onlin' is none of"):
        assert told(SILENT, MODE="onlin").mode == "offline"


def test_a_folder_of_the_home_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert wandb_folder(FOLDER, {"WANDB_DIR": "~/w"}) == Path("/home/me/w/0123456789ab")


@pytest.mark.parametrize("words", [[], ["tracker=wandb_auto"], ["tracker=wandb_offline"], ["tracker=wandb_online"],
                                   ["tracker.project=null", "tracker.mode=null"], ["tracker.mode=online"]])  # fmt: skip
def test_every_choice_passes_the_check(words):
    config = compose(words)
    check_settings(config)
    if words and "_o" in words[0]:
        assert config["tracker"]["mode"] == words[0].rpartition("_")[2]


@pytest.mark.parametrize(("name", "value"), [("WANDB_MODE", "disabled"), ("WANDB_DISABLED", "true")])
def test_a_tracker_that_is_disabled_leaves_nothing(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build_tracker(RunConfig.from_tree(compose(["tracker=wandb_auto"])), tmp_path, "title") is None
    assert not list(tmp_path.iterdir())
