"""`train.py -m`: one run for each combination, whatever becomes of the others."""

import os

import pytest

from poolab.training.module import Classifier
from tests.cli.made import results


def test_a_sweep_makes_a_record_of_each_combination(train, tmp_path):
    code, _, err = train("-m", "pooling=max,avg", "seed=0,1", "trainer.epochs=1")
    assert code == 0, err
    made = results(tmp_path)
    assert sorted((result["config"]["pooling"]["name"], result["seed"]) for result in made) == [
        *(("avg", 0), ("avg", 1), ("max", 0), ("max", 1))
    ]
    assert {result["status"] for result in made} == {"completed"}


def test_a_sweep_over_the_poolings_of_slots(train, tmp_path):
    code, out, err = train("-m", "pooling.at.pool1=avg,{name:avg_topk,k:3}", "pooling.at.pool2=min", "trainer.epochs=1")
    assert code == 0, err
    assert "slots: pool1 avg, pool2 min, head flatten" in out
    at = [result["config"]["pooling"]["at"] for result in results(tmp_path)]
    assert {choice["pool1"].get("k") for choice in at} == {None, 3}
    assert {choice["pool2"]["name"] for choice in at} == {"min"}


def test_an_arm_that_is_wrong_does_not_stop_the_others(train, tmp_path):
    code, _, err = train("-m", "pooling=avg_topk", "pooling.k=9,2", "trainer.epochs=1")
    assert code == 2
    assert "k must be an int from 1 to 4 (the window has no more taps), found 9" in err
    assert "; pooling.kernel_size=3 would allow it" in err
    assert [result["config"]["pooling"]["k"] for result in results(tmp_path)] == [2]


def test_an_arm_that_fails_does_not_stop_the_others(train, monkeypatch, tmp_path):
    step = Classifier.training_step

    def fail_once(module, batch, batch_idx):
        if not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            raise RuntimeError("the device fell off")
        return step(module, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", fail_once)
    with pytest.raises(RuntimeError, match="the device fell off"):  # a fault for a developer: with its traceback
        train("-m", "seed=0,1", "trainer.epochs=1")
    assert {result["seed"]: result["status"] for result in results(tmp_path)} == {0: "failed", 1: "completed"}


def test_ctrl_c_ends_a_sweep(train, monkeypatch, tmp_path):
    import signal

    step = Classifier.training_step

    def interrupted(module, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGINT)
        return step(module, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", interrupted)
    code, out, _ = train("-m", "seed=0,1,2", "trainer.epochs=1")
    assert code == 130
    assert "the same command resumes here" in out
    assert [(result["seed"], result["status"]) for result in results(tmp_path)] == [(0, "interrupted")]
