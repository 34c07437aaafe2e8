"""Golden numbers for 3x32x32 images and ten classes; a change here is a change of every published table.

Make them again: `from poolab.measure import multiply_adds, parameters` on `create_backbone(name, ...)`.
"""

import pytest
import torch

from poolab.backbones import list_backbones
from poolab.measure import multiply_adds, parameters

# name, window pooling: parameters, multiply-adds of one image
GOLDEN = {
    ("keras_cnn", "own"): (167_562, 4_040_704),
    ("keras_cnn", "avg_topk"): (167_562, 4_040_704),
    ("keras_cnn", "strided_conv"): (188_138, 5_552_128),
    ("lenet", "own"): (62_006, 651_720),
    ("lenet", "avg_topk"): (62_006, 651_720),
    ("lenet", "strided_conv"): (63_196, 705_544),
    ("torch_cnn", "own"): (20_042, 3_893_248),
    ("torch_cnn", "avg_topk"): (20_042, 3_893_248),
    ("torch_cnn", "strided_conv"): (40_618, 5_404_672),
    ("vgg_small", "own"): (1_148_874, 152_766_976),
    ("vgg_small", "avg_topk"): (1_148_874, 152_766_976),
    ("vgg_small", "strided_conv"): (1_493_386, 165_349_888),
    # Filled slots compute their convolutions at stride 1, so that the map is pooled and not skipped.
    ("resnet20", "own"): (269_722, 40_551_040),
    ("resnet20", "avg_topk"): (269_722, 47_628_928),
    ("resnet20", "strided_conv"): (290_298, 49_726_080),
    ("resnet18_cifar", "own"): (11_173_962, 555_422_720),
    ("resnet18_cifar", "avg_topk"): (11_173_962, 725_292_032),
    ("resnet18_cifar", "strided_conv"): (12_551_114, 775_623_680),
    ("airbench94", "own"): (1_972_792, 118_147_360),
    ("airbench94", "avg_topk"): (1_972_792, 118_147_360),
    ("airbench94", "strided_conv"): (3_104_120, 137_627_936),
    ("unet", "own"): (453_994, 11_640_832),
    ("unet", "avg_topk"): (453_994, 11_640_832),
    ("unet", "strided_conv"): (475_874, 11_902_976),
}

# The sum of all magnitudes of the weights that seed 0 gives: a change here is another start for every arm.
STARTS = {
    "keras_cnn": 4636.633943876887,
    "lenet": 1841.2541922138857,
    "torch_cnn": 669.7103704092398,
    "vgg_small": 35217.84561472764,
    "resnet20": 15534.98316296808,
    "resnet18_cifar": 240868.3747859899,
    "airbench94": 4816.598716877366,
    "unet": 21253.008987301415,
}


@pytest.mark.parametrize(("name", "pooling"), GOLDEN)
def test_golden(build, name, pooling):
    model = build(name, pooling={"name": pooling})
    assert (parameters(model), multiply_adds(model, torch.zeros(1, 3, 32, 32))) == GOLDEN[name, pooling]


def test_every_backbone_has_golden_numbers():
    assert {name for name, _ in GOLDEN} == set(list_backbones())


@pytest.mark.parametrize("name", list_backbones())
def test_the_start_of_seed_0(build, name):
    start = sum(weight.double().abs().sum().item() for weight in build(name, seed=0).parameters())
    assert start == pytest.approx(STARTS[name], rel=1e-7)


def test_airbench94_by_hand():
    block = [(24, 64), (64, 64), (64, 256), (256, 256), (256, 256), (256, 256)]
    convolutions, norms = sum(9 * a * b for a, b in block), 2 * sum(b for _, b in block)
    parameters, operations = GOLDEN["airbench94", "own"]
    assert parameters == 24 * (12 + 1) + convolutions + norms + 256 * 10
    sides = (31, 15, 15, 7, 7, 3)  # of the maps that the six convolutions give
    assert operations == 24 * 12 * 31**2 + sum(9 * a * b * s**2 for (a, b), s in zip(block, sides, strict=True)) + 2560


def test_lenet_by_hand():
    convolutions = 6 * (3 * 25 + 1), 16 * (6 * 25 + 1), 120 * (16 * 25 + 1)
    assert sum(convolutions) + 84 * 121 + 10 * 85 == GOLDEN["lenet", "own"][0]
    assert GOLDEN["lenet", "own"][1] == 75 * 6 * 28**2 + 150 * 16 * 10**2 + 400 * 120 + 120 * 84 + 840


def test_keras_cnn_by_hand():
    conv1, conv2 = 32 * (3 * 9 + 1), 64 * (32 * 9 + 1)
    dense = 64 * (64 * 6 * 6 + 1) + 10 * (64 + 1)
    assert conv1 + conv2 + dense == GOLDEN["keras_cnn", "own"][0]
    assert GOLDEN["keras_cnn", "own"][1] == 27 * 32 * 30**2 + 288 * 64 * 13**2 + 2304 * 64 + 640
