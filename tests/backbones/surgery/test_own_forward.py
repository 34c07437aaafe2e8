"""A network's own `forward`: one that was put on the instance, own arithmetic, and what a forward writes."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones import swap_pooling
from poolab.errors import ConfigError
from tests.backbones.surgery.networks import Functions, Layers, Shared, Strided, made


class TestForwardOnTheInstance:
    """accelerate and others put another `forward` before the one of the class."""

    @pytest.mark.parametrize("kind", [Functions, Shared, Layers, Strided])
    def test_accelerate_s_hook(self, kind, images):
        hooks = pytest.importorskip("accelerate.hooks", reason="accelerate is missing: the extra networks has it")
        net, plain = made(kind), made(kind)
        slots = "strided_conv" if kind is Strided else "window"
        swap_pooling(plain, "avg_topk", slots=slots, example_input=images)
        for module in list(net.modules()):
            hooks.add_hook_to_module(module, hooks.ModelHook())
        swap_pooling(net, "avg_topk", slots=slots, example_input=images)
        assert torch.equal(net(images), plain(images))
        assert torch.equal(copy.deepcopy(net)(images), plain(images))
        hooks.remove_hook_from_module(net, recurse=True)
        assert torch.equal(net(images), plain(images)), "also when the hook is taken off"

    def test_dispatch_model(self, images):
        big_modeling = pytest.importorskip(
            "accelerate.big_modeling", reason="accelerate is missing: the extra networks has it"
        )
        net, plain = made(Functions), made(Functions)
        swap_pooling(plain, "avg_topk", example_input=images)
        net = big_modeling.dispatch_model(net, device_map={"": "cpu"}, force_hooks=True)
        swap_pooling(net, "avg_topk", example_input=images)
        assert torch.equal(net(images), plain(images))

    def test_prepared_for_bfloat16(self, images):
        accelerate = pytest.importorskip("accelerate", reason="accelerate is missing: the extra networks has it")
        net, plain = made(Functions), made(Functions)
        swap_pooling(plain, "lip", example_input=images)
        accelerator = accelerate.Accelerator(mixed_precision="bf16", cpu=True)
        net = accelerator.prepare(net)
        before = net(images)
        swap_pooling(net, "lip", example_input=images)
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}
        with torch.autocast("cpu", torch.bfloat16):
            expected = plain(images).float()
        torch.testing.assert_close(net(images), expected)
        assert not torch.equal(net(images), before)

    def test_a_method_of_the_instance(self, images):
        from types import MethodType

        def doubled(self, x):
            return type(self).forward(self, F.max_pool2d(x, 2)) * 2

        net, plain = made(Shared), made(Shared)
        plain.fc = net.fc = nn.Linear(12 * 4, 5)
        net.forward = MethodType(doubled, net)
        report = swap_pooling(net, "max", example_input=images)
        assert [place.name for place in report.replaced] == ["max_pool2d_1", "pool_1", "pool_2"]
        assert torch.equal(net(images), plain(F.max_pool2d(images, 2)) * 2)

    def test_what_cannot_be_followed_is_told_and_not_reported_as_done(self, images):
        net = made(Functions)
        forward = net.forward
        net.forward = lambda x: forward(x)
        before = net(images)
        with pytest.raises(ConfigError, match="max_pool2d_1") as told:
            swap_pooling(net, "avg_topk", example_input=images)
        assert "forward" in str(told.value)
        assert torch.equal(net(images), before)


class TestOwnArithmetic:
    class Signed(nn.MaxPool2d):
        def forward(self, x):
            return super().forward(x) - super().forward(-x)

    class Renamed(nn.MaxPool2d):
        def forward(self, x):
            return super().forward(x)

    def build(self, kind):
        return nn.Sequential(nn.Conv2d(3, 8, 3), kind(2), nn.AvgPool2d(2)).eval()

    def test_it_is_replaced_by_name_only(self, images):
        net = self.build(self.Signed)
        report = swap_pooling(net, "avg", example_input=images)
        assert [place.name for place in report.replaced] == ["2"]
        assert "Signed has arithmetic of its own beside MaxPool2d's" in report.unreachable[0].reason
        assert swap_pooling(net, "avg", slots=["1"], example_input=images).replaced[0].name == "1"

    def test_without_an_example_too(self):
        report = swap_pooling(self.build(self.Signed), "avg")
        assert [place.name for place in report.replaced] == ["2"]

    def test_another_way_to_write_torch_s_is_not(self, images):
        assert len(swap_pooling(self.build(self.Renamed), "avg", example_input=images).replaced) == 2


def test_a_swap_leaves_no_trace_in_what_a_forward_writes(images):
    class Writing(Layers):
        def __init__(self):
            super().__init__()
            self.seen, self.count = [], 0

        def forward(self, x):
            self.seen.append(x)
            self.count += 1
            self.fresh = x
            return super().forward(x)

    net = made(Writing)
    swap_pooling(net, "max", example_input=images)
    assert (net.seen, net.count, hasattr(net, "fresh")) == ([], 0, False)
