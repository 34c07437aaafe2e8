"""The table of shapes is what a real forward pass gives, also where it would fail."""

import io

import pytest
import torch
from rich.console import Console

from poolab.backbones import create_backbone, list_backbones, render_shapes, slot_shapes
from poolab.errors import ConfigError

SETTINGS = {"in_channels": 3, "num_classes": 10}


@pytest.mark.parametrize("name", list_backbones())
@pytest.mark.parametrize("pooling", ["own", "strided_conv"])
def test_shapes_are_those_of_a_forward_pass(build, name, pooling):
    model = build(name, image_size=(33, 40), pooling={"name": pooling}).eval()
    seen = {}
    for slot in model.slots:
        hook = lambda _, args, output, slot=slot: seen.update({slot: (args[0].shape[1:], output.shape[1:])})  # noqa: E731
        model.slot_module(slot).register_forward_hook(hook)
    model(torch.zeros(1, 3, 33, 40))
    rows = slot_shapes(model)
    assert {row.slot: (row.input, row.output) for row in rows} == seen
    assert [row.activation_bytes for row in rows] == [4 * seen[slot][1].numel() for slot in model.slots]
    assert not any(row.vanishes for row in rows)


def test_by_name_is_the_same_as_by_model_and_leaves_the_generator(build):
    before = torch.get_rng_state()
    rows = slot_shapes("vgg_small", image_size=40, pooling={"name": "strided_conv"}, **SETTINGS)
    assert torch.equal(before, torch.get_rng_state())
    assert rows == slot_shapes(build("vgg_small", image_size=40, pooling={"name": "strided_conv"}))
    assert [row.parameters for row in rows] == [4 * c * c + c for c in (64, 128, 256)] + [0]


def test_another_size_than_the_model_was_built_for(build):
    model = build("torch_cnn")
    assert slot_shapes(model, image_size=64)[0].output == (32, 31, 31)
    assert model.conv1.weight.device.type == "cpu"


def test_a_vanishing_slot_is_flagged_once():
    rows = slot_shapes("vgg_small", image_size=5, **SETTINGS)
    assert [(row.slot, row.input, row.output, row.vanishes) for row in rows] == [
        ("pool1", (64, 5, 5), (64, 2, 2), False),
        ("pool2", (128, 2, 2), (128, 1, 1), False),
        ("pool3", (256, 1, 1), None, True),
        ("head", None, None, False),
    ]
    assert "slot pool3" in rows[2].note
    assert "needs images of 8x8" in rows[2].note


def test_a_convolution_that_fails_marks_the_slot_behind_it():
    rows = slot_shapes("keras_cnn", image_size=5, **SETTINGS)
    assert [row.vanishes for row in rows] == [False, True, False]
    assert "conv2" in rows[1].note


def test_a_wrong_setting_is_still_an_error():
    with pytest.raises(ConfigError, match="slot pool1"):
        slot_shapes("keras_cnn", image_size=5, pooling={"name": "avg_topk", "k": 9}, **SETTINGS)


@pytest.mark.parametrize("size", [3, 32, 512])
@pytest.mark.parametrize("name", list_backbones())
def test_the_table_fits_80_columns_whole(name, size):
    rows = slot_shapes(name, image_size=size, pooling={"name": "rank_stochastic"}, **SETTINGS)
    out = io.StringIO()
    Console(file=out, width=80).print(render_shapes(rows))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for row in rows:
        line = next(line for line in text.splitlines() if row.slot in line.split())
        assert row.pooling in line
        assert ("vanishes" if row.vanishes else "x".join(map(str, row.output or ())) or "-") in line


def test_nothing_is_computed_for_a_large_image():
    rows = slot_shapes(create_backbone("resnet20", image_size=2048, **SETTINGS))
    assert rows[-1].input == (64, 512, 512)
