"""What people do with a network before and after its poolings are swapped."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval, parametrizations, parametrize

from poolab.backbones import swap_pooling
from poolab.backbones.surgery.strided import FoldError
from poolab.errors import ConfigError
from poolab.pooling import MaxPool1d, MaxPool2d, MaxPool3d, Pool
from tests.backbones.surgery.networks import Functions, Layers, Shared, Strided


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def made(kind):
    torch.manual_seed(0)
    return kind().eval()


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


class TestDtypes:
    @pytest.mark.parametrize("kind", [Layers, Functions, Strided])
    def test_under_autocast_parameters_are_the_network_s(self, kind, images):
        net = made(kind)
        slots = "strided_conv" if kind is Strided else "window"
        with torch.autocast("cpu", torch.bfloat16):
            swap_pooling(net, "mixed", learnable=True, slots=slots, example_input=images)
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}

    def test_a_map_of_another_dtype(self, images):
        class Cast(Layers):
            def forward(self, x):
                return self.pool1(self.conv1(x).to(torch.float16)).float()

        net = made(Cast)
        swap_pooling(net, "mixed", learnable=True, example_input=images)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(net(images).sum()).backward()
        scaler.unscale_(optimizer)
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_of_networks_in_another_dtype(self, dtype, images):
        net = made(Functions).to(dtype)
        swap_pooling(net, "mixed", learnable=True, example_input=images.to(dtype))
        assert {parameter.dtype for parameter in net.parameters()} == {dtype}

    @pytest.mark.parametrize("kind", [Layers, Functions])
    def test_in_inference_mode(self, kind, images):
        net = made(kind)
        with torch.inference_mode():
            swap_pooling(net, "lip", example_input=images.clone())
        net.train()(images).sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        assert not any(parameter.is_inference() for parameter in net.parameters())


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
        with pytest.raises(ConfigError, match="global_gem is not there in 3 dimensions"):
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


def test_layers_that_did_not_run_are_told(images):
    class Idle(Layers):
        def __init__(self):
            super().__init__()
            self.aux = nn.MaxPool2d(2)

    report = swap_pooling(made(Idle), "max", example_input=images)
    assert "did not run with example_input, and stay as they are: aux" in str(report)


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
