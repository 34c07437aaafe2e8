"""The words of a study's `command`: poolab runs what W&B's agent would, or refuses the file."""

import sys
from pathlib import Path

import pytest
import yaml

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.study import grid_cells, read_study
from poolab.study.plan.cache import expected
from poolab.study.plan.page import wandb_notes
from poolab.study.plan.plan import plan
from poolab.study.run import run_study
from poolab.study.search.space import Space
from poolab.study.sweep.command import command
from poolab.study.sweep.own_command import FIRST_ENTRY, is_own

START = ["${env}", "${interpreter}", "${program}"]
ARGUMENTS = "${args_no_hyphens}"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Writes a study with a command and reads it."""
    monkeypatch.chdir(tmp_path)

    def write(command=None, parameters=None, **more):
        content = {"program": "train.py", "method": "grid", "parameters": parameters or {"seed": {"values": [0, 1]}}}
        content |= {"command": command} if command is not None else {}
        Path("s.yaml").write_text(yaml.safe_dump({**content, **more}, sort_keys=False))
        return read_study("s.yaml")

    return write


def agents_words(study, cell):
    """What W&B's agent gives to train.py."""
    words = command(study.command, study.program, {name: cell.values[name] for name in ("seed",)})
    return words[words.index("train.py") + 1 :]


@pytest.mark.parametrize("words", [
    ["trainer.epochs=1", "pooling=avg", ARGUMENTS],
    ["seed=7", ARGUMENTS],  # the parameter stands later
    ["pooling=max", ARGUMENTS, "pooling=avg_topk", "pooling.k=3"],
    ["trainer.epochs=1", ARGUMENTS, "trainer.epochs=3"],
    ["trainer.epochs=1", "trainer.epochs=3", ARGUMENTS],
    [ARGUMENTS, "pooling.slots=[pool1]", "data.root='a, b'", "tracker.project=null", "optim.lr=1e-3"],
    ["pooling.at.pool1=avg", ARGUMENTS],
    ["backbone.match_to={name:lip}", "backbone=resnet20", ARGUMENTS],
])  # fmt: skip
def test_a_cell_is_what_an_agent_would_run(study, words):
    found = study([*START, *words])
    for cell in grid_cells(found):
        assert compose(cell.overrides) == compose(agents_words(found, cell))


def test_every_verb_has_the_words_of_the_command(study, tmp_path):
    found = study([*START, "trainer.epochs=1", "pooling=avg", "data=digits", ARGUMENTS])
    planned = plan(found)
    assert [(one.config.trainer.epochs, one.config.pooling.name) for one in planned.cells] == [(1, "avg")] * 2
    assert [run.signature for run in expected(found, tmp_path)] == [one.signature for one in planned.cells]
    assert [cell.values["trainer.epochs"] for cell in grid_cells(found, ["trainer.epochs=2"])] == ["2", "2"]
    drawn = study([*START, "optim.lr=0.5", ARGUMENTS], {"seed": {"min": 0, "max": 9}}, method="random")
    assert "optim.lr=0.5" in str(Space(drawn).cell({"seed": 3}))


@pytest.mark.parametrize(("words", "fault"), [
    ([*START, ARGUMENTS, "-m"], "-m: a study's cells are single runs"),
    ([*START, "--multirun", ARGUMENTS], "--multirun: a study's cells are single runs"),
    ([*START, "--cfg", "job", ARGUMENTS], "'--cfg': its own words for train.py are key=value"),
    ([*START, "+pooling.k=3", ARGUMENTS], "its own words for train.py are key=value"),
    ([*START, "~tracker", ARGUMENTS], "its own words for train.py are key=value"),
    ([*START, "pooling=max,avg", ARGUMENTS], "one value for every cell"),
    ([*START, "pooling.slots=[a", ARGUMENTS], "pooling.slots=[a"),
    ([*START, "hydra.run.dir=x", ARGUMENTS], "not Hydra's own"),
    ([*START, "hydra/launcher=ray", ARGUMENTS], "not Hydra's own"),
    ([*START, "data.root=${oc.env:HOME}", ARGUMENTS], "is not looked up"),
    ([*START, "data.root=${envvar:HOME}", ARGUMENTS], "is not looked up"),
    ([*START, "data.root=$\\{oc.env:HOME\\}", ARGUMENTS], "is not looked up"),
    ([*START, ARGUMENTS, ARGUMENTS], "has more than one ${args_no_hyphens}"),
    ([*START, ARGUMENTS, "${args}"], "${args}: train.py takes key=value"),
    ([*START, "${args_append_hydra}"], "lacks ${args_no_hyphens}"),
    ([*START, "${args_override_hydra}"], "lacks ${args_no_hyphens}"),
    ([*START, "${args_json}"], "lacks ${args_no_hyphens}"),
    ([*START, "${args_json_file}"], "lacks ${args_no_hyphens}"),
    ([*START], "lacks ${args_no_hyphens}"),
    (["${env}", "torchrun", "${program}", ARGUMENTS], "poolab would leave out other words at its start"),
    (["${env}", "CUDA_VISIBLE_DEVICES=0", *START[1:], ARGUMENTS], "poolab would leave out other words"),
    (["echo", "hello"], "poolab would leave out other words"),
    (["${program}", ARGUMENTS], "poolab would leave out other words"),
    ([*START, ARGUMENTS, "seed=3"], "all its values give the same run"),
    ("python train.py", "command must be the list"),
    ([*START, [ARGUMENTS]], "command must be the list"),
    ([*START, True, ARGUMENTS], "command must be the list"),
    ({"a": 1}, "command must be the list"),
])  # fmt: skip
def test_what_poolab_cannot_do_as_an_agent_would_is_refused(study, words, fault):
    with pytest.raises(ConfigError) as caught:
        study(words)
    assert fault in str(caught.value)


def test_a_file_that_is_used_here_only_needs_no_command(study):
    found = study()
    assert [cell.overrides for cell in grid_cells(found)] == [("seed=0",), ("seed=1",)]
    assert any("command" in note for note in wandb_notes(found))
    assert not any("command" in note for note in wandb_notes(study([*START, ARGUMENTS])))


@pytest.mark.parametrize("words", [
    ["${env}", "poolab", "train", ARGUMENTS],
    ["poolab", "train", ARGUMENTS],
    ["${env}", "${interpreter}", "-m", "poolab", "train", ARGUMENTS],
    ["python3.11", "-u", "train.py", ARGUMENTS],
    ["${env}", "${interpreter}", "-u", "${program}", ARGUMENTS],
])  # fmt: skip
def test_other_ways_to_start_poolab(study, words):
    assert study(words).trains


def test_another_train_py_is_another_program(study, tmp_path, pytestconfig):
    own = pytestconfig.rootpath / "train.py"
    assert is_own(str(own))
    assert is_own("train.py")  # no such file here: the one of poolab is meant
    (tmp_path / "other").mkdir()
    script = "import sys\nprint(*sys.argv[1:], file=open('ran', 'a'))\n"
    (tmp_path / "other" / "train.py").write_text(script)
    found = study(None, program="other/train.py")
    assert not found.trains
    assert run_study(found).code == 0
    assert sorted(Path("ran").read_text().splitlines()) == ["--seed=0", "--seed=1"]
    with pytest.raises(ConfigError, match=r"only cells of train\.py can be composed"):
        plan(found)
    (tmp_path / "train.py").write_text(script)
    assert not study([*START, ARGUMENTS]).trains
    (tmp_path / "train.py").write_text(own.read_text())
    assert study([*START, ARGUMENTS]).trains


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"def (", b"x = 1\n" * 1000, None])
def test_a_train_py_that_is_not_poolabs(tmp_path, content):
    path = tmp_path / "train.py"
    path.mkdir() if content is None else path.write_bytes(content)
    assert not is_own(str(path))


def test_the_command_of_another_program_may_start_poolabs(study):
    found = study(["${interpreter}", "train.py", "trainer.epochs=1", ARGUMENTS], program="notes.md")
    assert found.trains
    assert grid_cells(found)[0].overrides == ("trainer.epochs=1", "seed=0")


def test_a_macro_that_there_is_not_is_refused_when_the_file_is_read(study):
    with pytest.raises(ConfigError, match=r"there is no macro \$\{arguments\}"):
        study(["sh", "${program}", "${arguments}"], program="s.sh")


def test_the_interpreter_is_this_one():
    assert command((), "x", {}) == ["/usr/bin/env", sys.executable, "x"]


def test_a_copy_of_the_first_train_py_is_poolabs_too(tmp_path, pytestconfig):
    path = tmp_path / "train.py"
    for text in (FIRST_ENTRY, (pytestconfig.rootpath / "train.py").read_text()):
        path.write_text(text)
        assert is_own(str(path))
