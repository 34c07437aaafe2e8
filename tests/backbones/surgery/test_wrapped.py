"""Networks that are containers, traced by torch.fx, or wrapped for several devices."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones import swap_pooling
from poolab.errors import ConfigError
from poolab.pooling import Pool
from tests.backbones.surgery.networks import Functions, Layers, made


class TestContainers:
    def test_a_sequential_with_one_pool_twice_stays_a_container(self, images):
        pool = nn.MaxPool2d(2)

        def build():
            torch.manual_seed(0)
            return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), pool, nn.Conv2d(8, 4, 3, padding=1), pool)

        net, plain = build(), build()
        report = swap_pooling(net, "mixed", learnable=True, sharing="channel", example_input=images)
        assert [place.name for place in report.replaced] == ["1", "3"]
        assert len(net) == 4
        assert [type(layer).__name__ for layer in net] == ["Conv2d", "MixedPool2d", "Conv2d", "MixedPool2d"]
        assert [net[1].channels, net[3].channels] == [8, 4]
        assert type(net) is nn.Sequential
        assert net[:2](images).shape == plain[:2](images).shape
        net.append(nn.Flatten())
        assert list(net._modules) == ["0", "1", "2", "3", "4"]
        assert torch.equal(net(images), pickle.loads(pickle.dumps(net))(images))
        net = build()
        swap_pooling(net, "max", example_input=images)
        assert torch.equal(net(images), plain(images))
        assert net[1] is not net[3]

    def test_a_container_whose_own_forward_pools(self, images):
        class Block(nn.Sequential):
            def forward(self, x):
                return F.max_pool2d(super().forward(x), 2)

        def build():
            torch.manual_seed(0)
            return nn.Sequential(Block(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), nn.Conv2d(8, 4, 3))

        net, plain = build(), build()
        swap_pooling(net, "max", example_input=images)
        assert torch.equal(net(images), plain(images))
        assert len(net[0]) == 2
        assert [type(layer) for layer in net[0]] == [nn.Conv2d, nn.ReLU]
        assert torch.equal(copy.deepcopy(net)(images), plain(images))


class Traceable(Functions):
    """Everything that a tracer can follow."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, stride=2, padding=1)
        x = F.dropout(torch.max_pool2d(self.conv2(x), 2), 0.5, training=self.training)
        return self.fc(x.mean((2, 3)))


@pytest.mark.slow
class TestTorchFx:
    def test_an_extractor_is_swapped_and_copied_and_trained(self, images):
        from torchvision.models.feature_extraction import create_feature_extractor

        def build():
            torch.manual_seed(0)
            return create_feature_extractor(Traceable(), ["fc"])

        net, plain = build(), build()
        report = swap_pooling(net, "max", example_input=images)
        assert len(report.replaced) == 2
        for each in (net, copy.deepcopy(net)):
            each.recompile()
            for training in (True, False, True):
                torch.manual_seed(1)
                expected = plain.train(training)(images)["fc"]
                torch.manual_seed(1)
                assert torch.equal(each.train(training)(images)["fc"], expected)
            assert any(isinstance(module, Pool) for module in each.modules())

    def test_a_traced_module(self, images):
        net, plain = torch.fx.symbolic_trace(made(Traceable)), made(Traceable)
        swap_pooling(net, "max", example_input=images)
        swap_pooling(net, "global_avg", example_input=images)
        net.recompile()
        for each in (net, copy.deepcopy(net)):
            torch.testing.assert_close(each(images), plain(images))
            assert [type(module).__name__ for module in each.modules() if isinstance(module, Pool)] == [
                "MaxPool2d", "MaxPool2d", "GlobalAvgPool2d",
            ]  # fmt: skip


def test_wrapped_for_several_processes_is_refused(images):
    class DistributedDataParallel(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, x):
            return self.module(x)

    with pytest.raises(ConfigError, match=r"wrapped by DistributedDataParallel.*swap the poolings before"):
        swap_pooling(DistributedDataParallel(made(Layers)), "max", example_input=images)


def test_data_parallel(images):
    net, plain = nn.DataParallel(made(Functions)), made(Functions)
    swap_pooling(net, "avg_topk", example_input=images)
    swap_pooling(plain, "avg_topk", example_input=images)
    assert torch.equal(net(images), plain(images))
