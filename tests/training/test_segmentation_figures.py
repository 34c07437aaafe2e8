"""The figures and the loss of segmentation, against numpy."""

import math

import numpy as np
import pytest
import torch

from poolab.run_config import AdamConfig
from poolab.training.segmentation import SegmentationMetrics, SegmentationTestMetrics, Segmenter, image_figures

IGNORED = 255


def overlap(predicted, truth, classes):
    """IoU and Dice of each class, NaN where it does not occur, and the accuracy: plain numpy on sets of pixels."""
    counts = truth != IGNORED
    predicted, truth = predicted[counts], truth[counts]
    iou, dice = [], []
    for one in range(classes):
        said, true = predicted == one, truth == one
        both, either = (said & true).sum(), (said | true).sum()
        iou.append(both / either if either else math.nan)
        dice.append(2 * both / (said.sum() + true.sum()) if either else math.nan)
    return np.array(iou), np.array(dice), (predicted == truth).mean()


def random_batches(classes, batches=3, seed=0, occurring=None):
    """Logits and masks of a few batches of different sizes; a quarter of the pixels is ignored."""
    generator = np.random.default_rng(seed)
    for count in range(1, batches + 1):
        logits = torch.from_numpy(generator.normal(size=(count, classes, 6, 5))).float()
        logits[:, occurring:] -= 100
        truth = generator.integers(0, occurring or classes, (count, 6, 5))
        truth[generator.random((count, 6, 5)) < 0.25] = IGNORED
        yield logits, torch.from_numpy(truth)


def joined(batches):
    predicted = np.concatenate([logits.argmax(1).numpy().ravel() for logits, _ in batches])
    return predicted, np.concatenate([truth.numpy().ravel() for _, truth in batches])


def cross_entropy(logits, truth, smoothing=0.0):
    """Mean over the pixels that count, in numpy and float64."""
    logits, truth = logits.double().numpy(), truth.numpy()
    log = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    counts = truth != IGNORED
    picked = np.take_along_axis(log, np.where(counts, truth, 0)[:, None], 1)[:, 0]
    losses = -(1 - smoothing) * picked - smoothing * log.mean(1)
    return losses[counts].mean(), counts.sum()


@pytest.mark.parametrize(("classes", "occurring"), [(2, None), (4, None), (5, 3)])
def test_the_figures_of_an_epoch_are_those_of_all_pixels_together(classes, occurring):
    batches = list(random_batches(classes, occurring=occurring))
    metrics = SegmentationMetrics(classes)
    for _ in range(2):  # and the second epoch starts from nothing
        losses = []
        for logits, truth in batches:
            loss, weight = cross_entropy(logits, truth)
            losses.append((loss, weight))
            metrics.update(torch.tensor(loss), logits, truth)
        values = {name: value.item() for name, value in metrics.compute_and_reset().items()}
        iou, dice, accuracy = overlap(*joined(batches), classes)
        assert list(values) == ["loss", "mean_iou", "dice", "accuracy"]
        assert values["mean_iou"] == pytest.approx(np.nanmean(iou), rel=1e-6)
        assert values["dice"] == pytest.approx(np.nanmean(dice), rel=1e-6)
        assert values["accuracy"] == pytest.approx(accuracy, rel=1e-6)
        assert values["loss"] == pytest.approx(weighted(losses))
    assert np.isnan(iou).sum() == classes - (occurring or classes)


def weighted(losses):
    return sum(loss * weight for loss, weight in losses) / sum(weight for _, weight in losses)


@pytest.mark.parametrize(("classes", "occurring"), [(3, None), (5, 3)])
def test_the_figures_of_the_test(classes, occurring):
    batches = list(random_batches(classes, occurring=occurring, seed=1))
    metrics, start = SegmentationTestMetrics(classes), 6
    for logits, truth in batches:  # in another order than that of the index
        start -= len(truth)
        index = torch.arange(start, start + len(truth))
        metrics.update(torch.tensor(cross_entropy(logits, truth)[0]), logits, truth, index)
    figures = metrics.compute()
    iou, dice, accuracy = overlap(*joined(batches), classes)
    np.testing.assert_allclose(figures.values["class_iou"], iou, rtol=1e-6)
    np.testing.assert_allclose(figures.values["class_dice"], dice, rtol=1e-6)
    predicted, truth = joined(batches)
    expected = np.zeros((classes, classes), int)
    np.add.at(expected, (truth[truth != IGNORED], predicted[truth != IGNORED]), 1)
    assert (figures.confusion.numpy() == expected).all()
    names = tuple("abcde"[:classes])
    scalars = metrics.scalars(figures.values, names)
    assert scalars["test/mean_iou"] == pytest.approx(np.nanmean(iou), rel=1e-6)
    assert scalars["test/dice"] == pytest.approx(np.nanmean(dice), rel=1e-6)
    assert scalars["test/accuracy"] == pytest.approx(accuracy, rel=1e-6)
    assert [math.isnan(scalars[f"test/class_iou/{name}"]) for name in names] == np.isnan(iou).tolist()
    examples = figures.examples
    assert examples["index"].tolist() == list(range(6))
    ordered = [pair for logits, truth in reversed(batches) for pair in zip(logits.argmax(1), truth, strict=True)]
    for i, (predicted, truth) in enumerate(ordered):
        iou, _, accuracy = overlap(predicted.numpy(), truth.numpy(), classes)
        assert examples["iou"][i].item() == pytest.approx(np.nanmean(iou), rel=1e-6)
        assert examples["accuracy"][i].item() == pytest.approx(accuracy, rel=1e-6)


def test_an_image_of_ignored_pixels_alone_has_no_figures():
    labels = torch.full((2, 2, 2), IGNORED)
    labels[1] = 1
    iou, accuracy = image_figures(torch.ones(2, 2, 2, dtype=torch.int64), labels, 3)
    assert [math.isnan(value) for value in (*iou, *accuracy)] == [True, False, True, False]
    assert (iou[1], accuracy[1]) == (1.0, 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_loss_that_is_no_number_is_not_left_out_of_the_mean(bad):
    metrics = SegmentationMetrics(3)
    for loss, (logits, truth) in zip((1.0, bad, 1.0), random_batches(3), strict=True):
        metrics.update(torch.tensor(loss), logits, truth)
    assert not metrics.compute_and_reset()["loss"].isfinite()


def test_the_counts_of_an_epoch_travel_in_the_checkpoint():
    (one, two, three), whole = random_batches(3), SegmentationMetrics(3)
    part, rest = SegmentationMetrics(3), SegmentationMetrics(3)
    for metrics, batches in ((whole, (one, two, three)), (part, (one, two))):
        for logits, truth in batches:
            metrics.update(torch.tensor(float(len(truth))), logits, truth)
    rest.load_state_dict(part.state_dict())
    rest.update(torch.tensor(3.0), *three)
    assert rest.compute_and_reset() == whole.compute_and_reset()


@pytest.fixture
def segmenter():
    return Segmenter(
        torch.nn.Identity(), AdamConfig("adam", 0.1, 0.0, "cosine", 0.0, 0.0, betas=(0.9, 0.99)), num_classes=4, steps=1
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_the_loss_is_the_mean_over_the_pixels_that_count(segmenter, smoothing, dtype):
    *_, (logits, truth) = random_batches(4)
    logits = logits.to(dtype)
    loss = segmenter.loss(logits, truth, smoothing)
    assert loss.item() == pytest.approx(cross_entropy(logits, truth, smoothing)[0], rel=1e-6)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_a_batch_without_a_pixel_that_counts_has_no_loss_and_no_gradient(segmenter):
    logits = torch.randn(2, 4, 3, 3, requires_grad=True)
    loss = segmenter.loss(logits, torch.full((2, 3, 3), IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
    metrics = SegmentationMetrics(4)
    metrics.update(loss, logits, torch.full((2, 3, 3), IGNORED))
    other = torch.zeros(1, 3, 3, dtype=torch.int64)
    metrics.update(torch.tensor(2.0), logits[:1], other)
    assert metrics.compute_and_reset()["loss"].item() == 2.0
