"""What `measure=full` adds, beside the single measures that it is made of."""

import pytest
import torch
from torch import nn

from poolab.measure import (
    corruption_accuracy,
    gradient_support,
    run_full,
    scale_accuracy,
    shift_accuracy,
    shift_consistency,
)
from poolab.measure.probabilities import calibration_of, example_scores

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (12, 1, 16, 20), dtype=torch.uint8, generator=GENERATOR)
LABELS = torch.randint(0, 3, (12,), generator=GENERATOR)
NETWORK = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(20, 3)).eval()
nn.init.normal_(NETWORK[2].weight, generator=GENERATOR)
nn.init.zeros_(NETWORK[2].bias)  # its own start depends on what ran before in this process


def predict(images):
    return NETWORK(images.float() / 255 - 0.5)


def measured(images=IMAGES, labels=LABELS, **how):
    figures, notes = run_full(predict, images, labels, **how)
    return {name: value for name, value in figures.items() if not name.startswith("seconds/")}, notes


def test_shift_is_the_consistency_and_the_accuracy_of_each_step():
    found, notes = measured(robustness=["shift"], max_shift=3, shift_padding="zero", batch_size=5)
    along = shift_accuracy(predict, IMAGES, LABELS, max_shift=3, padding="zero")
    assert len(set(along.values())) > 1
    assert found == {
        "robust/images": 12,
        "robust/shift_consistency": shift_consistency(predict, IMAGES, max_shift=3, padding="zero"),
        "robust/shift_accuracy_mean": pytest.approx(sum(along.values()) / 4),
        **{f"robust/shift_accuracy/{step}": value for step, value in along.items()},
    }
    assert notes == {}


def test_shifts_are_circular_and_of_an_eighth_by_default():
    found, _ = measured(robustness=["shift"])
    assert found["robust/shift_consistency"] == shift_consistency(predict, IMAGES, max_shift=2, padding="circular")
    assert [name for name in found if "accuracy/" in name] == [f"robust/shift_accuracy/{step}" for step in range(3)]


def test_corruption_is_the_mean_of_its_kinds_and_these_of_their_severities():
    found, _ = measured(robustness=["corruption"], corruptions=["contrast", "gaussian_noise"], severities=[1, 5])
    each = corruption_accuracy(predict, IMAGES, LABELS, corruptions=["contrast", "gaussian_noise"], severities=[1, 5])
    kinds = {kind: sum(values.values()) / 2 for kind, values in each.items()}
    assert found == {
        "robust/images": 12,
        "robust/corruption_accuracy": pytest.approx(sum(kinds.values()) / 2),
        **{f"robust/corruption/{kind}": value for kind, value in kinds.items()},
        **{f"robust/corruption/{kind}/{severity}": each[kind][severity] for kind in kinds for severity in (1, 5)},
    }


def test_scale_is_the_mean_of_its_factors():
    found, _ = measured(robustness=["scale"], scales=[0.5, 1.5])
    each = scale_accuracy(predict, IMAGES, LABELS, scales=[0.5, 1.5])
    assert found == {
        "robust/images": 12,
        "robust/scale_accuracy/0.5": each[0.5],
        "robust/scale_accuracy/1.5": each[1.5],
        "robust/scale_accuracy_mean": pytest.approx((each[0.5] + each[1.5]) / 2),
    }


def test_a_size_that_the_network_does_not_take_is_a_note_and_no_part_of_the_mean():
    found, notes = measured(robustness=["scale"], scales=[1.0, 2.0], scale_mode="size")
    assert set(found) == {"robust/images", "robust/scale_accuracy/1", "robust/scale_accuracy_mean"}
    assert found["robust/scale_accuracy_mean"] == found["robust/scale_accuracy/1"]
    assert list(notes) == ["robust/scale_accuracy/2"]
    assert notes["robust/scale_accuracy/2"].startswith("not measured, the network does not take this size: ")
    none, notes = measured(robustness=["scale"], scales=[2.0], scale_mode="size")
    assert (none, len(notes)) == ({"robust/images": 12}, 1)
    with pytest.raises(RuntimeError):
        run_full(lambda images: NETWORK(images[:, :, 1:, 5:].float()), IMAGES, LABELS, robustness=["scale"])


def test_calibration_and_gradient_support_have_their_names(tmp_path):
    examples = example_scores(predict(IMAGES).detach(), LABELS) | {"label": LABELS}
    figures, notes = run_full(
        predict,
        IMAGES,
        None,
        model=NETWORK,
        examples=examples,
        gradient_support_images=4,
        picture=tmp_path / "picture.png",
    )
    (support,) = gradient_support(NETWORK, IMAGES[:4], predict=predict).values()
    assert {name: value for name, value in figures.items() if not name.startswith("seconds/")} == {
        **{f"calibration/{name}": value for name, value in calibration_of(examples).items()},
        "gradient_support/0/input_coverage": support.input_coverage,
        "gradient_support/0/entropy": support.entropy,
    }
    assert {name for name in figures if name.startswith("seconds/")} == {
        "seconds/calibration",
        "seconds/gradient_support",
    }
    assert notes == {}
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_gradient_support_is_of_the_first_images_and_on_the_device_of_the_images():
    seen = []
    model = nn.Sequential(nn.AvgPool2d(4))
    run_full(
        lambda images: seen.append(images) or model(images.float()),
        IMAGES,
        None,
        model=model,
        gradient_support_images=3,
    )
    assert torch.equal(seen[0], IMAGES[:3])
    many = IMAGES.repeat(10, 1, 1, 1)
    run_full(lambda images: seen.append(images) or model(images.float()), many, None, model=model)
    assert len(seen[1]) == 64


def test_a_picture_that_cannot_be_drawn_costs_a_warning_and_no_figure(tmp_path):
    examples = example_scores(predict(IMAGES).detach(), LABELS) | {"label": LABELS}
    with pytest.warns(UserWarning, match=r"without a picture: p.png \(FileNotFoundError: "):
        figures, _ = run_full(predict, IMAGES, None, examples=examples, picture=tmp_path / "missing" / "p.png")
    assert "calibration/ece" in figures


def test_times_are_told_as_each_measure_ends(monkeypatch):
    clock = iter(range(0, 100, 7))
    monkeypatch.setattr("poolab.measure.full_report.perf_counter", lambda: next(clock))
    told = []
    figures, _ = run_full(
        predict, IMAGES, LABELS, robustness=["scale", "shift"], scales=[1], report=lambda *one: told.append(one)
    )
    assert told == [("scale", 7), ("shift", 7)]
    assert (figures["seconds/scale"], figures["seconds/shift"]) == (7, 7)


def test_a_measure_that_fails_is_a_note_where_that_is_asked_for():
    def broken(images):
        raise ValueError("no  memory\nleft " + 400 * "x")

    with pytest.raises(ValueError, match="no  memory"):
        run_full(broken, IMAGES, LABELS, robustness=["shift"])
    figures, notes = run_full(broken, IMAGES, LABELS, model=NETWORK, robustness=["shift"], examples={}, tolerant=True)
    assert set(figures) == {"robust/images", "seconds/shift", "seconds/calibration", "seconds/gradient_support"}
    assert set(notes) == {"robust/shift", "calibration", "gradient_support"}
    assert notes["robust/shift"].startswith("not measured: ValueError: no memory left xxx")
    assert len(notes["robust/shift"]) == 300 + len("not measured: ")


def test_all_of_it_by_default():
    found, _ = measured()
    assert {name.split("/")[1].split("_")[0] for name in found} == {"images", "shift", "corruption", "scale"}
    assert [name for name in found if name.startswith("robust/scale_accuracy/")] == [
        f"robust/scale_accuracy/{scale:g}" for scale in (0.5, 0.75, 1.0, 1.25, 1.5)
    ]
    assert len([name for name in found if name.startswith("robust/corruption/")]) == 5 + 5 * 5
    assert measured(labels=None) == ({}, {})
