import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from poolab.measure import calibration, reliability, reliability_diagram
from poolab.measure.probabilities import example_scores


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
