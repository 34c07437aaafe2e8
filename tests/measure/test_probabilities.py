import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from poolab.measure import calibration, reliability, reliability_diagram
from poolab.measure.probabilities import calibration_error, example_scores


@pytest.fixture
def told():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(500, 4, generator=generator)
    return logits, torch.randint(4, (500,), generator=generator)


def test_against_other_libraries(told):
    logits, labels = told
    found, probabilities = calibration(logits, labels), logits.double().softmax(1)
    assert found["ece"] == pytest.approx(
        multiclass_calibration_error(probabilities.float(), labels, 4, n_bins=15).item()
    )
    assert found["nll"] == pytest.approx(log_loss(labels, probabilities.numpy()), rel=1e-5)
    one_hot = np.eye(4)[labels]
    by_class = sum(brier_score_loss(one_hot[:, k], probabilities[:, k].numpy()) for k in range(4))
    assert found["brier"] == pytest.approx(by_class, rel=1e-5), "the sum over the classes of the binary scores"


def test_a_class_that_was_ruled_out_costs_much_and_not_infinitely_much():
    found = calibration(torch.tensor([[0.0, -200.0]]), torch.tensor([1]))
    assert found == {"ece": 1.0, "brier": 2.0, "nll": 200.0}


def test_half_precision_is_counted_in_single(told):
    logits, labels = told
    kinds = {column.dtype for column in example_scores(logits.bfloat16(), labels).values()}
    assert kinds == {torch.float32, torch.int64}


def test_the_bins_are_those_of_the_calibration_error(told):
    logits, labels = told
    scores = example_scores(logits, labels)
    found = reliability(scores["confidence"], scores["predicted"] == labels)
    some = found.counts > 0
    assert found.counts.sum() == 500
    assert not some[0], "four classes cannot be surer of one than 1 / 4 and less"
    error = ((found.accuracy - found.confidence).abs() * found.counts)[some].sum() / 500
    assert error.item() == pytest.approx(calibration(logits, labels)["ece"], abs=1e-6)


@pytest.mark.parametrize("counts", [(3, 0), (0, 3), (400, 1)])
def test_the_picture(tmp_path, counts):
    right = torch.tensor([True] * counts[0] + [False] * counts[1])
    confidence = torch.where(right, 0.99, 0.5)
    reliability_diagram(confidence, right, tmp_path / "reliability.png")
    with Image.open(tmp_path / "reliability.png") as picture:
        assert picture.size == (660, 792)
        assert np.asarray(picture.convert("L")).std() > 10


def test_the_bins_hold_their_lower_border_and_the_last_both():
    confidence = torch.tensor([0.0, 0.25, 0.5, 0.5, 0.75, 1.0])
    right = torch.tensor([True, False, True, False, True, True])
    found = reliability(confidence, right, bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.counts.tolist() == [1, 1, 2, 2]
    assert found.accuracy.tolist() == [1, 0, 0.5, 1]
    assert found.confidence.tolist() == [0, 0.25, 0.5, 0.875]
    assert len(reliability(confidence, right).counts) == 15
    empty = reliability(confidence[:1], right[:1], bins=2)
    assert empty.accuracy.isnan().tolist() == empty.confidence.isnan().tolist() == [False, True]


def test_scores_of_an_example_by_hand():
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    p = logits.double().softmax(1)
    found = {name: column.tolist() for name, column in example_scores(logits, torch.tensor([1, 0])).items()}
    assert found["predicted"] == [2, 0]
    assert found["confidence"] == pytest.approx([p[0, 2].item(), p[1, 0].item()])
    assert found["nll"] == pytest.approx([-p[0, 1].log().item(), -p[1, 0].log().item()])
    brier = [(p[0, 0] ** 2 + (p[0, 1] - 1) ** 2 + p[0, 2] ** 2).item(), ((p[1, 0] - 1) ** 2 + 2 * p[1, 1] ** 2).item()]
    assert found["brier"] == pytest.approx(brier)


def test_another_number_of_bins(told):
    logits, labels = told
    scores = example_scores(logits, labels)
    right = scores["predicted"] == labels
    for bins in (5, 15):
        found = reliability(scores["confidence"], right, bins)
        error = ((found.accuracy - found.confidence).abs() * found.counts)[found.counts > 0].sum() / 500
        assert calibration_error(scores["confidence"], right, bins) == pytest.approx(error.item(), abs=1e-6)
    assert calibration_error(scores["confidence"], right) == calibration_error(scores["confidence"], right, 15)
