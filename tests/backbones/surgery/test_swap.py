"""`swap_pooling` on networks that poolab did not write."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from poolab.backbones import create_backbone, swap_pooling
from poolab.backbones.surgery import find_sites
from poolab.errors import ConfigError
from poolab.pooling import AvgTopKPool2d, MaxPool2d, SoftPool2d
from tests.backbones.surgery.networks import Branching, Functions, Layers, Shared, Strided


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def made(kind, seed=0):
    torch.manual_seed(seed)
    return kind().eval()


def places(report):
    return {place.name: (place.was, place.now) for place in report.replaced}


def test_layers_keep_their_geometry(images):
    net = made(Layers)
    report = swap_pooling(net, "avg_topk", example_input=images, k=3)
    assert places(report) == {
        "pool1": ("MaxPool2d 3x3/2 p1", "avg_topk 3x3/2 p1"),
        "pool2": ("AvgPool2d 2x2/2", "avg_topk 2x2/2"),
    }
    assert isinstance(net.pool1, AvgTopKPool2d)
    assert net.pool1.padding == (1, 1)
    assert net.pool1.k == 3
    assert report.parameters.before == report.parameters.after


def test_functions_become_layers_of_the_module(images):
    net = made(Functions)
    report = swap_pooling(net, "lip", example_input=images)
    assert list(places(report)) == ["max_pool2d_1", "avg_pool2d_1", "max_pool2d_2"]
    assert places(report)["avg_pool2d_1"] == ("avg_pool2d 3x3/1 p1", "lip 3x3/1 p1")
    assert isinstance(net, Functions)
    assert report.parameters.after - report.parameters.before == sum(p.parameters for p in report.replaced) > 0
    net.train()(images).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("kind", [Layers, Functions, Shared])
def test_max_instead_of_max_changes_no_bit(images, kind):
    net, twin = made(kind), made(kind)
    names = [site.name for site in sites_of(twin, images) if "max" in site.was.lower()]
    swap_pooling(twin, "max", slots=names, example_input=images)
    assert any(isinstance(module, MaxPool2d) for module in twin.modules())
    x, y = images.clone().requires_grad_(), images.clone().requires_grad_()
    expected, found = net(x), twin(y)
    assert torch.equal(found, expected)
    slope = torch.randn_like(expected)
    assert torch.equal(*(torch.autograd.grad(out, at, slope)[0] for out, at in ((expected, x), (found, y))))


def sites_of(net, images):
    return find_sites(net, images).all


def test_a_swapped_forward_computes_what_was_written(images):
    """Against the network with the pooling written into its source."""

    class Written(Functions):
        def __init__(self):
            super().__init__()
            self.first, self.second = AvgTopKPool2d(3, 2, 1), AvgTopKPool2d(2)
            self.beside = AvgTopKPool2d(3, 1, 1)

        def forward(self, x, scale=None):
            x = self.first(F.relu(self.conv1(x)))
            x = F.relu(self.conv2(x))
            x = self.second(x + self.beside(x))
            x = F.dropout(x, 0.5, training=self.training)
            return self.fc(x.mean((2, 3)))

    net, expected = made(Functions), made(Written)
    swap_pooling(net, "avg_topk", example_input=images)
    assert torch.equal(net(images), expected(images))
    outputs = []
    for model in (net, expected):
        torch.manual_seed(1)
        outputs.append(model.train()(images))
    assert torch.equal(*outputs), "the dropout of the training mode"
    assert not torch.equal(outputs[0], net.eval()(images))


@pytest.mark.parametrize("side", [15, 16, 17])
def test_padding_as_tensorflow_has_it(side):
    """timm's "same" poolings pad as much as the map needs, the odd pixel at the end."""
    from timm.layers.pool2d_same import MaxPool2dSame

    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), MaxPool2dSame(3, 2), MaxPool2dSame(2, 2)).eval()
    images = torch.randn(2, 3, side, side)
    expected = net(images)
    report = swap_pooling(net, "max", example_input=images)
    assert [place.was.split()[0] for place in report.replaced] == ["MaxPool2dSame", "MaxPool2dSame"]
    assert torch.equal(net(images), expected)


def test_each_call_of_a_shared_layer_is_a_place_of_its_own(images):
    net = made(Shared)
    swap_pooling(net, "mixed", learnable=True, sharing="channel", example_input=images)
    assert [net.pool_1.channels, net.pool_2.channels] == [8, 12]
    net = made(Shared)
    report = swap_pooling(net, "avg_topk", slots=["pool_2"], example_input=images)
    assert list(places(report)) == ["pool_2"]
    x = F.max_pool2d(F.relu(net.conv1(images)), 2)
    assert torch.equal(net(images), net.fc(AvgTopKPool2d(2)(F.relu(net.conv2(x))).flatten(1)))


def test_a_strided_convolution_computes_every_pixel_and_the_pooling_chooses(images):
    net = made(Strided)
    twin = copy.deepcopy(net)
    report = swap_pooling(net, "softpool", slots="strided_conv", example_input=images)
    assert places(report) == {"conv1": ("Conv2d 3x3/2 p1", "Conv2d 3x3/1 p1, softpool 2x2/2 ceil")}
    assert report.multiply_adds.after > report.multiply_adds.before
    assert list(net.state_dict()) == list(twin.state_dict())
    assert torch.equal(net.conv1.weight, twin.conv1.weight)
    every = F.conv2d(images, twin.conv1.weight, twin.conv1.bias, padding=1)
    assert torch.equal(net.conv1(images), SoftPool2d(2)(every))


def test_odd_maps_round_up_as_the_convolution_did():
    net, images = made(Strided), torch.randn(1, 3, 15, 15)
    swap_pooling(net, "max", slots=["conv1"], example_input=images)
    assert net.conv1(images).shape == (1, 8, 8, 8)


def test_the_head_is_the_last_pooling_of_whole_maps(images):
    net = made(Strided)
    kinds = {site.name: site.kind for site in sites_of(net, images)}
    assert kinds == {"conv1": "strided_conv", "squeeze": "gate", "mean_1": "head"}
    swap_pooling(net, "global_max", example_input=images)
    x = F.relu(net.conv1(images)) + net.shortcut(images)
    x = net.conv2(x * net.excite(F.adaptive_avg_pool2d(x, 1)).sigmoid())
    assert torch.equal(net(images), net.fc(x.amax((2, 3))))


@pytest.mark.parametrize("kind", [Layers, Functions, Shared])
def test_copies_pickles_and_state_dicts(images, kind, tmp_path):
    net = made(kind)
    swap_pooling(net, "lip", example_input=images)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(images), net(images))
        assert {id(p) for p in twin.parameters()}.isdisjoint({id(p) for p in net.parameters()})
    other = made(kind, seed=1)
    swap_pooling(other, "lip", example_input=images)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(images), net(images))
    torch.save(net, buffer := io.BytesIO())
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(images), net(images))


def test_strided_copies_and_pickles(images):
    net = made(Strided)
    swap_pooling(net, "avg", slots="strided_conv", example_input=images)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(images), net(images))
        assert isinstance(twin.conv1, nn.Conv2d)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Functions, Strided])
def test_compiles_and_exports(images, kind):
    net = made(kind)
    swap_pooling(net, "avg_topk", slots=["window", "strided_conv"], example_input=images)
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), net(images))
    exported = torch.export.export(net, (images,)).module()
    torch.testing.assert_close(exported(images), net(images))


def test_dtype_device_mode_and_memory_format_stay(images):
    net = made(Layers).to(torch.float64).to(memory_format=torch.channels_last).train()
    net.pool2.eval()
    given = images.double().to(memory_format=torch.channels_last)
    before = [p.clone() for p in net.parameters()]
    swap_pooling(net, "lip", example_input=given)
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert net.pool1.training
    assert not net.pool2.training
    assert net.training
    weights = [p for name, p in net.named_parameters() if "pool" not in name]
    assert all(torch.equal(*pair) for pair in zip(before, weights, strict=True))
    assert net.pool1(torch.randn(2, 8, 8, 8, dtype=torch.float64)).dtype == torch.float64


def test_on_the_meta_device(images):
    with torch.device("meta"):
        net, images = Functions().eval(), torch.zeros(2, 3, 16, 16)
        report = swap_pooling(net, "avg_topk", example_input=images)
    assert len(report.replaced) == 3
    assert net(images).shape == (2, 5)


def test_a_swapped_network_can_be_swapped_again(images):
    net = made(Functions)
    swap_pooling(net, "avg_topk", example_input=images)
    report = swap_pooling(net, "softpool", example_input=images)
    assert next((p.was, p.now) for p in report.replaced) == ("AvgTopKPool2d 3x3/2 p1", "softpool 3x3/2 p1")
    swap_pooling(net, "global_max", example_input=images)
    twin = pickle.loads(pickle.dumps(net))
    assert torch.equal(twin(images), net(images))
    assert not torch.equal(twin.train()(images), net(images)), "the dropout is there still"


def test_a_backbone_of_ours_knows_its_new_pooling():
    net = create_backbone("keras_cnn", in_channels=3, num_classes=5, image_size=16, seed=0)
    swap_pooling(net, "avg_topk", slots=["pool2"], example_input=torch.zeros(1, 3, 16, 16))
    assert {name: slot.pooling for name, slot in net.slots.items()} == {
        "pool1": "max",
        "pool2": "avg_topk",
        "head": "flatten",
    }


def test_control_flow_by_data_is_no_obstacle(images):
    net = made(Branching)
    report = swap_pooling(net, "max", example_input=images)
    assert list(places(report)) == ["pool", "max_pool2d_1"]
    assert torch.equal(net(images), made(Branching)(images))


def test_what_cannot_be_reached_is_said(images):
    class Half(Branching):
        """Pools by a function that has no source of its own."""

        def __init__(self):
            super().__init__()
            self.down = lambda x: F.max_pool2d(x, 2)

        def forward(self, x):
            return self.down(self.pool(self.conv(x)))

    net = made(Half)
    report = swap_pooling(net, "avg", example_input=images)
    assert list(places(report)) == ["pool"]
    assert [left.name for left in report.unreachable] == ["max_pool2d_1"]
    assert "Half.forward" in report.unreachable[0].reason
    assert "max_pool2d_1" in str(report)
    with pytest.raises(ConfigError, match=r"nothing to replace.*max_pool2d_1.*out of reach.*a lambda"):
        swap_pooling(net, "avg", slots=["max_pool2d_1"], example_input=images)


class TestRefusals:
    def test_nothing_to_replace(self, images):
        with pytest.raises(ConfigError, match=r"nothing to replace in Strided at slots=window: it pools at conv1"):
            swap_pooling(made(Strided), "max", example_input=images)
        with pytest.raises(ConfigError, match="give example_input"):
            swap_pooling(made(Functions), "max")

    def test_unknown_place(self, images):
        with pytest.raises(ConfigError, match=r"nothing pools at pool3: .*pool"):
            swap_pooling(made(Layers), "max", slots=["pool3"], example_input=images)

    def test_a_head_is_no_window(self, images):
        with pytest.raises(ConfigError, match="avg_topk is no head"):
            swap_pooling(made(Layers), "avg_topk", slots="head", example_input=images)
        with pytest.raises(ConfigError, match="global_max is a head"):
            swap_pooling(made(Layers), "global_max", slots="window", example_input=images)

    @pytest.mark.parametrize("options", [{"kernel_size": 3}, {"stride": 1}, {"k": 7}, {"nonsense": 1}])
    def test_another_shape_or_a_wrong_option_changes_nothing(self, images, options):
        net = made(Shared)
        before, state = net(images), {name: value.clone() for name, value in net.state_dict().items()}
        with pytest.raises(ConfigError, match=r"avg_topk.*pool_1"):
            swap_pooling(net, "avg_topk", example_input=images, **options)
        assert torch.equal(net(images), before)
        assert net.state_dict().keys() == state.keys()
        assert type(net) is Shared

    def test_a_fault_of_the_whole_network_is_undone(self, images):
        class Twice(nn.Module):
            """Two blocks that share a layer, for maps of 3 and of 8 channels."""

            def __init__(self):
                super().__init__()
                pool = nn.MaxPool2d(2)
                self.first = nn.Sequential(pool, nn.Conv2d(3, 8, 1))
                self.second = nn.Sequential(pool, nn.Conv2d(8, 8, 1))
                self.third = nn.Conv2d(8, 8, 3, stride=2, padding=1)

            def forward(self, x):
                return F.max_pool2d(self.third(self.second(self.first(x))), 2)

        net = Twice().eval()
        before = net(images)
        with pytest.raises(ConfigError, match="does not run"):
            swap_pooling(net, "lip", slots=["window", "strided_conv"], example_input=images)
        assert torch.equal(net(images), before)
        assert type(net) is Twice
        assert type(net.third) is nn.Conv2d
        assert isinstance(net.second[0], nn.MaxPool2d)
        assert not [name for name, _ in net.named_parameters() if "pool" in name]
        swap_pooling(net, "avg_topk", example_input=images)
        assert net.first[0] is net.second[0]

    def test_channels_without_an_example(self):
        with pytest.raises(ConfigError, match="give example_input"):
            swap_pooling(made(Layers), "lip")
        report = swap_pooling(made(Layers), "avg_topk")
        assert len(report.replaced) == 2
        assert report.saved_bytes is None

    def test_indices(self, images):
        class Unpooling(nn.Module):
            def __init__(self):
                super().__init__()
                self.pool = nn.MaxPool2d(2, return_indices=True)

            def forward(self, x):
                values, places = self.pool(x)
                return F.max_unpool2d(values, places, 2)

        with pytest.raises(ConfigError, match="indices"):
            swap_pooling(Unpooling(), "avg", example_input=images)


def test_the_report_counts_and_fits_the_terminal(images):
    net = made(Layers)
    report = swap_pooling(net, "avg_topk", example_input=images)
    assert report.replaced[0].input == (8, 16, 16)
    assert report.replaced[0].output == (8, 8, 8)
    # A maximum keeps an int64 index for each output, an average of torch nothing, avg_topk nothing.
    assert report.replaced[0].saved_bytes == (2 * 8 * 8 * 8 * 8, 0)
    assert report.saved_bytes.after == 0
    text = str(report)
    assert max(map(len, text.splitlines())) <= 80
    assert "MaxPool2d 3x3/2 p1" in text
    assert report.to_dict()["replaced"][0]["name"] == "pool1"


def test_leaves_no_trace_in_the_generators_and_buffers(images):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(), nn.MaxPool2d(2)).train()
    state = torch.get_rng_state()
    swap_pooling(net, "max", example_input=images)
    assert torch.equal(torch.get_rng_state(), state)
    assert net[1].num_batches_tracked == 0
    assert net.training
