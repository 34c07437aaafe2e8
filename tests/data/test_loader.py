import pytest
import torch

from poolab.data import EvalBatches, TrainBatches
from poolab.errors import ConfigError

SETTINGS = {"seed": 0, "flip": True, "crop_padding": 2}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_batches_hold_what_they_promise(split):
    batches = TrainBatches(split, 10, **SETTINGS)
    seen = list(batches)
    assert len(seen) == len(batches) == 5
    for batch in seen:
        assert torch.equal(batch["image"], split.images[batch["index"]])
        assert torch.equal(batch["label"], split.labels[batch["index"]])
        assert batch["image"].dtype == torch.uint8
        assert (batch["label"].dtype, batch["index"].dtype, batch["shift"].dtype) == (torch.int64,) * 3
        assert batch["flip"].dtype == torch.bool
        assert batch["shift"].shape == (10, 2)
    index = torch.cat([batch["index"] for batch in seen])
    assert len(index.unique()) == 50
    assert torch.cat([batch["shift"] for batch in seen]).unique().tolist() == [0, 1, 2, 3, 4]
    assert 0.2 < torch.cat([batch["flip"] for batch in seen]).float().mean() < 0.8


def test_order_and_augmentation_belong_to_seed_and_epoch(split):
    def epoch(seed, number):
        batches = TrainBatches(split, 10, seed=seed, flip=True, crop_padding=2)
        batches.set_epoch(number)
        return {key: torch.cat([batch[key] for batch in batches]) for key in ("index", "shift", "flip")}

    assert same(epoch(0, 1), epoch(0, 1))
    for other in (epoch(1, 1), epoch(0, 2), epoch(0, 0)):
        assert all(not torch.equal(value, epoch(0, 1)[key]) for key, value in other.items())


def test_settings_of_one_augmentation_leave_the_other_and_the_order_alone(split):
    full, still = (next(iter(TrainBatches(split, 10, seed=3, flip=flip, crop_padding=2))) for flip in (True, False))
    assert torch.equal(full["shift"], still["shift"])
    assert torch.equal(full["index"], still["index"])
    assert full["flip"].any()
    assert not still["flip"].any()
    assert not next(iter(TrainBatches(split, 10, seed=3, flip=True, crop_padding=0)))["shift"].any()


def test_global_random_state_is_neither_used_nor_moved(split):
    torch.manual_seed(1)
    first = next(iter(TrainBatches(split, 10, **SETTINGS)))
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    torch.manual_seed(2)
    assert same(first, next(iter(TrainBatches(split, 10, **SETTINGS))))


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_any_number_of_processes_sees_the_same_global_batches(split, world_size):
    whole = list(TrainBatches(split, 12, **SETTINGS))
    ranks = [list(TrainBatches(split, 12, rank=r, world_size=world_size, **SETTINGS)) for r in range(world_size)]
    for batch, *shares in zip(whole, *ranks, strict=True):
        assert {len(share["label"]) for share in shares} == {12 // world_size}
        assert same(batch, {key: torch.cat([share[key] for share in shares]) for key in batch})


@pytest.mark.parametrize("stop", [0, 1, 3, 5])
def test_resumes_in_the_middle_of_an_epoch(split, stop):
    whole = TrainBatches(split, 10, **SETTINGS)
    whole.set_epoch(2)
    expected = list(whole)
    stopped = TrainBatches(split, 10, **SETTINGS)
    stopped.set_epoch(2)
    running = iter(stopped)
    for _ in range(stop):
        next(running)
    state = stopped.state_dict()
    assert state == {"epoch": 2, "batch": stop}

    resumed = TrainBatches(split, 10, **SETTINGS)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    iter(resumed)  # as Lightning does before it iterates
    resumed.set_epoch(2)
    rest = list(resumed)
    assert len(rest) == 5 - stop
    assert all(same(a, b) for a, b in zip(rest, expected[stop:], strict=True))
    assert len(list(resumed)) == 5, "later iterations start at the first batch"
    assert same(next(iter(resumed)), expected[0])


def test_another_epoch_forgets_the_place_in_the_old_one(split):
    batches = TrainBatches(split, 10, **SETTINGS)
    batches.load_state_dict({"epoch": 2, "batch": 3})
    batches.set_epoch(3)
    assert batches.state_dict() == {"epoch": 3, "batch": 0}
    assert len(list(batches)) == 5


def test_state_counts_trained_batches_where_someone_knows_them(split):
    batches = TrainBatches(split, 10, consumed=lambda: 1, **SETTINGS)
    running = iter(batches)
    next(running), next(running)
    assert batches.state_dict() == {"epoch": 0, "batch": 1}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 10, "world_size": 3}, ["batch_size=10", "3 processes", "9", "12"]),
        ({"batch_size": 54}, ["batch_size=54", "53"]),
        ({"batch_size": 0}, ["batch_size=0"]),
        ({"batch_size": 8, "crop_padding": -1}, ["crop_padding=-1"]),
    ],
)
def test_impossible_settings_are_named(split, settings, words):
    with pytest.raises(ConfigError) as caught:
        TrainBatches(split, **{**SETTINGS, **settings})
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [7, 13, 26, 52, 53, 100])
def test_evaluation_sees_every_sample_once_in_equally_many_batches(split, world_size, batch_size):
    ranks = [EvalBatches(split, batch_size, rank, world_size) for rank in range(world_size)]
    seen = [list(rank) for rank in ranks]
    assert {len(batches) for batches in seen} == {len(ranks[0])} == {-(-53 // batch_size)}
    batches = [batch for rank in seen for batch in rank]
    assert sorted(torch.cat([batch["index"] for batch in batches]).tolist()) == list(range(53))
    for batch in batches:
        assert torch.equal(batch["image"], split.images[batch["index"]])
        assert torch.equal(batch["label"], split.labels[batch["index"]])


def test_a_process_may_get_nothing_of_the_last_batch(split):
    last = [list(EvalBatches(split, 26, rank, 3))[-1] for rank in range(3)]
    assert sorted(batch["image"].shape for batch in last) == [(0, 3, 8, 8), (0, 3, 8, 8), (1, 3, 8, 8)]


def test_evaluation_refuses_an_empty_batch(split):
    with pytest.raises(ConfigError, match="eval_batch_size=0"):
        EvalBatches(split, 0)
