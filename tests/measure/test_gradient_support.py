import math

import pytest
import torch
from torch import nn

from poolab.backbones import create_backbone
from poolab.measure import gradient_at, gradient_support, gradients
from poolab.pooling import create_pool, get_pool, list_pools

MAPS = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def support_of(layer, maps=MAPS, **settings):
    (found,) = gradient_support(nn.Sequential(nn.ReLU(), layer), maps, **settings).values()
    return found


@pytest.mark.parametrize(
    ("layer", "input_coverage", "taps"),
    [
        (nn.MaxPool2d(2), 0.25, 1),
        (create_pool("max", kernel_size=2), 0.25, 1),
        (nn.AvgPool2d(2), 1, 4),
        (create_pool("avg", kernel_size=2), 1, 4),
        (nn.AvgPool2d(2, stride=3), (6 / 8) ** 2, 4),  # rows and columns 0, 1, 3, 4, 6, 7
        (create_pool("avg_topk", kernel_size=2, k=2), 0.5, 2),
        (create_pool("avg", kernel_size=4, stride=2, padding=1), 1, None),
        (create_pool("subsample", kernel_size=2), 0.25, 1),
        (nn.AdaptiveAvgPool2d(1), 1, 64),
        (create_pool("global_max"), 1 / 64, 1),
    ],
)
def test_what_is_known_by_hand(layer, input_coverage, taps):
    maps = MAPS.abs() + 0.1  # no ties at zero behind the ReLU
    found = support_of(layer, maps)
    assert found.input_coverage == input_coverage
    if taps is not None:
        assert found.entropy == pytest.approx(math.log(taps), abs=1e-6)
    if taps == 1:
        assert found.entropy == 0.0


def test_the_entropy_against_the_whole_jacobian():
    """Of every output, by torch's own Jacobian in float64; the layer chooses some of them."""
    pool, one = create_pool("softpool", kernel_size=3, stride=2, padding=1), MAPS[:1].double()
    jacobian = torch.autograd.functional.jacobian(pool, one).flatten(4).flatten(0, 3).abs()
    shares = jacobian / jacobian.sum(1, keepdim=True)
    expected = -torch.special.xlogy(shares, shares).sum(1)
    found = gradient_support(nn.Sequential(pool), one.expand(50, -1, -1, -1), outputs=40)["0"]
    assert found.entropy == pytest.approx(expected.mean().item(), abs=4 * expected.std().item() / math.sqrt(2000))
    assert found.input_coverage == 1.0


def test_two_paths_that_cancel_are_two_paths():
    class Twice(nn.AvgPool2d):
        def forward(self, x):
            out = super().forward(x)
            return torch.cat([out, -out], 1)

    assert support_of(Twice(2)).input_coverage == 1.0, "weights that are all alike would leave no gradient"


def test_the_weights_are_those_of_the_seed_and_between_a_half_and_three_halves(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        gradients, "gradient_at", lambda *given: drawn.append(given[2]) or gradient_at(*given)
    )  # the first call of a layer has its weights, the others one output each
    for surroundings, seed in ((0, 7), (1, 7), (0, 8)):
        torch.manual_seed(surroundings)
        support_of(nn.AvgPool2d(2), outputs=1, seed=seed)
    first, again, other = drawn[::2]
    assert torch.equal(first, again), "they do not depend on torch's own generator"
    assert not torch.equal(first, other)
    assert 0.5 <= first.min() < 0.6
    assert 1.4 < first.max() < 1.5


def test_the_outputs_are_those_of_the_seed():
    pool = create_pool("softpool", kernel_size=2)
    found = []
    for surroundings, seed in ((0, 7), (1, 7), (0, 8)):
        torch.manual_seed(surroundings)
        found.append(support_of(pool, outputs=1, seed=seed).entropy)
    assert found[0] == found[1] != found[2]


def test_an_output_that_depends_on_nothing_is_left_out():
    class HalfDead(nn.AvgPool2d):
        def forward(self, x):
            out = super().forward(x)
            return torch.cat([out[:, :1], torch.zeros_like(out[:, 1:])], 1)

    found = support_of(HalfDead(2))
    assert found.input_coverage == pytest.approx(1 / 3)
    assert found.entropy == pytest.approx(math.log(4), abs=1e-6)


@pytest.mark.parametrize("role", ["window", "global", "channel", "same"])
def test_every_method_has_one(role):
    for name in list_pools(role):
        cls = get_pool(name)
        geometry = {"kernel_size": 2} if cls.role == "window" else {}
        channels = {"channels": 4} if cls.uses_channels != "never" else {}
        pool = create_pool(name, **geometry, **channels, **cls.trial)
        found = support_of(pool, torch.cat([MAPS, MAPS[:, :1].neg()], 1), outputs=3)
        assert 0 < found.input_coverage <= 1, name
        assert 0 <= found.entropy <= math.log(4 * 64) + 1e-5, name


def test_a_random_pooling_is_seen_as_it_evaluates():
    first, again = (support_of(create_pool("stochastic", kernel_size=2)) for _ in range(2))
    assert first == again
    assert first.entropy > 0.1, "in training it would keep one tap of a window"


def test_the_slots_of_a_backbone_and_the_model_as_it_was(untouched):
    model = create_backbone("vgg_small", in_channels=3, num_classes=10, image_size=8, width=4, pooling={"name": "avg"})
    model.pool2.eval()
    with untouched(model):
        found = gradient_support(model, MAPS)
    assert list(found) == ["pool1", "pool2", "pool3", "head"]
    assert all(each.input_coverage == 1.0 for each in found.values())


def test_a_layer_that_is_called_twice_and_one_that_is_not():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.MaxPool2d(2, return_indices=True), nn.AvgPool2d(2)

        def forward(self, x):
            return self.used(self.used(x)[0])[0]

    found = gradient_support(Twice(), MAPS)
    assert found["used"].input_coverage == 0.25
    assert math.isnan(found["idle"].entropy)


def test_it_sees_the_maps_in_the_precision_of_the_call():
    seen = []

    class Watching(nn.AvgPool2d):
        def forward(self, x):
            seen.append(x.dtype)
            return super().forward(x)

    model = nn.Sequential(nn.Conv2d(3, 3, 1), Watching(2))

    def predict(images):
        with torch.autocast("cpu", torch.bfloat16):
            return model(images)

    found = gradient_support(model, MAPS, predict=predict)
    assert set(seen) == {torch.bfloat16}
    assert found["1"].entropy == pytest.approx(math.log(4), abs=1e-2)
