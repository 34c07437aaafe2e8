import copy

import numpy as np
import pytest

from poolab.configuration import compose
from poolab.errors import PoolabError
from poolab.records import RunFolder
from poolab.records.table import arms, mixed_code
from poolab.records.table_page import COLUMNS, markdown, print_arms

ACCURACIES = {"max": (0.5, 0.625, 0.75), "min": (0.875, 0.5, 0.9375)}


def write(runs, name, config, status="completed", **metrics):
    record = {"status": status, "started": name, "config": config, "metrics": metrics}
    RunFolder(runs, name).make().write_json("result.json", record)


@pytest.fixture(scope="module")
def configs():
    return {name: compose([f"pooling={name}"]) for name in ("max", "min", "avg_topk")}


@pytest.fixture
def runs(tmp_path, configs):
    for name, accuracies in ACCURACIES.items():
        for seed, accuracy in enumerate(accuracies):
            config = {**copy.deepcopy(configs[name]), "seed": seed, "runs_dir": f"somewhere{seed}"}
            config["trainer"]["threads"] = seed + 1  # is no other arm
            config["data"]["eval_batch_size"] = seed + 1
            speed = {"speed/train_images_per_s": 100.0 * (seed + 1), "speed/infer_latency_ms_median": 2.5}
            costs = {"cost/pooling_saved_bytes": 1_500_000, "cost/parameters": 1234}
            write(tmp_path, f"{name}{seed}", config, **{"test/accuracy": accuracy}, **speed, **costs)
    return tmp_path


def test_an_arm_is_a_row_over_its_seeds(runs):
    rows = arms(runs)
    assert [row.arm for row in rows] == ["min", "max"]
    for row in rows:
        accuracies = ACCURACIES[row.arm]
        assert row.runs == "3"
        assert row.figures["test accuracy"] == pytest.approx(np.mean(accuracies))
        assert row.figures["sd"] == pytest.approx(np.std(accuracies, ddof=1))
        assert (row.figures["train images/s"], row.figures["latency ms"], row.figures["saved MB"]) == (200.0, 2.5, 1.5)


def test_unfinished_runs_are_counted_and_not_averaged(runs, configs):
    write(runs, "diverged", {**configs["max"], "seed": 9}, status="diverged", **{"test/accuracy": None})
    row = arms(runs)[1]
    assert row.runs == "3 (+1 not completed)"
    assert row.figures["test accuracy"] == pytest.approx(np.mean(ACCURACIES["max"]))


def test_one_run_has_no_deviation_and_an_arm_without_a_result_comes_last(tmp_path, configs):
    write(tmp_path, "a", configs["max"], status="failed")
    write(tmp_path, "b", configs["min"], **{"test/accuracy": 0.5})
    rows = arms(tmp_path)
    assert [(row.arm, row.figures["test accuracy"], row.figures["sd"]) for row in rows] == [
        ("min", 0.5, None),
        ("max", None, None),
    ]
    assert "| max | 0 (+1 not completed) | - | - |" in markdown(rows)


def test_an_arm_is_named_by_what_the_others_do_not_share(tmp_path, configs):
    for k in (2, 3):
        config = copy.deepcopy(configs["avg_topk"])
        config["pooling"]["k"] = k
        write(tmp_path, f"k{k}", config, **{"test/accuracy": k / 10})
    assert [row.arm for row in arms(tmp_path)] == ["avg_topk k=3", "avg_topk k=2"]


def test_markdown(runs):
    lines = markdown(arms(runs)).splitlines()
    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert lines[3] == "| max | 3 | 0.6250 | 0.1250 | 200 | 2.50 | 1.5 | 1,234 |"
    assert len({line.count("|") for line in lines}) == 1


def test_the_terminal_table(runs, capsys):
    print_arms(arms(runs))
    shown = capsys.readouterr().out
    assert "0.6250" in shown
    assert "min" in shown


def test_two_tasks_have_a_table_each(tmp_path, configs, capsys):
    pixels = compose(["task=segmentation"])
    write(tmp_path, "a", configs["max"], **{"test/accuracy": 0.5})
    write(tmp_path, "b", pixels, **{"test/mean_iou": 0.75, "test/accuracy": 0.9375})
    old = {key: value for key, value in configs["min"].items() if key != "task"}  # of before there were tasks
    write(tmp_path, "c", old, **{"test/accuracy": 0.625})
    rows = arms(tmp_path)
    assert [(row.task, row.arm) for row in rows] == [
        ("classification", "min"),
        ("classification", "max"),
        ("segmentation", "max"),
    ]
    assert rows[2].figures["test mean IoU"] == 0.75
    first, second = markdown(rows).split("\n\n")
    assert first.splitlines()[0] == f"| {' | '.join(COLUMNS)} |"
    assert "| test mean IoU |" in second
    assert "0.9375" not in first + second
    print_arms(rows)
    shown = capsys.readouterr().out
    assert "classification\n" in shown
    assert "\nsegmentation\n" in shown
    print_arms(rows[2:])
    assert "segmentation" not in capsys.readouterr().out


def test_no_records(tmp_path):
    with pytest.raises(PoolabError, match="there are no records in"):
        arms(tmp_path)


def test_a_table_over_different_code_says_so(tmp_path, configs):
    for name, commit in (("a", "1"), ("b", "2")):
        environment = {"commit": commit, "dirty": False, "packages": {"torch": "2.15.0"}}
        record = {"status": "completed", "started": name, "config": configs["max"], "metrics": {}}
        record |= {"environment": environment}
        RunFolder(tmp_path, name).make().write_json("result.json", record)
        assert mixed_code(tmp_path) == (
            None if name == "a" else "The records differ in the code that made them: commit."
        )


def test_poolings_of_single_slots_are_named(tmp_path):
    arms_of = [[], ["pooling.at.pool1=avg"], ["pooling.at.pool1=avg_topk"], ["pooling.at.pool1=avg_topk_k3"]]
    for index, overrides in enumerate(arms_of):
        write(tmp_path, str(index), compose(overrides), **{"test/accuracy": 0.9 - index / 10})
    labels = [row.arm for row in arms(tmp_path)]
    assert labels == ["max", "max pool1=avg", "max pool1=avg_topk pool1.k=2", "max pool1=avg_topk pool1.k=3"]
