"""torch's own layers beside those that the learned poolings are made of."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from poolab.pooling import create_pool
from poolab.pooling.window.lip import MapNorm
from tests.pooling.support import distinct


def test_the_norm_is_torchs_instance_norm():
    ours, theirs = MapNorm(3).double(), nn.InstanceNorm2d(3, affine=True).double()
    for norm in (ours, theirs):
        nn.init.constant_(norm.weight, 1.7)
        nn.init.constant_(norm.bias, -0.3)
    for shape in ((2, 3, 5, 4), (1, 3, 1, 2)):
        assert_close(ours(distinct(*shape)), theirs(distinct(*shape)))


def test_a_map_of_one_element_raises_in_torchs_norm_alone():
    """torch has no variance there and refuses; one element is 0 apart from its mean, so ours gives the bias."""
    x = torch.ones(2, 3, 1, 1)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        nn.InstanceNorm2d(3, affine=True).train()(x)
    assert not MapNorm(3)(x).any()


@pytest.mark.parametrize("factor", [2, 3])
def test_space_to_depth_has_the_order_of_pixel_unshuffle(factor: int):
    """Channel by channel, as torch.nn.PixelUnshuffle and ONNX's CRD mode.

    LabSAINT/SPD-Conv (and TensorFlow, and ONNX's DCR mode) order the same channels tap by tap.
    """
    x = distinct(2, 3, 6, 6)
    ours = create_pool("space_to_depth", channels=3, kernel_size=factor, project=False)(x)
    assert torch.equal(ours, nn.PixelUnshuffle(factor)(x))
    tap_by_tap = torch.cat([x[..., i::factor, j::factor] for i in range(factor) for j in range(factor)], 1)
    assert not torch.equal(ours, tap_by_tap)
    assert torch.equal(ours.unflatten(1, (3, -1)).transpose(1, 2).flatten(1, 2), tap_by_tap)
