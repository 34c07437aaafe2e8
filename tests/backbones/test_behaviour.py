"""Backbones are ordinary modules: they copy, pickle, compile, and take every batch and memory format."""

import copy
import pickle

import pytest
import torch

from poolab.backbones import list_backbones

POOLING = {"name": "mixed", "learnable": True}


@pytest.mark.parametrize("name", list_backbones())
def test_copies_and_pickles(build, name):
    model = build(name, pooling=POOLING, seed=0).eval()
    images = torch.randn(2, 3, 32, 32)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(images), model(images))
        assert twin.slots == model.slots
        last = next(reversed(model.slots))
        assert twin.slot_module(last) is twin.get_submodule(twin.path_of(last))
        assert twin.slot_module(last) is not model.slot_module(last)


@pytest.mark.parametrize("name", list_backbones())
def test_state_dict_round_trip(build, name):
    model, other = (build(name, pooling=POOLING, seed=seed).eval() for seed in (0, 1))
    other.load_state_dict(model.state_dict())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(other(images), model(images))


@pytest.mark.parametrize("name", list_backbones())
def test_empty_batch(build, name):
    assert build(name, pooling=POOLING).eval()(torch.zeros(0, 3, 32, 32)).shape[:2] == (0, 10)


@pytest.mark.parametrize("name", list_backbones())
def test_channels_last(build, name):
    model = build(name, pooling={"name": "softpool"}, seed=0).eval()
    images = torch.randn(2, 3, 32, 32)
    expected = model(images)
    last = model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(images.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["keras_cnn", "resnet20", pytest.param("unet", marks=pytest.mark.long)])
def test_compiles_whole(build, name):
    model = build(name, pooling=POOLING, seed=0).eval()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(compiled(images), model(images), rtol=1e-4, atol=1e-5)


def test_wrong_channels(build):
    with pytest.raises(ValueError, match=r"vgg_small.*expected 3 channels, got 1 channels") as caught:
        build("vgg_small")(torch.zeros(2, 1, 32, 32))
    assert "in_channels" in str(caught.value)
    with pytest.raises(ValueError, match="got 3 dimensions"):
        build("vgg_small")(torch.zeros(3, 32, 32))


def test_wrong_size_where_the_head_depends_on_it(build):
    with pytest.raises(ValueError, match=r"keras_cnn was built for 32x32.*expected 2304, got 3136 from 36x36"):
        build("keras_cnn")(torch.zeros(1, 3, 36, 36))
    assert build("torch_cnn")(torch.zeros(1, 3, 36, 36)).shape == (1, 10)


def test_construction_and_shapes_leave_no_hooks_and_no_modes(build):
    model = build("resnet20")
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert model.bn1.num_batches_tracked == 0
