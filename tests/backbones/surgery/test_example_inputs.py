"""Examples of the input: their shapes, several of them, and what does not run with them."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones import swap_pooling
from poolab.errors import ConfigError
from poolab.pooling import MaxPool1d, MaxPool3d
from tests.backbones.surgery.networks import Functions, Layers, made


class TestDimensions:
    def test_volumes(self):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv3d(1, 4, 3, padding=1), nn.MaxPool3d((1, 2, 2)), nn.Conv3d(4, 8, 3, stride=(1, 2, 2), padding=1),
            nn.AvgPool3d(2), nn.AdaptiveAvgPool3d(1),
        ).eval()  # fmt: skip
        volumes, twin = torch.randn(2, 1, 8, 16, 16), copy.deepcopy(net)
        report = swap_pooling(net, "max", slots=["1"], example_input=volumes)
        assert isinstance(net[1], MaxPool3d)
        assert report.replaced[0].was == "MaxPool3d 1x2x2/1x2x2"
        assert torch.equal(net(volumes), twin(volumes))
        swap_pooling(net, "avg_topk", example_input=volumes)
        swap_pooling(net, "softpool", slots="strided_conv", example_input=volumes)
        assert net(volumes).shape == twin(volumes).shape
        with pytest.raises(ConfigError, match="methods for whole maps are there for two dimensions alone"):
            swap_pooling(net, "global_gem", example_input=volumes)

    def test_sounds(self):
        class Sound(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1, self.conv2 = nn.Conv1d(1, 4, 9, stride=4), nn.Conv1d(4, 8, 3, padding=1)
                self.pool = nn.MaxPool1d(2)

            def forward(self, x):
                x = self.pool(self.conv1(x))
                return F.max_pool1d(self.conv2(x), 3, stride=2)

        sounds = torch.randn(2, 1, 256)
        net, plain = made(Sound), made(Sound)
        report = swap_pooling(net, "max", example_input=sounds)
        assert [place.name for place in report.replaced] == ["pool", "max_pool1d_1"]
        assert isinstance(net.pool, MaxPool1d)
        assert torch.equal(net(sounds), plain(sounds))
        swap_pooling(net, "lip", slots="strided_conv", example_input=sounds)
        assert net(sounds).shape == plain(sounds).shape

    def test_a_reduction_of_a_volume(self):
        class Volume(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv3d(1, 4, 3)

            def forward(self, x):
                return F.max_pool3d(self.conv(x), 2).mean(dim=(2, 3, 4))

        volumes = torch.randn(1, 1, 10, 10, 10)
        net, plain = made(Volume), made(Volume)
        swap_pooling(net, "max", example_input=volumes)
        assert torch.equal(net(volumes), plain(volumes))


class TestExamples:
    class Two(Layers):
        def forward(self, x, scale, *, shift=None):
            x = super().forward(x * scale)
            return x if shift is None else x + shift

    def test_several_inputs_and_inputs_by_name(self, images):
        for example in ((images, 2.0), {"x": images, "scale": torch.ones(1), "shift": 1.0}):
            net = made(self.Two)
            report = swap_pooling(net, "max", example_input=example)
            assert len(report.replaced) == 2
            assert report.multiply_adds.before > 0
        with pytest.raises(ConfigError, match=r"Two does not.*tensor 2x3x16x16.*takes \(x, scale, \*, shift=None\)"):
            swap_pooling(made(self.Two), "max", example_input=images)

    def test_a_list_is_one_input(self, images):
        class Listed(Layers):
            def forward(self, images):
                return super().forward(torch.stack(images))

        assert swap_pooling(made(Listed), "max", example_input=list(images)).replaced

    def test_an_example_of_a_wrong_shape(self, images):
        with pytest.raises(ConfigError, match=r"does not run on example_input, a tensor 2x1x16x16: RuntimeError"):
            swap_pooling(made(Layers), "max", example_input=images[:, :1])

    def test_forwards_that_hook_their_layers(self, images):
        class Hooking(Layers):
            def forward(self, x):
                kept = []
                handle = self.pool1.register_forward_hook(lambda module, args, output: kept.append(output))
                try:
                    return super().forward(x), kept[0]
                finally:
                    handle.remove()

        net, plain = made(Hooking), made(Hooking)
        swap_pooling(net, "max", slots=["pool1"], example_input=images)
        assert all(map(torch.equal, net(images), plain(images)))
        assert not net.pool1._forward_hooks

    def test_a_part_that_fails_and_is_caught(self, images):
        class Catching(Layers):
            def forward(self, x):
                try:
                    self.pool1(x[0, 0, 0])
                except (RuntimeError, ValueError):
                    return super().forward(x)

        net, plain = made(Catching), made(Catching)
        swap_pooling(net, "max", slots=["pool1"], example_input=images)
        assert torch.equal(net(images), plain(images))

    def test_a_name_instead_of_a_network(self, images):
        with pytest.raises(ConfigError, match=r"an nn.Module, in place; found 'resnet18'.*get_model"):
            swap_pooling("resnet18", "max", example_input=images)

    def test_scripted_networks(self, images):
        with pytest.warns(FutureWarning):
            net = torch.jit.script(made(Layers))
        with pytest.raises(ConfigError, match=r"compiled by torch.jit.*swap the poolings before"):
            swap_pooling(net, "max", example_input=images)

    def test_layers_without_a_size(self, images):
        net = nn.Sequential(nn.LazyConv2d(8, 3), nn.MaxPool2d(2))
        with pytest.raises(ConfigError, match=r"layers without a size yet, 0.weight.*run it once"):
            swap_pooling(net, "max", example_input=images)
        net(images)
        assert swap_pooling(net, "max", example_input=images).replaced

    @pytest.mark.slow
    def test_compiled_networks(self, images):
        net, plain = made(Functions), made(Functions)
        compiled = torch.compile(net, backend="aot_eager")
        before = compiled(images)
        swap_pooling(compiled, "avg_topk", example_input=images)
        swap_pooling(plain, "avg_topk", example_input=images)
        torch.testing.assert_close(compiled(images), plain(images))
        assert not torch.allclose(compiled(images), before)
        inner = nn.Sequential(torch.compile(made(Layers), backend="aot_eager"), nn.Identity())
        assert len(swap_pooling(inner, "max", example_input=images).replaced) == 2


def test_layers_that_did_not_run_are_told(images):
    class Idle(Layers):
        def __init__(self):
            super().__init__()
            self.aux = nn.MaxPool2d(2)

    report = swap_pooling(made(Idle), "max", example_input=images)
    assert "did not run with example_input, and stay as they are: aux" in str(report)
