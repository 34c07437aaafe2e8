import pytest
import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones import create_backbone
from poolab.measure import SavedStorages, pooling_saved_bytes
from poolab.measure.saved import pooling_layers, slot_label
from poolab.pooling import AvgTopKPool2d, MaxPool2d

BATCH = torch.randn(5, 3, 8, 8)
OUTPUTS = 5 * 3 * 4 * 4


class Saving(nn.MaxPool2d):
    """A stand-in whose saved tensors are known."""

    def __init__(self, formula):
        super().__init__(2)
        self.formula = formula
        self.scale = nn.Parameter(torch.ones(5, 3, 8, 8))

    def forward(self, x):
        return self.formula(self, x)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        own = x * 2
        ctx.save_for_backward(own, own[1:], own.view(-1), x)
        return own[..., ::2, ::2].clone()

    @staticmethod
    def backward(ctx, gradient):
        raise NotImplementedError


@pytest.mark.parametrize("layer", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(4)])
def test_torch_maximum_keeps_eight_bytes_for_each_output(layer):
    assert pooling_saved_bytes(nn.Sequential(nn.ReLU(), layer), BATCH) == {"1": 8 * OUTPUTS}


def test_our_maximum_in_a_backbone_is_counted_by_slot():
    model = create_backbone("vgg_small", in_channels=3, num_classes=10, image_size=8, width=4)
    assert pooling_saved_bytes(model, BATCH) == {
        "pool1": 8 * 5 * 4 * 16,
        "pool2": 8 * 5 * 8 * 4,
        "pool3": 640,
        "head": 0,
    }


def test_filled_strided_convolutions_are_counted_by_slot():
    model = create_backbone("resnet20", in_channels=3, num_classes=10, image_size=8, pooling={"name": "max"})
    assert pooling_saved_bytes(model, BATCH) == {"stage2": 8 * 5 * 32 * 16, "stage3": 8 * 5 * 64 * 4, "head": 0}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (lambda self, x: x * self.scale, 0),  # the input and a weight
        (lambda self, x: F.avg_pool2d(x.view(5, 3, 64, 1).view_as(x), 2), 0),  # a view of the input
        (lambda self, x: torch.exp(x), 4 * BATCH.numel()),  # its own output
        (lambda self, x: Twice.apply(x), 4 * BATCH.numel()),  # one storage, saved three times, and the input
        (lambda self, x: torch.exp(x) * torch.sin(x), 2 * 4 * BATCH.numel()),
    ],
)
def test_each_storage_counts_once_and_neither_input_nor_weights(formula, expected):
    model = nn.Sequential(nn.Conv2d(3, 3, 1), Saving(formula))
    assert pooling_saved_bytes(model, BATCH) == {"1": expected}


def test_a_layer_that_runs_twice_counts_both():
    class Twofold(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = MaxPool2d(2)

        def forward(self, x):
            return self.pool(self.pool(x))

    assert pooling_saved_bytes(Twofold(), BATCH) == {"pool": 8 * (OUTPUTS + OUTPUTS // 4)}


def test_what_surrounds_the_layer_does_not_count():
    model = nn.Sequential(nn.Softmax(1), nn.AvgPool2d(2), nn.Softmax(1))
    assert pooling_saved_bytes(model, BATCH) == {"1": 0}


def test_frozen_weights_and_no_grad_do_not_hide_it():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.MaxPool2d(2)).requires_grad_(False)
    with torch.no_grad():
        assert pooling_saved_bytes(model, BATCH) == {"1": 8 * OUTPUTS}


def test_it_grows_with_the_batch_and_k_counts():
    first = pooling_saved_bytes(AvgTopKPool2d(2, k=2), BATCH[:1])[""]
    assert pooling_saved_bytes(AvgTopKPool2d(2, k=2), BATCH)[""] == 5 * first


@pytest.mark.parametrize("pooling", ["stochastic", "rank_stochastic", "max"])
def test_the_model_is_left_as_it_was(untouched, pooling):
    model = create_backbone("resnet20", in_channels=3, num_classes=10, image_size=8, pooling={"name": pooling})
    model.stage2[0].pool.generator = generator = torch.Generator().manual_seed(4)
    before = generator.get_state()
    model.stage1.eval()
    with untouched(model):
        pooling_saved_bytes(model, BATCH)
    assert torch.equal(before, generator.get_state())


def test_a_single_tiny_image_with_batch_normalisation():
    model = create_backbone("vgg_small", in_channels=3, num_classes=10, image_size=8, width=4)
    assert pooling_saved_bytes(model, BATCH[:1])["pool3"] == 8 * 16


def test_the_layer_runs_in_training_mode_and_its_buffers_come_back(untouched):
    class Counting(nn.AvgPool2d):
        def __init__(self):
            super().__init__(2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(torch.exp(x) if self.training else x)

    model = nn.Sequential(nn.Conv2d(3, 3, 1), Counting()).eval()
    with untouched(model):
        saved = pooling_saved_bytes(model, BATCH)
    assert saved == {"1": 4 * BATCH.numel()}


def test_a_pooling_inside_a_pooling_is_a_part_of_it():
    class Outer(nn.MaxPool2d):
        def __init__(self):
            super().__init__(2)
            self.inner = nn.AvgPool2d(2)

    model = nn.ModuleDict({"a": Outer(), "ab": nn.AvgPool2d(2), "b": nn.ModuleDict({"c": nn.AvgPool2d(2)})})
    assert list(pooling_layers(model)) == ["a", "ab", "b.c"]
    assert list(pooling_layers(Outer())) == [""]
    assert list(pooling_layers(nn.ReLU())) == []


@pytest.mark.parametrize("layer", [
    nn.MaxPool2d(2), nn.AvgPool2d(2), nn.LPPool2d(2, 2), nn.FractionalMaxPool2d(2, output_size=2),
    nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1), MaxPool2d(2),
])  # fmt: skip
def test_torchs_poolings_and_ours_are_found(layer):
    assert pooling_layers(nn.Sequential(nn.ReLU(), layer)) == {"1": layer}
    assert slot_label(nn.Sequential(layer), "0") == "0"


def test_a_compiled_network_is_counted_as_the_network_itself():
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    assert pooling_saved_bytes(torch.compile(model, backend="eager"), BATCH) == {"1": 8 * OUTPUTS}


def test_what_is_exempt_later_does_not_count_either():
    weight, first, second = (torch.zeros(10) for _ in range(3))
    count = SavedStorages([weight])
    for tensor in (weight, first, first[2:], second):
        count.add(tensor)
    assert count.bytes == 80
    count.exempt_too([second])
    assert count.bytes == 40
