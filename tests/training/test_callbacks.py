import errno
import json
import math
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from poolab.training.callbacks import Checkpoints, DivergenceGuard, History, TrainingCost, agreed
from poolab.training.interruption import Diverged, StopRequest

CPU = SimpleNamespace(device=torch.device("cpu"))


def trainer(batches=5, **more):
    return SimpleNamespace(world_size=1, num_training_batches=batches, current_epoch=1, global_step=7, **more)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("time.perf_counter", lambda: now.seconds)
    return now


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_run(loss):
    module = SimpleNamespace(device=torch.device("cpu"), last_loss=torch.tensor(loss))
    with pytest.raises(Diverged, match=f"the training loss became {loss} in epoch 2, step 7"):
        DivergenceGuard().on_train_batch_end(trainer(), module, None, None, 3)


def test_a_large_loss_is_a_number():
    module = SimpleNamespace(device=torch.device("cpu"), last_loss=torch.tensor(1e30))
    DivergenceGuard().on_train_batch_end(trainer(), module, None, None, 3)


@pytest.mark.parametrize(("batch", "looks"), [(0, True), (1, False), (10, True), (11, False), (24, True)])
def test_on_an_accelerator_the_guard_looks_now_and_then_and_at_the_end_of_an_epoch(batch, looks):
    module = SimpleNamespace(device=torch.device("meta"), last_loss=torch.tensor(math.nan))
    if looks:
        with pytest.raises(Diverged):
            DivergenceGuard().on_train_batch_end(trainer(25), module, None, None, batch)
    else:
        DivergenceGuard().on_train_batch_end(trainer(25), module, None, None, batch)


def epoch(cost, clock, batches=5, seconds=1.0, until=None):
    cost.on_train_epoch_start(trainer(batches), CPU)
    for index in range(until or batches):
        clock.seconds += seconds
        cost.on_train_batch_end(trainer(batches), CPU, None, None, index)
    clock.seconds += 1000  # validation does not count


def test_the_first_steps_are_left_out_of_the_rate(clock):
    cost = TrainingCost(global_batch=32)
    assert math.isnan(cost.images_per_s)
    epoch(cost, clock)
    assert (cost.images, cost.seconds) == (2 * 32, 2.0)
    epoch(cost, clock, seconds=3.0)
    assert (cost.images, cost.seconds) == (7 * 32, 17.0)
    assert cost.images_per_s == pytest.approx(7 * 32 / 17)


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_epochs_no_longer_than_the_warm_up(clock, batches):
    cost = TrainingCost(global_batch=4)
    for _ in range(4):
        epoch(cost, clock, batches)
    counted = 4 * batches - 3
    assert (cost.images, cost.seconds) == (4 * counted, counted)


def test_an_interrupted_epoch_counts_with_neither_its_images_nor_its_time(clock):
    cost = TrainingCost(global_batch=32)
    epoch(cost, clock)
    epoch(cost, clock, until=3)
    assert cost.images_per_s == pytest.approx(32)
    resumed = TrainingCost(global_batch=32)
    resumed.load_state_dict(cost.state_dict())
    assert (resumed.images, resumed.seconds) == (64, 2.0)
    for index in range(3, 5):  # the rest of the epoch, which is warm-up again; Lightning tells no start of it
        resumed.on_train_batch_end(trainer(), CPU, None, None, index)
    epoch(resumed, clock)
    assert resumed.images_per_s == pytest.approx(32)


def test_the_peak_is_that_of_all_sessions():
    first, second = TrainingCost(1), TrainingCost(1)
    first.on_train_start(trainer(), CPU)
    block = torch.ones(30_000_000)
    state = first.state_dict()
    del block
    assert state["peak_bytes"] > 50e6
    second.load_state_dict(state)
    second.on_train_start(trainer(), CPU)
    second.on_train_end(trainer(), CPU)
    assert second.peak_bytes == state["peak_bytes"]


def test_a_row_of_the_history(clock, tmp_path):
    told = []
    history = History(tmp_path / "history.jsonl", told.append)
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.5}])
    figures = {"train/loss": torch.tensor(1.5), "val/loss": torch.tensor(math.nan), "internal": torch.tensor(1.0)}
    working = trainer(optimizers=[optimizer], callback_metrics=figures, is_global_zero=True)
    history.on_train_batch_start(working, CPU, None, 0)
    clock.seconds += 2.5
    history.on_train_epoch_end(working, CPU)
    row = json.loads((tmp_path / "history.jsonl").read_text())
    expected = {"epoch": 2, "step": 7, "train/loss": 1.5, "val/loss": None, "learning_rate": 0.5, "seconds": 2.5}
    assert row == expected
    assert told[0]["train/loss"] == 1.5

    resumed = History(tmp_path / "history.jsonl", told.append)
    resumed.load_state_dict(history.state_dict())
    resumed.on_train_epoch_end(working, CPU)
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(("wishes", "batch", "asked", "agree"), [
    ((True, False), None, True, True),
    ((False, False), None, True, False),
    ((True, False), 10, True, True),
    ((True, False), 11, False, False),
])  # fmt: skip
def test_processes_agree_on_any_process_s_wish(wishes, batch, asked, agree):
    calls = []

    def reduce(decision, all):
        calls.append(decision)
        return decision and not any(wishes)

    two = SimpleNamespace(world_size=2, strategy=SimpleNamespace(reduce_boolean_decision=reduce))
    assert agreed(two, wishes[0], batch) is agree
    assert bool(calls) is asked


def test_a_request_listens_for_the_length_of_its_block():
    import os
    import signal

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    request = StopRequest()
    with request.listening():
        assert not request
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.reason == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):  # a Ctrl-C after that does not wait
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_full_disk_does_not_tear_the_last_checkpoint(tmp_path):
    def save(path, content, fault=None):
        path.write_text(content)
        if fault is not None:
            raise fault

    whole, full = "the whole of it", OSError(errno.ENOSPC, "No space left on device")
    checkpoints = Checkpoints(tmp_path / "last.ckpt", 1, StopRequest())
    for content, fault in ((whole, None), ("half", full)):
        one = trainer(
            is_global_zero=True,
            max_epochs=5,
            save_checkpoint=lambda path, content=content, fault=fault: save(path, content, fault),
        )
        with pytest.raises(OSError) if fault else nullcontext():
            checkpoints.on_train_epoch_end(one, CPU)
        assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
        assert (tmp_path / "last.ckpt").read_text() == whole
