"""One signature, up to rounding: what the number of threads changes, and what it does not."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _threads():
    """A run sets the threads of its process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(launched, tmp_path_factory):
    """The same run with one thread, again with one, and with two: record and folder of each."""
    places = [tmp_path_factory.mktemp("threads") for _ in range(3)]
    words = ("trainer.epochs=1", "data.batch_size=64")
    return [
        launched(place, f"trainer.threads={threads}", *words)[:2]
        for place, threads in zip(places, (1, 1, 2), strict=True)
    ]


def losses(record):
    return [record.metrics[name] for name in ("val/loss", "test/loss")]


def test_one_signature_and_the_record_names_the_threads(runs):
    assert len({record.signature for record, _ in runs}) == 1
    assert [record.environment["threads"] for record, _ in runs] == [1, 1, 2]


def test_the_same_threads_give_the_same_figures(runs):
    (first, _), (again, _), _ = runs
    assert losses(first) == losses(again)


def test_other_threads_change_rounding_alone(runs):
    """After the few steps of one epoch the loss differs by float32's rounding; the batches and weights are the same."""
    (first, _), _, (other, _) = runs
    assert losses(other) == pytest.approx(losses(first), rel=1e-3)
