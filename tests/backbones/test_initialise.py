"""Arms with one seed share every weight that both have, and no global generator moves."""

import pytest
import torch
from torch import nn

from poolab.backbones import initialise, list_backbones
from poolab.pooling import WindowPool2d
from poolab.pooling.registry import POOLS

ARMS = [
    {"name": "own"},
    {"name": "max"},
    {"name": "strided_conv"},
    {"name": "mixed", "learnable": True},
    {"name": "avg_topk", "slots": "some"},
]


def _arm(build, name, pooling, seed):
    if pooling.get("slots") == "some":
        pooling = {**pooling, "slots": [next(iter(build(name).slots))]}
    return build(name, pooling=pooling, seed=seed)


@pytest.mark.parametrize("name", list_backbones())
def test_arms_share_what_both_have(build, name):
    weights = [dict(_arm(build, name, arm, seed=0).named_parameters()) for arm in ARMS]
    assert len({len(each) for each in weights}) > 1, "no arm has weights of its own: the test would show nothing"
    for other in weights[1:]:
        common = weights[0].keys() & other.keys()
        assert common == weights[0].keys()
        assert all(torch.equal(weights[0][key], other[key]) for key in common)


@pytest.mark.parametrize("name", list_backbones())
def test_seeds_and_layers_differ(build, name):
    zero, again, one = (build(name, seed=seed) for seed in (0, 0, 1))
    for (key, a), b, c in zip(zero.named_parameters(), again.parameters(), one.parameters(), strict=True):
        assert torch.equal(a, b), key
        assert torch.equal(a, c) == (a.std().item() == 0 or is_identity(a)), key  # what is drawn depends on the seed


def is_identity(weight):
    """Whether a convolution starts as one that changes nothing."""
    square = weight.ndim == 4 and weight.shape[0] == weight.shape[1]
    return square and torch.equal(weight, nn.init.dirac_(torch.empty_like(weight)))


def test_strided_convolutions_in_two_slots_differ(build):
    model = build("torch_cnn", pooling={"name": "strided_conv"}, head={"name": "global_max"}, seed=0)
    a, b = (model.slot_module(f"pool{i}").conv.weight.flatten()[:100] for i in (1, 2))
    assert not torch.allclose(a / a.std(), b / b.std())


@pytest.mark.parametrize("seed", [0, 5])
def test_global_generator_is_left_alone(build, seed):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    build("vgg_small", seed=seed, pooling={"name": "strided_conv"})
    assert torch.equal(before, torch.get_rng_state())


def test_no_seed_draws_from_the_global_generator(build):
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(build("keras_cnn"))
    weights = [model.conv1.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("seed", [None, 0])
def test_keras_start(build, seed):
    model = build("keras_cnn", seed=seed)
    limit = (6 / (32 * 9 + 64 * 9)) ** 0.5
    assert model.conv2.weight.abs().max().item() == pytest.approx(limit, rel=0.01)
    assert not any(layer.bias.any() for layer in (model.conv1, model.conv2, model.classifier[0]))


@pytest.mark.parametrize(("name", "layer"), [("vgg_small", "stage3.3"), ("resnet20", "stage3.1.conv2")])
def test_he_start(build, name, layer):
    weight = build(name, seed=0).get_submodule(layer).weight
    assert weight.std().item() == pytest.approx((2 / (9 * weight.shape[1])) ** 0.5, rel=0.02)


@pytest.mark.parametrize("mult", [1.0, 0.3])
def test_airbench_start(build, mult):
    """Convolutions pass their input on in their first channels; the rest starts as torch's layers start."""
    model = build("airbench94", seed=0, width_mult=mult)
    images = torch.randn(1, 24, 9, 9)
    passed = model.block1.conv1(images)
    kept = min(24, model.block1.conv1.out_channels)
    torch.testing.assert_close(passed[:, :kept], images[:, :kept])
    rest = model.block2.conv1.weight[model.block2.conv1.in_channels :]
    assert rest.abs().max().item() == pytest.approx((1 / rest[0].numel()) ** 0.5, rel=0.01)
    assert is_identity(model.block3.conv2.weight)
    assert not model.whiten.bias.any()


def test_airbench_whitening_starts_as_an_orthonormal_basis(build):
    filters = build("airbench94", seed=0).whiten.weight.flatten(1)
    torch.testing.assert_close(filters[:12] @ filters[:12].T, torch.eye(12), rtol=0, atol=1e-6)
    assert torch.equal(filters[12:], -filters[:12])


def test_torch_start(build):
    weight = build("torch_cnn", seed=0).conv2.weight
    assert weight.abs().max().item() == pytest.approx((1 / (32 * 9)) ** 0.5, rel=0.01)


def test_a_pooling_without_a_rule_starts_from_the_seed_too(build, monkeypatch):
    class Scaled(WindowPool2d):
        name = "scaled"
        learns = "always"

        def build(self):
            self.scale = nn.Parameter(torch.randn(()))

        def arguments(self):
            return {"scale": self.scale}

        @staticmethod
        def formula(windows, scale):
            return windows.input[..., ::2, ::2] * scale

    monkeypatch.setitem(POOLS, "scaled", Scaled)
    starts = [build("keras_cnn", pooling={"name": "scaled"}, seed=seed).pool1.scale for seed in (0, 0, 1)]
    assert starts[0] == starts[1] != starts[2]


def test_initialise_restarts_statistics_and_refuses_other_devices(build):
    model = build("resnet20", seed=0)
    start = {key: value.clone() for key, value in model.state_dict().items()}
    model(torch.randn(4, 3, 32, 32))
    assert not torch.equal(model.bn1.running_mean, start["bn1.running_mean"])
    initialise(model, 0)
    assert all(torch.equal(value, start[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", sorted(name for name, cls in POOLS.items() if cls.role != "channel"))
def test_the_start_of_every_pooling_is_a_function_of_the_seed_alone(build, name):
    """Whatever the state of the global generator is when the layer is built, and whatever it is when it is reset."""
    cls = POOLS[name]
    options = {"name": name} | {key: value for key, value in cls.trial.items() if key in cls.options}
    options |= {"project": True} if "project" in cls.options else {}
    group = "head" if cls.role == "global" else "pooling"
    models = []
    for state in (1, 2):
        torch.manual_seed(state)
        models.append(build("torch_cnn", seed=0, **{group: options}))
    first, second = (model.state_dict() for model in models)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("learnable", ["lip", "strided_conv", "gated"])
def test_a_learnable_pooling_at_one_slot_changes_no_other_weight(build, learnable):
    """Paired arms: what a slot has besides draws from streams of its own."""
    plain, with_it = (
        build("vgg_small", seed=3, pooling={"name": "max", "at": at}) for at in ({}, {"pool2": learnable})
    )
    ours, theirs = dict(plain.named_parameters()), dict(with_it.named_parameters())
    assert ours.keys() < theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    alone = build("vgg_small", seed=3, pooling={"name": learnable})
    own = dict(alone.slot_module("pool2").named_parameters())
    assert all(torch.equal(own[name], value) for name, value in with_it.slot_module("pool2").named_parameters())
