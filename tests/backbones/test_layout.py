"""The memory format of a network, and the convolutions that torch computes wrongly in it."""

import copy

import pytest
import torch
from torch import nn

from poolab.backbones import create_backbone, to_channels_last

CHANNELS_LAST = {"memory_format": torch.channels_last}


@pytest.mark.parametrize("channels", [2, 4, 7, 12])
def test_a_narrow_convolution_with_a_stride_has_the_right_gradient(channels):
    """As torch 2.14.1 computes it on an AVX2 processor, it ends the process, or is wrong."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(channels, 8, 1, 2))
    ours = to_channels_last(copy.deepcopy(plain))
    images = torch.randn(16, channels, 16, 16)
    grads = []
    for network, given in ((plain.double(), images.double()), (ours, images.contiguous(**CHANNELS_LAST))):
        given = given.requires_grad_()
        network(given).contiguous(**CHANNELS_LAST).pow(2).sum().backward()
        grads.append([given.grad.double(), *(value.grad.double() for value in network.parameters())])
    for mine, right in zip(*grads, strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-3)


def test_all_other_weights_are_in_channels_last_and_copies_stay_right():
    network = to_channels_last(
        create_backbone("resnet20", in_channels=3, num_classes=10, image_size=32, width_mult=0.25)
    )
    convolutions = {name: one for name, one in network.named_modules() if isinstance(one, nn.Conv2d)}
    wrong = [name for name, one in convolutions.items() if one.kernel_size == (1, 1) and one.stride == (2, 2)]
    for name, one in convolutions.items():
        if one.kernel_size != (1, 1):
            assert one.weight.is_contiguous(**CHANNELS_LAST)
        assert (len(one._forward_pre_hooks) == 1) is (name in wrong)
    twin = copy.deepcopy(network).train()
    twin(torch.randn(4, 3, 32, 32).contiguous(**CHANNELS_LAST)).sum().backward()
    assert all(value.grad is not None for value in twin.parameters())
