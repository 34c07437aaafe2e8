"""The matched control: the nearest of all widths, found without computing anything."""

import pytest
import torch

from poolab.backbones import create_backbone, match_width
from poolab.backbones.registry import BACKBONES
from poolab.errors import ConfigError
from poolab.measure import multiply_adds, parameters

SIZE = {"in_channels": 3, "num_classes": 10, "image_size": 32}


def counted(name, by, pooling, **options):
    model = create_backbone(name, pooling=pooling, **{**SIZE, **options})
    return parameters(model) if by == "parameters" else multiply_adds(model, torch.zeros(1, 3, *model.image_size))


@pytest.mark.parametrize(("name", "to", "by"), [
    ("keras_cnn", "lip", "parameters"), ("keras_cnn", "lip", "multiply_adds"),
    ("torch_cnn", "strided_conv", "multiply_adds"), ("vgg_small", "lip", "parameters"),
    ("resnet20", "strided_conv", "parameters"), ("airbench94", "lip", "multiply_adds"),
])  # fmt: skip
def test_the_counts_are_those_of_the_real_networks(name, to, by):
    found = match_width(name, by=by, to=to, pooling={"name": "max"}, **SIZE)
    assert found.widened
    assert found.target == counted(name, by, {"name": to})
    assert found.count == counted(name, by, {"name": "max"}, width_mult=found.width_mult)
    assert found.width_mult > 1
    assert abs(found.residual) < 0.02 * found.target


@pytest.mark.parametrize("to", ["lip", {"name": "lip", "logit": "bottleneck"}])
def test_no_other_width_comes_nearer(to):
    """Every width on the way, tried one by one by the arithmetic of the layers."""

    def size(mult):
        a, b = round(32 * mult), round(64 * mult)
        return a * (27 + 1) + b * (9 * a + 1) + 10 * (b + 1)

    found = match_width("torch_cnn", by="parameters", to=to, pooling={"name": "max"}, **SIZE)
    sizes = [size(1 + step / 10_000) for step in range(50_000)]
    assert found.count in sizes
    assert abs(found.residual) == min(abs(each - found.target) for each in sizes)


@pytest.mark.parametrize("classes", [147, 260])
def test_of_two_widths_that_are_equally_near_the_smaller_is_taken(classes):
    """With so many classes the other arm lies in the middle between two neighbours."""
    found = match_width(
        "torch_cnn",
        by="parameters",
        to="strided_conv",
        pooling={"name": "max"},
        **{**SIZE, "num_classes": classes},
    )

    def size(mult):
        a, b = round(32 * mult), round(64 * mult)
        return a * (27 + 1) + b * (9 * a + 1) + classes * (b + 1)

    sizes = {size(1 + step / 4_000) for step in range(12_000)}
    above = min(each for each in sizes if each > found.target)
    assert found.count == max(each for each in sizes if each < found.target)
    assert above - found.target == found.target - found.count
    assert found.count == size(found.width_mult)


@pytest.mark.parametrize("to", ["avg", "max", "own"])
def test_an_arm_that_is_no_larger_leaves_the_width(to):
    found = match_width("vgg_small", by="parameters", to=to, pooling={"name": "strided_conv"}, **SIZE)
    assert (found.width_mult, found.widened) == (1.0, False)
    assert found.residual == found.count - found.target == 1_493_386 - 1_148_874
    assert "is not larger" in str(found)
    assert "is not larger" in found.notes()["match/width_mult"]


def test_a_difference_below_half_a_channel_leaves_the_width():
    found = match_width("keras_cnn", by="parameters", to={"name": "mixed", "learnable": True}, **SIZE)
    assert (found.width_mult, found.widened, found.residual) == (1.0, False, -2)
    assert "no wider network is nearer" in str(found)


def test_slots_and_geometry_are_those_of_the_run():
    pooling = {"name": "max", "slots": ["pool1"], "kernel_size": 3, "stride": None}
    found = match_width("keras_cnn", by="parameters", to="lip", pooling=pooling, **SIZE)
    assert found.target == counted("keras_cnn", "parameters", {**pooling, "name": "lip"})
    other = match_width("keras_cnn", by="parameters", to={"name": "lip", "slots": ["pool2"]}, pooling=pooling, **SIZE)
    arm = {"name": "lip", "slots": ["pool2"], "kernel_size": 3}
    assert other.target == counted("keras_cnn", "parameters", arm) != found.target


def test_the_backbones_own_pooling_can_be_either_arm():
    small = {**SIZE, "image_size": 8}
    found = match_width("resnet20", by="multiply_adds", to="max", **small)
    assert found.target == counted("resnet20", "multiply_adds", {"name": "max"}, image_size=8)
    assert found.width_mult > 1
    filled = {"name": "max", "slots": ["stage2"]}
    back = match_width("resnet20", by="multiply_adds", to="own", pooling=filled, **small)
    assert back.target == counted("resnet20", "multiply_adds", None, image_size=8) < back.count


def test_the_search_starts_from_the_width_of_both_arms():
    found = match_width("keras_cnn", by="parameters", to="lip", pooling={"name": "max"}, width_mult=0.5, **SIZE)
    assert found.target == counted("keras_cnn", "parameters", {"name": "lip"}, width_mult=0.5)
    assert 0.5 < found.width_mult < 1


def test_the_flat_names():
    found = match_width("keras_cnn", by="parameters", to="lip", pooling={"name": "max"}, **SIZE)
    assert found.metrics() == {
        "match/width_mult": found.width_mult,
        "match/target": 213_834,
        "match/count": found.count,
        "match/residual": found.count - 213_834,
        "match/residual_share": pytest.approx((found.count - 213_834) / 213_834),
    }
    assert found.notes() == {"match/target": "parameters with lip"}


def test_nothing_is_drawn():
    before = torch.get_rng_state()
    match_width("torch_cnn", by="parameters", to="lip", pooling={"name": "max"}, **SIZE)
    assert torch.equal(before, torch.get_rng_state())


WRONG = {
    "unknown count": ({"by": "flops"}, "match='flops'.*Allowed: parameters, multiply_adds"),
    "unknown pooling": ({"to": "lipp"}, "match_to.*did you mean lip"),
    "a head": ({"to": "global_avg"}, "match_to.*global_avg is a head"),
    "wrong option": ({"to": {"name": "lip", "logits": 3}}, "match_to.*logits"),
    "no name": ({"to": {"logit": "bottleneck"}}, "has no name of a pooling"),
    "no pooling at all": ({"to": 3}, "match_to=3 is neither"),
    "unknown backbone": ({"backbone": "keras_cn"}, "did you mean keras_cnn"),
    "the network's own fault": ({"pooling": {"name": "avg_topk", "k": 9}}, "^keras_cnn: pooling avg_topk cannot fill"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_request(case):
    settings, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        match_width(**{"backbone": "keras_cnn", "by": "parameters", "to": "lip", **SIZE, **settings})


def test_a_backbone_that_cannot_be_widened(monkeypatch):
    monkeypatch.setitem(BACKBONES, "fixed", lambda slots, *, in_channels, num_classes, image_size: None)
    with pytest.raises(ConfigError, match=r"fixed has no width_mult.*match is for keras_cnn.*airbench94"):
        match_width("fixed", by="parameters", to="lip", **SIZE)


def test_a_backbone_that_does_not_grow_ends_the_search(monkeypatch):
    keras = BACKBONES["keras_cnn"]
    monkeypatch.setitem(BACKBONES, "stiff", lambda slots, *, width_mult=1.0, **build: keras(slots, **build))
    with pytest.raises(ConfigError, match="times as wide, the network has 167,562 of 213,834"):
        match_width("stiff", by="parameters", to="lip", pooling={"name": "max"}, **SIZE)


def test_poolings_of_single_slots_are_matched_too():
    at = {"pool1": "lip"}
    found = match_width("keras_cnn", by="parameters", to={"name": "max", "at": at}, pooling={"name": "max"}, **SIZE)
    assert found.target == counted("keras_cnn", "parameters", {"name": "max", "at": at})
    assert (found.widened, found.to) == (True, "max pool1=lip")
    kept = match_width("keras_cnn", by="parameters", to="lip", pooling={"name": "max", "at": {"pool2": "avg"}}, **SIZE)
    assert kept.target == counted("keras_cnn", "parameters", {"name": "lip", "at": {"pool2": "avg"}})
