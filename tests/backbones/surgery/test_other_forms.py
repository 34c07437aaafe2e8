"""Forms of networks that strangers write, in which a swap once was partial, silent or a crash."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import max_pool2d as renamed

from poolab.backbones import swap_pooling
from poolab.backbones.surgery.activation import Refusal
from poolab.errors import ConfigError

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def pooled(x):
    return F.max_pool2d(x, 2)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)

    def once(self, x):
        return F.adaptive_avg_pool2d(self.pool(self.conv(x)), 1).flatten(1)

    def forward(self, a, b):
        return (self.once(a) - self.once(b)).abs().sum()


class TestBranches:
    def test_heads_of_all_branches_are_replaced(self):
        net = Siamese()
        report = swap_pooling(net, "global_max", example_input=(X, X))
        assert [place.name for place in report.replaced] == ["adaptive_avg_pool2d_1", "adaptive_avg_pool2d_2"]
        assert net(X, X).item() == 0

    def test_layers_that_learn_apart_are_told(self):
        report = swap_pooling(Siamese(), "gem", example_input=(X, X))
        assert [note for note in report.notes if "pool_1, pool_2 are one call in Siamese.once" in note]
        assert not swap_pooling(Siamese(), "avg", example_input=(X, X)).notes


class MeanAndMax(nn.Module):
    """The head of fastai and of timm's catavgmax: the mean and the maximum of one map, side by side or as a sum."""

    def __init__(self, form):
        super().__init__()
        self.form, self.gate = form, nn.Conv2d(3, 3, 1)
        if form == "layers":
            self.mean, self.max = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)

    def forward(self, x):
        x = x * self.gate(F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1)).sigmoid()
        if self.form == "layers":
            return torch.cat([self.max(x), self.mean(x)], 1).flatten(1)
        if self.form == "functions":
            return torch.cat([F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1)], 1).flatten(1)
        if self.form == "reductions":
            return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)
        return (0.5 * (F.adaptive_max_pool2d(x, 1) + F.adaptive_avg_pool2d(x, 1))).flatten(1).repeat(1, 2)


class TestTwoHeads:
    @pytest.mark.parametrize("form", ["layers", "functions", "reductions", "a sum"])
    def test_both_poolings_of_the_last_map_are_the_head(self, form):
        net = MeanAndMax(form)
        report = swap_pooling(net, "global_gem", slots="head", example_input=X)
        names = [place.name for place in report.replaced]
        assert len(names) == 2, report
        assert len(report.notes) == 1
        assert report.notes[0].startswith(f"{' and '.join(names)} pool the same map, and all were replaced; name one")
        output = net(X)
        assert torch.equal(output[:, :3], output[:, 3:])
        x = X * net.gate(X.mean((2, 3), keepdim=True) + X.amax((2, 3), keepdim=True)).sigmoid()
        wanted = x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
        torch.testing.assert_close(output[:, :3], wanted)

    @pytest.mark.parametrize("kind", ["avgmax", "catavgmax"])
    def test_those_of_timm(self, kind):
        timm = pytest.importorskip("timm")
        net = timm.create_model("resnet18", num_classes=3, global_pool=kind)
        report = swap_pooling(net, "global_lse", slots="head", example_input=torch.zeros(1, 3, 64, 64))
        assert [place.was.partition(" ")[0] for place in report.replaced] == [
            "adaptive_avg_pool2d",
            "adaptive_max_pool2d",
        ]
        assert net(torch.zeros(1, 3, 96, 64)).shape == (1, 3)

    def test_all_of_two_branches(self):
        class Twice(nn.Module):
            def once(self, x):
                mean = F.adaptive_avg_pool2d(x, 1)
                return torch.cat([mean, F.adaptive_max_pool2d(x, 1)], 1)

            def forward(self, a, b):
                return self.once(a * 1) - self.once(b * 1)

        net = Twice()
        report = swap_pooling(net, "global_lse", slots="head", example_input=(X, X))
        assert len(report.replaced) == 4
        assert sum("pool the same map" in note for note in report.notes) == 2
        assert net(X, X).abs().max() == 0

    def test_three_of_one_map(self):
        class Three(nn.Module):
            def forward(self, x):
                return x.mean((2, 3)) + x.amax((2, 3)) + F.adaptive_avg_pool2d(x, 1).flatten(1)

        report = swap_pooling(Three(), "global_max", slots="head", example_input=X)
        assert len(report.replaced) == 3
        assert len(report.notes) == 1

    def test_one_of_them_can_be_named(self):
        report = swap_pooling(MeanAndMax("layers"), "global_gem", slots=["mean"], example_input=X)
        assert [place.name for place in report.replaced] == ["mean"]
        assert not report.notes

    def test_a_gate_of_two_poolings_is_no_head(self):
        class Attention(nn.Module):
            def forward(self, x):
                return x * (x.mean((2, 3), keepdim=True) + x.amax((2, 3), keepdim=True)).sigmoid()

        net = nn.Sequential(Attention(), nn.AdaptiveAvgPool2d(1))
        report = swap_pooling(net, "global_max", slots="head", example_input=X)
        assert [place.name for place in report.replaced] == ["1"]


class Aux(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 2)


class InTraining(nn.Module):
    """Pools in evaluation, and by one more call in training."""

    def __init__(self, more):
        super().__init__()
        self.more, self.aux, self.p, self.f = more, Aux(), nn.MaxPool2d(2), F.max_pool2d

    def forward(self, x):
        x = self.p(self.p(F.max_pool2d(self.f(x, 1, 1), 2)))
        if not self.training:
            return x
        if self.more == "helper":
            return pooled(x)
        if self.more == "layer":
            return self.p(x)
        if self.more == "renamed":
            return renamed(x, 2)
        return self.f(x, 2) if self.more == "attribute" else self.aux(x)

    def embed(self, x):
        return self.p(x)


class TestCallsThatDidNotRun:
    @pytest.mark.parametrize(("more", "told"), [
        ("helper", "max_pool2d is called"), ("layer", "p is called"), ("renamed", "max_pool2d is called"),
        ("attribute", "max_pool2d is called"),
    ])  # fmt: skip
    def test_they_are_refused(self, more, told):
        net = InTraining(more)
        swap_pooling(net, "avg", example_input=X)
        net.eval()(X)
        with pytest.raises(Refusal, match=told):
            net.train()(X)

    def test_a_method_that_did_not_run_is_refused(self):
        net = InTraining("layer")
        swap_pooling(net, "avg", example_input=X)
        with pytest.raises(Refusal, match=r"InTraining\.embed .*p is called"):
            net.embed(X)

    def test_modules_that_did_not_run_are_told(self):
        report = swap_pooling(InTraining("module"), "avg", example_input=X)
        assert "did not run with example_input, and stay as they are: aux" in report.notes


class Backbone(nn.Module):
    def features(self, x):
        return F.max_pool2d(x, 2)

    def forward(self, x):
        return self.features(x)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()

    def forward(self, x):
        return self.backbone.features(x)


def test_a_method_of_an_inner_module_is_told():
    net = Detector()
    (note,) = swap_pooling(net, "avg", example_input=X).notes
    assert "backbone.features is called by another module" in note
    assert torch.equal(net(X), F.avg_pool2d(X, 2))


class ConvPool(nn.Conv2d):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(super().forward(x))


def test_a_convolution_keeps_a_pooling_of_its_own():
    net = nn.Sequential(ConvPool(3, 4, 3, stride=2, padding=1))
    pool = net[0].pool
    with pytest.raises(ConfigError, match="an attribute `pool` of its own"):
        swap_pooling(net, "avg", slots="strided_conv", example_input=X)
    assert net[0].pool is pool


class Mean(nn.Module):
    def __init__(self, **named):
        super().__init__()
        self.named = named

    def forward(self, x):
        return x.mean(**self.named)


class TestMeans:
    def test_another_dtype_is_out_of_reach(self):
        with pytest.raises(ConfigError, match=r"asked for torch\.float64"):
            swap_pooling(Mean(dim=(2, 3), dtype=torch.float64), "global_gem", example_input=X)
        swap_pooling(Mean(dim=(2, 3), dtype=torch.float32), "global_gem", example_input=X)

    @pytest.mark.parametrize("named", [{"axis": (2, 3)}, {"dim": (2, 3), "keepdims": True}], ids=str)
    def test_numpy_s_names_are_torch_s(self, named):
        net = Mean(**named)
        expected = net(X)
        swap_pooling(net, "global_avg", example_input=X)
        torch.testing.assert_close(net(X), expected)


def test_a_window_over_the_whole_map_is_told():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AvgPool2d(16))
    (note,) = swap_pooling(net, "global_max", example_input=X).notes
    assert note.startswith("1 was AvgPool2d 16x16/16, which covers the map of example_input")


class Double(nn.Module):
    def forward(self, x):
        return x * 2


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_scripted_parts_are_left_and_told():
    net = nn.Sequential(nn.Conv2d(3, 3, 1), torch.jit.script(Double()), nn.MaxPool2d(2))
    report = swap_pooling(net, "avg", example_input=X)
    assert [place.name for place in report.replaced] == ["2"]
    assert report.notes == ("compiled by torch.jit, and not looked into: 1",)


class Registered(nn.Module):
    known: dict[str, type] = {}

    def __init_subclass__(cls, key, **named):
        super().__init_subclass__(**named)
        assert key not in Registered.known
        Registered.known[key] = cls


class Keyed(Registered, key="keyed"):
    def forward(self, x):
        return F.max_pool2d(x, 2)


def test_a_registry_of_subclasses_is_not_told():
    net = Keyed()
    swap_pooling(net, "avg", example_input=X)
    assert torch.equal(net(X), F.avg_pool2d(X, 2))
    assert Registered.known == {"keyed": Keyed}
    assert isinstance(net, Keyed)
    assert torch.equal(copy.deepcopy(net)(X), net(X))


class Copied(Aux):
    def __deepcopy__(self, memo):
        return Copied()


def test_a_copy_by_the_network_s_own_rule_is_refused():
    net = Copied()
    swap_pooling(net, "avg", example_input=X)
    with pytest.raises(Refusal, match="Copied has a __deepcopy__ of its own"):
        copy.deepcopy(net)


class Around(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(x)

    def __deepcopy__(self, memo):
        return Around()


def test_a_rule_of_copies_around_a_place_is_told():
    (note,) = swap_pooling(nn.Sequential(Around()), "avg", example_input=X).notes
    assert note.startswith("Around has a __deepcopy__ of its own")
    assert not swap_pooling(nn.Sequential(nn.MaxPool2d(2)), "avg", example_input=X).notes


def halved(x, times):
    return x if times == 0 else halved(F.max_pool2d(x, 2), times - 1)


class Recursive(nn.Module):
    def __init__(self, in_evaluation):
        super().__init__()
        self.in_evaluation = in_evaluation

    def forward(self, x):
        x = F.max_pool2d(x, 2)
        return halved(x, 1) if self.training or self.in_evaluation else x


class TestRecursion:
    def test_it_pools_anew(self):
        net = Recursive(in_evaluation=True)
        swap_pooling(net, "avg", example_input=X)
        assert torch.equal(net(X), F.avg_pool2d(F.avg_pool2d(X, 2), 2))

    def test_what_did_not_run_is_refused(self):
        net = Recursive(in_evaluation=False)
        swap_pooling(net, "avg", example_input=X)
        with pytest.raises(Refusal, match="halved of Recursive"):
            net.train()(X)


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)

    def forward(self, x):
        return F.max_pool2d(self.module(x), 2)


def test_a_wrapper_that_passes_attributes_on():
    net = Wrapper(Aux())
    swap_pooling(net, "avg", example_input=X)
    assert torch.equal(net(X), F.avg_pool2d(F.avg_pool2d(X, 2), 2))


@pytest.mark.parametrize("name", ["written", "wiring", "overrides"])
def test_a_network_may_have_any_attributes(name):
    net = type("Net", (Aux,), {name: lambda self: 1})()
    swap_pooling(net, "avg", example_input=X)
    assert getattr(net, name)() == 1
    assert torch.equal(net(X), F.avg_pool2d(X, 2))


class SegNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        y, indices = F.max_pool2d(self.conv(x), 2, return_indices=True)
        return F.max_pool2d(F.max_unpool2d(y, indices, 2), 2)


class PerImage(nn.Module):
    def forward(self, x):
        return torch.stack([F.max_pool2d(one, 2) for one in F.max_pool2d(x, 2)])


class TestCallsThatStay:
    def test_calls_with_indices_stay_beside_replaced_ones(self):
        net = SegNet()
        y, indices = F.max_pool2d(net.conv(X), 2, return_indices=True)
        report = swap_pooling(net, "avg", example_input=X)
        assert [left.name for left in report.unreachable] == ["max_pool2d_with_indices_1"]
        assert torch.equal(net(X), F.avg_pool2d(F.max_unpool2d(y, indices, 2), 2))

    def test_maps_without_a_batch_stay_and_are_told(self):
        net = PerImage()
        report = swap_pooling(net, "avg", example_input=X)
        assert report.notes == ("pool maps without a batch, and stay as they are: max_pool2d in forward",)
        assert torch.equal(net(X), torch.stack([F.max_pool2d(one, 2) for one in F.avg_pool2d(X, 2)]))


class Inline(nn.Module):
    def forward(self, x):
        return nn.MaxPool2d(2)(x)


def test_a_layer_that_is_no_part_of_the_network_is_told_with_what_to_do():
    with pytest.raises(ConfigError, match=r"assign it to an attribute in __init__, as self\.pool = MaxPool2d"):
        swap_pooling(Inline(), "avg", example_input=X)


@pytest.mark.parametrize("slots", ["head", "1"])
def test_heads_of_sequences_are_out_of_reach_and_told(slots):
    net = nn.Sequential(nn.Conv1d(3, 4, 3), nn.AdaptiveAvgPool1d(1))
    with pytest.raises(ConfigError, match="for two dimensions alone"):
        swap_pooling(net, "global_avg", slots=slots, example_input=torch.zeros(1, 3, 16))


class ByClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 3), nn.MaxPool2d(2)])

    def forward(self, x):
        found = []
        for layer in self.layers:
            x = layer(x)
            found += [x] if isinstance(layer, nn.MaxPool2d) else []
        return found


def test_code_that_asks_for_classes_is_refused_with_the_cause():
    with pytest.raises(ConfigError, match=r"does its code ask for the class of a layer, as isinstance"):
        swap_pooling(ByClass(), "avg", example_input=X)


class Energy(nn.Module):
    """Gives the gradient of an energy, which an example without gradients would not reach."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        x = F.max_pool2d(x, 2).detach().requires_grad_()
        return torch.autograd.grad(F.max_pool2d(self.conv(x), 2).sum(), x, create_graph=True)[0]


def test_a_network_that_takes_gradients_in_its_forward():
    net = Energy()
    report = swap_pooling(net, "avg", example_input=X)
    assert [place.name for place in report.replaced] == ["max_pool2d_1", "max_pool2d_2"]
    x = F.avg_pool2d(X, 2).requires_grad_()
    (expected,) = torch.autograd.grad(F.avg_pool2d(net.conv(x), 2).sum(), x)
    assert torch.equal(net(X), expected)


class Block(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 3, 3, padding=1), pool

    def forward(self, x):
        return self.pool(self.conv(x))


@pytest.mark.parametrize("slots", [None, "0.pool", ["1.pool"]], ids=str)
def test_one_layer_in_two_blocks_is_told_and_has_both_names(slots):
    pool = nn.MaxPool2d(2)
    net = nn.Sequential(Block(pool), Block(pool))
    report = swap_pooling(net, "gem", slots=slots, example_input=X)
    assert [place.name for place in report.replaced] == ["0.pool"]
    assert report.notes == ("0.pool stands at 1.pool too, as one layer",)
    assert net[0].pool is net[1].pool
