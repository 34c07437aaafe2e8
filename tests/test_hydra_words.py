"""What people type that Hydra's grammar does not take: it works where it is plain, and is told with what works."""

import re
import shlex
import subprocess

import pytest

from poolab import cli
from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.hydra_words import for_a_shell, ordered, quoted, readable
from poolab.study.sweep.cells import Cell, Words
from poolab.study.sweep.composition import Composer

# Names that a folder may have.
FOLDERS = [
    *("a=1", "R&D", "data #2", "Images (1)", "it's", 'the "best"', "a,b", "[x]", "{y}", "50%", "a;b", "a|b", "x!"),
    *(
        "Bücher/猫",
        "tab\there",
        "C:\\data",
        "ends in \\",
        "\\'",
        " two  spaces ",
        "$HOME",
        "a:b",
        "*.png",
        "?",
        "3",
        "1e5",
    ),
    *("true", "nan", "-x", "+x", "@x", "a\nb", "'half", '"half', "(", "]", "`x`", "0x10", "null/x", "key={a: [1]}"),
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_path_is_taken_as_it_stands(folder):
    assert compose([f"data.root={folder}"])["data"]["root"] == folder
    assert Composer()(Cell({"data.root": Words(folder)}))["data"]["root"] == folder
    assert Composer()(Cell({"data.root": folder}))["data"]["root"] == folder


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.root=null", None),
        ("data.root='a b'", "a b"),
        ('data.root="R&D"', "R&D"),
        ("data.root='null'", "null"),
        ("+data.root=R&D", "R&D"),
        ("++data.root=R&D", "R&D"),
        ("data.root=${runs_dir}/x", "runs/x"),
    ],
)
def test_quotes_null_and_references_keep_their_meaning(word, value):
    assert compose([word])["data"]["root"] == value


def test_of_several_runs_each_may_have_its_path():
    words = readable(["runs_dir=a,b", "data.root=R&D,x"], ["data"], sweep=True)
    assert words == ["runs_dir=a,b", "data.root='R&D,x'"]


@pytest.mark.parametrize(
    "value", ["R&D", "data #2", "a=1", "it's", 'the "best"', "[x", "{", "'half", "(1)", "a, b", "$(x)"]
)
def test_the_words_that_a_message_suggests_work_in_a_shell(value):
    with pytest.raises(ConfigError) as told:
        compose([f"tracker.group={value}"])
    suggested = re.search(r"(?:text write|one text) (.*)$", str(told.value), re.DOTALL)[1]
    given = subprocess.run(["sh", "-c", f"printf %s {suggested}"], capture_output=True, text=True, check=True).stdout
    assert compose([given])["tracker"]["group"] == value


@pytest.mark.parametrize("text", ["R&D", "it's", 'x"y', "a\\", "\\'", "a\nb", "ü"])
def test_quotes_are_taken_off_again(text):
    assert compose([f"tracker.group={quoted(text)}"])["tracker"]["group"] == text
    assert compose(shlex.split(for_a_shell("tracker.group", text)))["tracker"]["group"] == text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pooling", "max"], ["pooling max: a setting is written key=value", "pooling=max"]),
        (["pooling max"], ["pooling=max"]),
        (["pooling:", "max"], ["pooling: max:", "pooling=max"]),
        (["pooling:max"], ["pooling=max"]),
        (["pooling", "=", "max"], ["pooling = max:", "pooling=max"]),
        (["pooling", "max"], ["write pooling=max"]),
        (["pooling="], ["pooling"]),
        (["pooling"], ["pooling=..."]),
        ([""], ["there is an empty argument"]),
        (["=3"], ["a setting is written key=value"]),
        (["trainer epochs=3"], ["trainer", "key=value"]),
        (["seed=["], ["the bracket [ is not closed"]),
        (["measure.scales=[1,2"], ["the bracket [ is not closed; write 'measure.scales=[1,2]'"]),
        (["measure.scales=1,2]"], ["the bracket ] is not opened"]),
        (["pooling.at={pool1:avg"], ["the bracket { is not closed"]),
        (["tracker.group='x"], ["the quote ' is not closed"]),
        (['tracker.group="x'], ['the quote " is not closed']),
        (["seed=" + "9" * 5000], ["seed="]),
        (["seed=" + "[" * 3000], ["seed=", "is not closed"]),
        (["pooling=max,avg"], ["train -m pooling=max,avg makes a run of each"]),
        (["data.image_size=32,64"], ["-m data.image_size=32,64", "'data.image_size=[32,64]'"]),
        (["pooling=[max,avg]"], ["write pooling=max,", "-m pooling=max,avg"]),
        (["pooling=[max]"], ["write pooling=max"]),
        (["backbone=[resnet20,unet]"], ["-m backbone=resnet20,unet"]),
        (["task=[classification,segmentation]"], ["-m task="]),
        (["pooling={name:max}"], ["write pooling=max, then pooling.key=value"]),
        (["pooling={k: 3}"], ["pooling=NAME"]),
        (["data=[]"], ["data=NAME"]),
        (["pooling=5"], ["pooling=5: a group is chosen by a name: pooling=NAME"]),
        (["data=true"], ["data=NAME"]),
        (["backbone=1e308"], ["backbone=NAME"]),
        (["+pooling=[max,avg]"], ["-m pooling=max,avg"]),
    ],
)
def test_what_cannot_be_read_is_told(words, told):
    with pytest.raises(ConfigError) as caught:
        compose(words)
    message = str(caught.value)
    assert all(part in message for part in told), message
    assert "hydra.cc" not in message
    assert len(message) < 600
    assert "key=[" not in message


def test_all_of_them_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        compose(["pooling", "max", "tracker.group=R&D", "head=[own,spp]"])
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["seed=1", "-m", "pooling=max,avg"], (["seed=1", "pooling=max,avg"], ["-m"])),
        (["--cfg", "job", "seed=1"], (["seed=1"], ["--cfg", "job"])),
        (["--cfg=job", "seed=1"], (["seed=1"], ["--cfg=job"])),
        (["--info", "seed=1"], (["seed=1"], ["--info"])),
        (["--info", "defaults", "seed=1"], (["seed=1"], ["--info", "defaults"])),
        (["--multi", "seed=1,2"], (["seed=1,2"], ["--multi"])),
    ],
)
def test_options_may_stand_anywhere(arguments, found):
    assert ordered(arguments) == found


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--pooling", "max"], "--pooling max: a setting is written without dashes: write pooling=max"),
        (["--pooling=max"], "--pooling=max: a setting is written without dashes: write pooling=max"),
        (["-seed", "1"], "-seed 1: a setting is written without dashes: write seed=1"),
        (["--multirunn"], "did you mean --multirun?"),
        (["---"], "there is no such option"),
        (["-m", "--cfg", "job"], "only one of them"),
    ],
)
def test_an_option_that_there_is_not(arguments, told, capsys):
    assert cli.train(arguments) == 2
    assert told in capsys.readouterr().err


def test_a_word_that_cannot_be_read_ends_the_command_with_2(capsys):
    assert cli.train(["-m", "pooling=[max,avg]"]) == 2
    assert "-m pooling=max,avg" in capsys.readouterr().err


def test_a_choice_in_another_case_is_known():
    with pytest.raises(ConfigError, match=r"^pooling=MAX: there is no such choice; did you mean max\?"):
        compose(["pooling=MAX"])
    with pytest.raises(ConfigError, match=r"^optim=Adam: there is no such choice; did you mean adam\?"):
        compose(["optim=Adam"])


@pytest.mark.parametrize("words", [["recipe=null"], ["recipe=finetune", "recipe=null"], ["seed=0", "recipe=null"]])
def test_no_recipe_may_be_said(words):
    assert compose(words) == compose([])
    assert Composer()(Cell({key: Words(value) for key, value in (word.split("=") for word in words)})) == compose([])


def test_a_recipe_behind_null_is_taken():
    assert compose(["recipe=null", "recipe=finetune"])["recipe"]["name"] == "finetune"


def test_a_launcher_without_a_multirun_is_told(capsys):
    assert cli.train(["hydra/launcher=ray", "pooling=max"]) == 2
    assert "hydra/launcher=ray starts the runs of a multirun: add -m" in capsys.readouterr().err
