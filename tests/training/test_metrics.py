import math

import pytest
import torch

from poolab.training.metrics import ClassificationMetrics, Examples, TestMetrics


def batch(labels, right):
    """Logits that are right where `right` says so, and their labels."""
    labels = torch.tensor(labels)
    said = torch.where(torch.tensor(right), labels, (labels + 1) % 3)
    return torch.nn.functional.one_hot(said, 3) * 4.0, labels


def test_batches_weigh_as_many_examples_as_they_have():
    metrics = ClassificationMetrics(3)
    metrics.update(torch.tensor(1.0), *batch([0, 1, 2], [True, True, False]))
    metrics.update(torch.tensor(3.0), *batch([0], [False]))
    values = metrics.compute_and_reset()
    assert values["loss"].item() == pytest.approx((3 * 1.0 + 3.0) / 4)
    assert values["accuracy"].item() == pytest.approx(2 / 4)
    metrics.update(torch.tensor(5.0), *batch([0], [True]))
    assert {name: value.item() for name, value in metrics.compute_and_reset().items()} == {"loss": 5.0, "accuracy": 1.0}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_loss_that_is_no_number_is_not_left_out_of_the_mean(bad):
    metrics = ClassificationMetrics(3)
    metrics.update(torch.tensor(1.0), *batch([0, 1], [True, True]))
    metrics.update(torch.tensor(bad), *batch([0, 1], [True, True]))
    assert not metrics.compute_and_reset()["loss"].isfinite()


def test_the_counts_of_an_epoch_travel_in_the_checkpoint():
    metrics, other = ClassificationMetrics(3), ClassificationMetrics(3)
    metrics.update(torch.tensor(1.0), *batch([0, 1, 2], [True, True, False]))
    other.load_state_dict(metrics.state_dict())
    other.update(torch.tensor(3.0), *batch([0], [False]))
    assert other.compute_and_reset()["loss"].item() == pytest.approx(1.5)


def test_examples_come_in_the_order_of_their_index():
    examples = Examples()
    examples.update(torch.tensor([2, 0]), torch.tensor([1, 1]), torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log())
    examples.update(torch.tensor([1]), torch.tensor([0]), torch.tensor([[0.9, 0.1]]).log())
    columns = {name: column.tolist() for name, column in examples.compute().items()}
    assert columns["index"] == [0, 1, 2]
    assert columns["label"] == [1, 0, 1]
    assert columns["predicted"] == [0, 0, 1]
    assert columns["confidence"] == pytest.approx([0.5, 0.9, 0.75])
    assert columns["nll"] == pytest.approx([-math.log(p) for p in (0.5, 0.9, 0.75)])
    assert columns["brier"] == pytest.approx([0.5, 0.02, 0.125])


def test_two_classes_have_no_top_5():
    metrics = TestMetrics(2)
    metrics.update(torch.tensor(0.5), torch.tensor([[2.0, 1.0]]), torch.tensor([1]), torch.tensor([0]))
    figures = metrics.compute()
    assert (figures["accuracy"].item(), figures["accuracy_top5"].item()) == (0.0, 1.0)
