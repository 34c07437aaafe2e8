"""A run that was stopped and started again ends as one that was never stopped, to the last bit."""

import os

import pytest
import torch

from poolab.training.module import Classifier

SETTINGS = ["data.flip=true", "optim=sgd", "optim.lr=0.05", "pooling=stochastic", "trainer.epochs=3"]


@pytest.fixture(scope="module")
def uninterrupted(launched, tmp_path_factory, trace):
    record, folder, _ = launched(tmp_path_factory.mktemp("straight"), *SETTINGS)
    assert record.metrics["epochs"] == 3
    return trace(folder)


# Five steps an epoch: inside the first epoch, at its end, inside the second, at its end, inside the last.
@pytest.mark.parametrize("steps", [(1,), (5,), (7,), (10,), (14,), (3, 1), (5, 7)])
def test_a_resumed_run_ends_as_an_uninterrupted_one(launched, stop_after, tmp_path, uninterrupted, trace, same, steps):
    total = 0
    for session in steps:
        done = stop_after(session)
        record, folder, fresh = launched(tmp_path, *SETTINGS)
        total += session
        assert (record.status, record.reason, fresh) == ("interrupted", "stopped by SIGINT", True)
        assert len(done) == session
        assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == total
    rest = stop_after(10**9)
    record, folder, fresh = launched(tmp_path, *SETTINGS)
    assert (record.status, fresh) == ("completed", True)
    assert len(rest) == 15 - total  # no step was made twice
    same(trace(folder), uninterrupted)


def test_a_run_with_the_plain_settings_too(launched, stop_after, tmp_path, whole_run, trace, same):
    stop_after(7)
    assert launched(tmp_path)[0].status == "interrupted"
    same(trace(launched(tmp_path)[1]), trace(whole_run[1]))


def test_a_request_in_the_last_epoch_s_last_step_comes_too_late(
    launched, stop_after, tmp_path, uninterrupted, trace, same
):
    stop_after(15)
    record, folder, _ = launched(tmp_path, *SETTINGS)
    assert record.status == "completed"
    same(trace(folder), uninterrupted)


def test_an_interrupted_record_keeps_what_was_measured_so_far(launched, stop_after, tmp_path):
    stop_after(7)
    record, folder, _ = launched(tmp_path, *SETTINGS)
    assert record.metrics["epochs"] == 1
    assert record.metrics["val/accuracy"] >= 0
    assert "test/accuracy" not in record.metrics  # the test data is touched once, after training
    assert not os.path.exists(folder / "test_examples.npz")


def test_a_run_that_failed_after_its_last_epoch_is_only_tested(
    launched, monkeypatch, tmp_path, uninterrupted, trace, same
):
    def fail(*_):
        raise RuntimeError("no test today")

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "test_step", fail)
        with pytest.raises(RuntimeError, match="no test today"):
            launched(tmp_path, *SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", fail)
        record, folder, _ = launched(tmp_path, *SETTINGS)
    assert record.status == "completed"
    same(trace(folder), uninterrupted)
    assert record.metrics["cost/peak_memory_bytes"] >= 0
    assert record.metrics["speed/train_images_per_s"] > 0
    assert not (folder / "error.txt").exists()


def test_without_a_checkpoint_each_epoch_the_last_one_counts(launched, stop_after, tmp_path):
    stop_after(10**9)
    record, folder, _ = launched(tmp_path, *SETTINGS, "trainer.checkpoint_epochs=2")
    assert record.status == "completed"
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == 15
