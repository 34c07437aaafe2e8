"""What people do with weights: parametrize them, fold normalisations into them, initialise them."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval, parametrizations, parametrize

from poolab.backbones import swap_pooling
from poolab.backbones.surgery.strided import FoldError
from tests.backbones.surgery.networks import Layers, Strided, made


class TestParametrized:
    @pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
    def test_before_the_swap(self, norm, images):
        net = made(Strided)
        norm(net.conv1)
        net.eval()
        every = F.conv2d(images, net.conv1.weight, net.conv1.bias, padding=1)
        swap_pooling(net, "max", slots=["conv1"], example_input=images)
        assert torch.equal(net.conv1(images), F.max_pool2d(every, 2))
        net.train()(images).sum().backward()
        net.eval()
        before = net(images)
        parametrize.remove_parametrizations(net.conv1, "weight")
        torch.testing.assert_close(net(images), before)
        assert not parametrize.is_parametrized(net.conv1)
        assert torch.equal(copy.deepcopy(net)(images), net(images))

    @pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
    def test_after_the_swap(self, norm, images):
        net = made(Strided)
        swap_pooling(net, "max", slots=["conv1"], example_input=images)
        norm(net.conv1)
        assert net.eval()(images).shape == (2, 5)
        parametrize.remove_parametrizations(net.conv1, "weight")
        assert net(images).shape == (2, 5)
        assert net.conv1.pool is not None

    def test_old_weight_norm(self, images):
        net = made(Strided)
        with pytest.warns(FutureWarning):
            nn.utils.weight_norm(net.conv1)
        swap_pooling(net, "max", slots=["conv1"], example_input=images)
        before = net(images)
        nn.utils.remove_weight_norm(net.conv1)
        torch.testing.assert_close(net(images), before)


class TestFolding:
    def build(self):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        with torch.no_grad():
            net[1].weight.uniform_(-2, 2)
            net[1].bias.normal_()
            net[1].running_mean.normal_()
            net[1].running_var.uniform_(0.5, 2)
        return net.eval()

    def test_by_hand_is_refused(self, images):
        net = self.build()
        swap_pooling(net, "max", slots="strided_conv", example_input=images)
        with pytest.raises(FoldError, match="cannot be folded"):
            fuse_conv_bn_eval(net[0], net[1])
        assert torch.equal(copy.deepcopy(net)(images), net(images))

    def test_by_torch_fx_is_right(self, images):
        from torch.fx.experimental.optimization import fuse

        net = self.build()
        swap_pooling(net, "max", slots="strided_conv", example_input=images)
        torch.testing.assert_close(fuse(net)(images), net(images))

    def test_an_untouched_convolution_is_folded_as_before(self, images):
        net = self.build()
        torch.testing.assert_close(
            fuse_conv_bn_eval(net[0], net[1])(images), net[1](net[0](images)), rtol=1e-4, atol=1e-5
        )


def test_initialisers_by_class_name(images):
    """As GAN code has it: every class with "Conv" in its name has a weight."""

    def start(module):
        if "Conv" in type(module).__name__:
            nn.init.normal_(module.weight.data, 0.0, 0.02)

    net = made(Layers)
    swap_pooling(net, "strided_conv", example_input=images)
    net.apply(start)
    net = made(Strided)
    swap_pooling(net, "max", slots="strided_conv", example_input=images)
    net.apply(start)
    assert net(images).shape == (2, 5)
