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
}


@pytest.mark.parametrize(("name", "pooling"), GOLDEN)
def test_golden(build, name, pooling):
    model = build(name, pooling={"name": pooling})
    assert (parameters(model), multiply_adds(model, torch.zeros(1, 3, 32, 32))) == GOLDEN[name, pooling]


def test_every_backbone_has_golden_numbers():
    assert {name for name, _ in GOLDEN} == set(list_backbones())


def test_keras_cnn_by_hand():
    conv1, conv2 = 32 * (3 * 9 + 1), 64 * (32 * 9 + 1)
    dense = 64 * (64 * 6 * 6 + 1) + 10 * (64 + 1)
    assert conv1 + conv2 + dense == GOLDEN["keras_cnn", "own"][0]
    assert GOLDEN["keras_cnn", "own"][1] == 27 * 32 * 30**2 + 288 * 64 * 13**2 + 2304 * 64 + 640
