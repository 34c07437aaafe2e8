"""`poolab new study`: the file plans the runs that its words make; wrong words are told as `train.py` tells them."""

import itertools

import pytest

import poolab
from poolab.cli import main
from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.study import grid_cells, read_study
from poolab.study.commands.new_verb import study_text
from poolab.study.sweep.composition import Composer


def trees(path):
    composer = Composer()
    return [composer(cell) for cell in grid_cells(read_study(path))]


@pytest.mark.parametrize(
    "words",
    [
        ["pooling=max,avg", "seed=0,1,2", "data=digits"],
        ["pooling=avg_topk", "pooling.k=2,3", "optim.lr=1e-3,0.01", "seed=range(1,7,3)"],
        ["pooling=max,softpool", "pooling.slots=[pool1]", "trainer.threads=null", "tracker=none", "seed=5"],
        ["pooling=max", "pooling.at.pool1=avg,softpool", "data.image_size=[16,16]", "seed=1"],
        ["backbone=keras_cnn", "data=image_folder", "data.root='/a, b:c'", "seed=1"],
    ],
)
def test_the_file_plans_the_runs_of_the_words(words, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(study_text(words, "mine.yaml", "poolab new study"))
    choices = {
        "seed=range(1,7,3)": ["seed=1", "seed=4"],
        "data.image_size=[16,16]": ["data.image_size=[16,16]"],
        "data.root='/a, b:c'": ["data.root='/a, b:c'"],
    }
    each = [
        choices.get(word) or [f"{word.partition('=')[0]}={one}" for one in word.partition("=")[2].split(",")]
        for word in words
    ]
    assert trees(path) == [compose(list(chosen)) for chosen in itertools.product(*each)]
    assert poolab.study(path).file.method == "grid"


def test_what_is_printed_and_what_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["new", "study", "pooling=max,avg", "seed=0,1,2"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "# Made by: poolab new study pooling=max,avg seed=0,1,2\n# 6 runs (2 x 3)." in printed
    assert "poolab study run FILE " in printed
    assert "One seed" not in printed
    assert main([*words, "--out", "mine.yaml"]) == 0
    assert capsys.readouterr().out == "mine.yaml: 6 runs (2 x 3); next: poolab study plan mine.yaml\n"
    assert (tmp_path / "mine.yaml").read_text().replace("mine.yaml", "FILE").split("\n", 1)[1] == printed.split(
        "\n", 1
    )[1]
    assert main([*words, "--out", "mine.yaml"]) == 2
    assert "mine.yaml exists: choose another name" in capsys.readouterr().err
    assert main([*words, "--out", "gone/mine.yaml"]) == 2
    assert "gone/mine.yaml cannot be written: No such file" in capsys.readouterr().err
    assert main(["new", "study", "pooling=max,avg"]) == 0
    assert "# One seed tells no difference from chance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pooling=avgtopk,max"], "pooling=avgtopk: there is no such choice; did you mean avg_topk"),
        (["pooling=max,avg_topk", "pooling.k=3"], "k is for pooling=avg_topk or t_max_avg"),
        (["pooling=avg_topk,max", "pooling.k=3"], "k is for pooling=avg_topk or t_max_avg"),
        (["pooling=max,avg_topk", "pooling.k=2,3"], "report both: poolab report A.yaml B.yaml (docs/how_do_i.md); or"),
        (["pooling=max,avg_topk", "pooling.k=3"], "that bring their own k: pooling=avg_topk_author,avg_topk_k3"),
        (["optim.lr=interval(0.1,1)"], "a study lists its values"),
        (["seed=0-11"], "found '0-11'"),
        (["seed=0-11"], "are 0,1,...,11 or 'range(0,12)'"),
        (["seed"], "'seed': a study takes key=value"),
        (["seed=0,1", "seed=3"], "seed is there twice"),
        (["pooling.p=${oc.env:HOME}"], "is not looked up"),
        (["hydra.run.dir=x"], "a study takes key=value"),
        (["trainer.epochs=0,1"], "trainer.epochs must be an int from 1"),
        (["seed=range(2000000000)"], "seed=range(2000000000): a grid has at most 100,000 runs"),
        (["pooling=[max,avg]"], "a group has one choice"),
        (["seed=range(400)", "trainer.epochs=range(1,501)"], "200,000 cells, and a grid has at most 100,000"),
    ],
)
def test_wrong_words(words, told, capsys):
    with pytest.raises(ConfigError) as fault:
        study_text(words, "mine.yaml", "poolab new study")
    assert told in str(fault.value)
    assert "/tmp" not in str(fault.value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "poolab new makes a study from settings: write poolab new study pooling=max,avg seed=0,1,2"),
        (["study"], "poolab new makes a study from settings"),
        (["pooling=max"], "say what is made first: poolab new study pooling=max ..."),
        (["studdy", "seed=1"], "there is no such thing to make; did you mean study?"),
    ],
)
def test_words_that_do_not_say_what_is_made(words, told, capsys):
    assert main(["new", *words]) == 2
    assert told in capsys.readouterr().err


def test_the_words_the_other_way_round(capsys):
    assert main(["study", "new", "pooling=max"]) == 2
    assert "poolab study new: write poolab new study" in capsys.readouterr().err
