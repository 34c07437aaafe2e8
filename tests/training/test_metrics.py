import math

import pytest
import torch

from poolab.training.metrics import ClassificationMetrics, Columns, Examples, TestMetrics


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


def test_each_example_counts_as_much_whatever_its_class():
    metrics = ClassificationMetrics(3)
    metrics.update(torch.tensor(1.0), *batch([0, 0, 0, 1], [True, True, False, False]))
    assert metrics.compute_and_reset()["accuracy"].item() == pytest.approx(2 / 4), "the mean of the classes is 1 / 3"


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
    assert (figures.values["accuracy"].item(), figures.values["accuracy_top5"].item()) == (0.0, 1.0)


@pytest.fixture(scope="module")
def tested():
    """Logits and labels of a test of seven classes, and the figures of it; two batches, of 130 and of 70 examples."""
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(200, 7, generator=generator), torch.randint(7, (200,), generator=generator)
    metrics = TestMetrics(7)
    for part, loss in ((slice(0, 130), 1.0), (slice(130, 200), 3.0)):
        metrics.update(torch.tensor(loss), logits[part], labels[part], torch.arange(200)[part])
    return logits, labels, metrics.compute()


def test_a_loss_of_the_test_weighs_as_many_examples_as_its_batch_has(tested):
    assert tested[-1].values["loss"].item() == pytest.approx((130 * 1.0 + 70 * 3.0) / 200)


def test_the_accuracies_of_a_test_are_counts_of_ranks(tested):
    logits, labels, figures = tested
    rank = (logits > logits.gather(1, labels[:, None])).sum(1)
    within = [(rank < k).double().mean().item() for k in range(8)]
    assert len(set(within[1:])) > 5, "another k would give another share"
    assert figures.values["accuracy"].item() == pytest.approx(within[1])
    assert figures.values["accuracy_top5"].item() == pytest.approx(within[5])
    known = [(rank[labels == one] == 0).double().mean().nan_to_num().item() for one in range(7)]
    assert figures.values["per_class"].tolist() == pytest.approx(known)
    assert len(set(known)) > 2


def test_the_confusion_matrix_has_a_row_for_each_label_and_a_column_for_each_prediction(tested):
    logits, labels, figures = tested
    counted = torch.zeros(7, 7, dtype=torch.int64)
    for label, predicted in zip(labels, logits.argmax(1), strict=True):
        counted[label, predicted] += 1
    assert figures.confusion.tolist() == counted.tolist() != counted.T.tolist()


def test_the_calibration_error_has_15_bins(tested):
    logits, labels, figures = tested
    confidence, predicted = logits.softmax(1).max(1)
    right = (predicted == labels).double()

    def error(bins):
        place = (confidence * bins).long()
        return sum(abs((confidence - right)[place == one].sum().item()) for one in range(bins)) / 200

    assert figures.values["calibration_error"].item() == pytest.approx(error(15), abs=1e-6)
    assert min(abs(error(15) - error(bins)) for bins in (10, 14, 16)) > 1e-3


def test_the_flat_metrics_have_the_names_of_a_record(tested):
    figures = tested[-1]
    classes = tuple("abcdefg")
    per_class = {
        f"test/class_accuracy/{name}": value.item()
        for name, value in zip(classes, figures.values["per_class"], strict=True)
    }
    assert TestMetrics.scalars(figures.values, classes) == {
        "test/loss": figures.values["loss"].item(),
        "test/accuracy": figures.values["accuracy"].item(),
        "test/accuracy_top5": figures.values["accuracy_top5"].item(),
        "test/calibration_error": figures.values["calibration_error"].item(),
        **per_class,
    }
    with pytest.raises(ValueError, match="zip"):
        TestMetrics.scalars(figures.values, classes[:-1])


def test_logits_in_half_precision_are_counted_in_float32(tested):
    logits, labels, _ = tested
    metrics = TestMetrics(7)
    metrics.update(torch.tensor(0.0), logits.bfloat16(), labels, torch.arange(200))
    plain = logits.bfloat16().float().softmax(1).max(1).values
    assert metrics.compute().examples["confidence"].tolist() == plain.tolist()


def test_two_processes_give_the_columns_of_both():
    columns = Columns("index", "nll")
    columns.update(index=torch.tensor([2, 0]), nll=torch.tensor([20.0, 0.0]))
    columns.update(index=torch.tensor([4]), nll=torch.tensor([40.0]))
    # What the other process has is one further in each column.
    columns.distributed_available_fn = lambda: True
    columns.dist_sync_fn = lambda column, group: [column, column + 1]
    found = columns.compute()
    assert found["index"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["nll"].tolist() == [0.0, 1.0, 20.0, 21.0, 40.0, 41.0]


def test_every_metric_of_an_epoch_is_in_its_state():
    assert set(ClassificationMetrics(3).state_dict()) >= {"loss.mean_value", "loss.weight", "accuracy.tp"}


def test_a_loss_keeps_no_graph():
    metrics = ClassificationMetrics(2)
    weight = torch.ones(1, 2, requires_grad=True)
    metrics.update(weight.sum(), weight, torch.tensor([0]))
    assert not any(value.requires_grad for value in metrics.compute_and_reset().values())
