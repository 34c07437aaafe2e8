"""Hooks on layers, and attributes of layers that other code reads or writes."""

import pytest
import torch
from torch import nn

from poolab.backbones import swap_pooling
from poolab.errors import ConfigError
from poolab.pooling import MaxPool2d
from tests.backbones.surgery.networks import Layers, Shared, made


class TestHooksAndAttributes:
    def test_a_driver_that_reads_attributes_of_layers(self):
        class Driver(nn.Module):
            """As YOLO has it: each layer says where its input comes from."""

            def __init__(self):
                super().__init__()
                layers = [nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 8, 1), nn.MaxPool2d(3, 1, 1)]
                self.model = nn.ModuleList(layers)
                for index, layer in enumerate(layers):
                    layer.i, layer.f, layer.type, layer.np = (
                        index,
                        -1 if index < 3 else (1, -1),
                        type(layer).__name__,
                        0,
                    )

            def forward(self, x):
                kept = []
                for layer in self.model:
                    x = layer(x if layer.f == -1 else sum(x if at == -1 else kept[at] for at in layer.f))
                    kept.append(x)
                return x

        images = torch.randn(1, 3, 16, 16)
        net, plain = made(Driver), made(Driver)
        swap_pooling(net, "max", example_input=images)
        assert isinstance(net.model[1], MaxPool2d)
        assert [layer.i for layer in net.model] == [0, 1, 2, 3]
        assert net.model[3].f == (1, -1)
        assert torch.equal(net(images), plain(images))
        swap_pooling(net, "avg_topk", example_input=images)
        assert (net.model[3].f, net.model[3].type) == ((1, -1), "MaxPool2d")

    @pytest.mark.parametrize("kind", [Layers, Shared])
    def test_hooks_move_and_can_be_removed(self, kind, images):
        net = made(kind)
        layer = net.pool1 if kind is Layers else net.pool
        seen = []

        def note(word):
            return lambda *given: seen.append(word)

        handles = [
            layer.register_forward_pre_hook(note("before")),
            layer.register_forward_hook(note("after")),
            layer.register_full_backward_pre_hook(note("backward before")),
            layer.register_full_backward_hook(note("backward")),
            layer.register_state_dict_post_hook(note("state")),
            layer.register_state_dict_pre_hook(note("state before")),
            layer.register_load_state_dict_pre_hook(note("load before")),
            layer.register_load_state_dict_post_hook(note("load")),
        ]

        def run():
            seen.clear()
            net(images.clone().requires_grad_()).sum().backward()
            net.load_state_dict(net.state_dict())
            return list(seen)

        expected = run()
        assert len(set(expected)) == 8
        swap_pooling(net, "max", example_input=images)
        found = run()
        shared = kind is Shared
        words = {word: expected.count(word) for word in expected}
        for word, times in words.items():
            # Of a shared layer two layers came, and beside them the layer itself.
            is_state = word.startswith(("state", "load"))
            assert found.count(word) == (3 if shared and is_state else times), word
        for handle in handles:
            handle.remove()
        assert run() == []

    def test_a_hook_that_changes_what_a_layer_gives(self, images):
        net, plain = made(Layers), made(Layers)
        for each in (net, plain):
            each.pool1.register_forward_hook(lambda module, args, output: output[..., :4, :4])
        swap_pooling(net, "max", slots=["pool1"], example_input=images)
        assert torch.equal(net(images), plain(images))

    def test_an_attribute_that_the_new_layer_has_otherwise(self, images):
        net = made(Layers)
        net.pool1.k = 77
        with pytest.raises(ConfigError, match=r"pool1 .*its attribute k is one of AvgTopKPool2d too"):
            swap_pooling(net, "avg_topk", example_input=images)
        assert type(net.pool1) is nn.MaxPool2d

    def test_a_fault_gives_hooks_back(self, images):
        net = made(Layers)
        net.pool1.register_forward_hook(lambda *_: None)
        before = dict(net.pool1._forward_hooks)
        net.pool2.channels = "mine"
        with pytest.raises(ConfigError):
            swap_pooling(net, "lip", example_input=images)
        assert net.pool1._forward_hooks == before
