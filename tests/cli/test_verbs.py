"""The other verbs of `poolab`: what they print, what they refuse, and their exit codes."""

import pytest

from poolab import cli
from tests.cli.made import results


def test_m_may_stand_before_the_verb(capsys):
    assert cli.main(["-m", "train", "sed=0,1"]) == 2
    assert "did you mean seed" in capsys.readouterr().err


def test_table_of_the_records(train, tmp_path, capsys):
    assert train("trainer.epochs=1", "-m", "seed=0,1")[0] == 0
    made = results(tmp_path)
    mean = sum(result["metrics"]["test/accuracy"] for result in made) / 2
    assert cli.main(["table", "--runs", f"{tmp_path}/runs"]) == 0
    assert f"{mean:.4f}" in capsys.readouterr().out
    assert cli.main(["table", "--runs", f"{tmp_path}/runs", "--markdown"]) == 0
    assert f"| max | 2 | {mean:.4f} |" in capsys.readouterr().out


def test_table_without_records(tmp_path, capsys):
    assert cli.main(["table", "--runs", f"{tmp_path}/none"]) == 2
    assert "there are no records in" in capsys.readouterr().err


def test_shapes_fit_the_terminal(capsys):
    assert cli.main(["shapes", "pooling=avg_topk", "backbone=resnet20", "data=cifar10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if "avg_topk" in line]
    assert len(rows) >= 2


def test_shapes_flag_the_slot_where_the_map_vanishes(capsys):
    assert cli.main(["shapes", "data.image_size=6"]) == 0
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if "vanishes" in line]
    assert row.split()[0] == "pool2"
    assert "the map would vanish at" in out
    assert max(map(len, out.splitlines())) <= 80


def test_shapes_of_a_wrong_setting(capsys):
    assert cli.main(["shapes", "pooling=maxx"]) == 2
    assert "did you mean max" in capsys.readouterr().err


def test_without_a_verb_the_verbs_are_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "verb" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in cli.VERBS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plan", "sweeps/pooling_small.yaml"], "poolab plan: write poolab study plan FILE"),
        (["run"], "poolab run: write poolab study run FILE"),
        (["pool"], "poolab pool: there is no such verb; did you mean pools"),
        (["pooling=max"], "poolab pooling=max: a setting comes after a verb: poolab train pooling=max"),
    ],
)
def test_a_verb_that_there_is_not_is_told(words, told, capsys):
    assert cli.main(words) == 2
    assert told in capsys.readouterr().err
