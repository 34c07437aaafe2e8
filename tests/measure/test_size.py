import pytest
import torch
from torch import nn

from poolab.backbones import create_backbone
from poolab.measure import multiply_adds, parameters


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 12), 27 * 8 * 120),
        (nn.Conv2d(4, 8, 3, stride=2, groups=4), (4, 9, 9), 9 * 8 * 16),
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 2, 2), 60),
        (nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.ReLU()), (3, 4, 4), 0),
    ],
)
def test_multiply_adds_by_hand(layer, shape, expected):
    assert multiply_adds(layer, torch.zeros(1, *shape)) == expected
    assert multiply_adds(layer, torch.zeros(7, *shape)) == expected, "of one image, whatever the batch"


def test_a_compiled_model_counts_the_same():
    model = nn.Conv2d(3, 8, 3)
    image = torch.zeros(1, 3, 8, 8)
    assert multiply_adds(torch.compile(model, backend="eager"), image) == multiply_adds(model, image) > 0


def test_a_shared_and_a_frozen_weight_count_once():
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    first.weight.requires_grad_(False)
    assert parameters(nn.Sequential(first, second)) == 16


def test_the_model_is_left_as_it_was(untouched):
    model = create_backbone("vgg_small", in_channels=3, num_classes=10, image_size=16, width=4)
    model.pool2.eval()
    with untouched(model):
        multiply_adds(model, torch.zeros(1, 3, 16, 16))
