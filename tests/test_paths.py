"""`~` in a setting that is a path: the home folder, for every command alike."""

import os
import pwd
from pathlib import Path

import pytest

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.paths import PATHS, expanded_path, with_expanded_paths
from poolab.study.sweep.cells import Cell
from poolab.study.sweep.composition import Composer

BESIDES = {
    "backbone.weights": ["backbone=alexnet"],
    "recipe.checkpoint": ["recipe=finetune"],
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def value(config, key):
    for part in key.split("."):
        config = config[part]
    return config


@pytest.mark.parametrize("setting", PATHS)
def test_run_and_plan_expand_the_home_folder_alike(setting, home):
    group, _, choice = "".join(BESIDES.get(setting, [""])).partition("=")
    chosen = {group: choice} if group else {}
    composed = compose([*BESIDES.get(setting, []), f"{setting}='~/here'"])
    planned = Composer()(Cell({**chosen, setting: "~/here"}))
    assert value(composed, setting) == value(planned, setting) == f"{home}/here"


@pytest.mark.parametrize("setting", PATHS)
def test_a_path_object_becomes_a_text(setting):
    config = compose(BESIDES.get(setting, []))
    group, _, key = setting.rpartition(".")
    changed = {**config, group: {**config[group], key: Path("~/x")}} if group else {**config, key: Path("~/x")}
    assert value(with_expanded_paths(changed), setting) == os.path.expanduser("~/x")
    assert value(changed, setting) == Path("~/x")  # the given mapping is not changed


def test_the_home_folder_of_a_named_user():
    user = pwd.getpwuid(os.getuid())
    assert expanded_path(f"~{user.pw_name}/x") == f"{user.pw_dir}/x"


@pytest.mark.parametrize("path", ["./~/x", "a~", "x/~", "~/y"])
def test_only_a_tilde_at_the_start_stands_for_a_home_folder(path, home):
    expected = f"{home}/y" if path == "~/y" else path
    assert expanded_path(path) == expected


def test_users_that_do_not_exist_are_told_at_once():
    config = {"runs_dir": "~nobody-of-this-name/x", "data": {"root": "~nor-of-this"}}
    with pytest.raises(ConfigError) as told:
        with_expanded_paths(config)
    lines = str(told.value).splitlines()
    assert lines[0].startswith("runs_dir=~nobody-of-this-name/x: there is no user nobody-of-this-name; write the")
    assert lines[1].startswith("data.root=~nor-of-this: there is no user nor-of-this")
