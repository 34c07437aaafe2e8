"""Networks of torchvision and timm as backbones: their slots, their start, their weights."""

import copy
import itertools

import pytest
import torch
from torch.nn import functional as F

from poolab.backbones import VanishError, create_backbone, slot_shapes
from poolab.backbones.weights import fit_channels
from poolab.errors import ConfigError
from poolab.pooling import AvgTopKPool2d

NAMES = ("torchvision/resnet18", "timm/resnet18")


def adopt(name, **settings):
    return create_backbone(name, **{"in_channels": 3, "num_classes": 10, "image_size": 32, "seed": 0, **settings})


@pytest.mark.parametrize("name", NAMES)
def test_windows_are_filled_and_slots_are_named(name):
    model = adopt(name, pooling={"name": "avg_topk", "k": 3}, head={"name": "global_max"})
    slots = {slot.name: (slot.kind, slot.pooling) for slot in model.slots.values()}
    assert slots["maxpool"] == ("window", "avg_topk")
    assert slots["layer2.0.conv1"] == ("strided_conv", "Conv2d 3x3/2 p1")
    assert slots["head"] == ("head", "global_max")
    assert list(slots)[-1] == "head"
    assert isinstance(model.slot_module("maxpool"), AvgTopKPool2d)
    assert model.slots["maxpool"].padding == (1, 1)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert [row.slot for row in slot_shapes(model)] == list(slots)


def test_strided_convolutions_on_request():
    model = adopt("torchvision/resnet18", pooling={"name": "softpool", "slots": ["strided_conv"]})
    assert {slot.pooling for slot in model.slots.values() if slot.kind == "strided_conv"} == {"softpool"}
    assert model.slots["maxpool"].pooling == "MaxPool2d 3x3/2 p1"
    assert model.slot_of("network.layer2.0.conv1.pool") == "layer2.0.conv1"
    one = adopt("torchvision/resnet18", pooling={"name": "softpool", "slots": ["layer3.0.conv1"], "kernel_size": 2})
    assert [s.name for s in one.slots.values() if s.pooling == "softpool"] == ["layer3.0.conv1"]


def test_arms_of_a_seed_share_their_weights():
    arms = [adopt("timm/resnet18", pooling=pooling) for pooling in ({"name": "max"}, {"name": "lip"}, {"name": "own"})]
    weights = [dict(arm.named_parameters()) for arm in arms]
    shared = set.intersection(*(set(each) for each in weights))
    assert len(shared) == len(weights[2])
    assert all(torch.equal(weights[0][name], other[name]) for name in shared for other in weights[1:])
    other = adopt("timm/resnet18", seed=1)
    assert not torch.equal(other.network.conv1.weight, arms[0].network.conv1.weight)
    lips = [adopt("timm/resnet18", pooling={"name": "lip"}, seed=seed).slot_module("maxpool") for seed in (0, 0, 1)]
    first, again, another = (torch.cat([p.flatten() for p in lip.parameters()]) for lip in lips)
    assert torch.equal(first, again)
    assert not torch.equal(first, another)


def test_an_untouched_network_computes_as_its_library_has_it():
    from torchvision.models import resnet18

    adopted, own = adopt("torchvision/resnet18").eval(), resnet18(num_classes=10).eval()
    own.load_state_dict(adopted.network.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(adopted(images), own(images))
    twin = copy.deepcopy(adopted)
    assert torch.equal(twin(images), own(images))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 5])
def test_any_number_of_image_channels(name, channels):
    model = adopt(name, in_channels=channels)
    assert model(torch.randn(2, channels, 32, 32)).shape == (2, 10)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of weights for 1000 classes and three colours, and the network that it is of."""
    from torchvision.models import resnet18

    torch.manual_seed(7)
    network = resnet18()
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), path)
    return path, network


@pytest.mark.parametrize("name", NAMES)
def test_weights_from_a_file(trained, name):
    path, network = trained
    model = adopt(name, weights=str(path), pooling={"name": "avg_topk"})
    assert torch.equal(model.network.layer4[1].conv2.weight, network.layer4[1].conv2.weight)
    assert torch.equal(model.network.bn1.running_var, network.bn1.running_var)
    assert model.network.fc.weight.shape == (10, 512)
    grey = adopt(name, weights=str(path), in_channels=1)
    assert torch.equal(grey.network.conv1.weight, network.conv1.weight.sum(1, keepdim=True))


def test_weights_in_the_librarys_cache(trained, tmp_path, monkeypatch):
    """As if it had been downloaded, or put there by hand: torchvision checks the hash in the file's name."""
    import hashlib

    path, network = trained
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    url = f"https://download.invalid/models/resnet18-{digest}.pth"
    monkeypatch.setattr("torchvision.models._api.WeightsEnum.url", property(lambda self: url))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / f"resnet18-{digest}.pth").write_bytes(path.read_bytes())
    model = adopt("torchvision/resnet18", pretrained=True)
    assert torch.equal(model.network.layer1[0].conv1.weight, network.layer1[0].conv1.weight)


def test_weights_that_cannot_be_had_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*_, **__):
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    with pytest.raises(ConfigError) as caught:
        adopt("torchvision/resnet18", pretrained=True)
    text = str(caught.value)
    assert "Name or service not known" in text
    assert "https://download.pytorch.org/models/resnet18-" in text
    assert str(tmp_path / "hub" / "checkpoints" / "resnet18-") in text
    assert "backbone.weights=FILE" in text
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    with pytest.raises(ConfigError, match=r"huggingface.co/timm/resnet18.*model.safetensors.*backbone.weights=FILE"):
        adopt("timm/resnet18", pretrained=True)


class TestRefusals:
    def test_unknown_names(self):
        with pytest.raises(ConfigError, match="did you mean resnet18"):
            adopt("timm/resnet19")
        with pytest.raises(ConfigError, match="torchvision/<name>"):
            adopt("resnet18x")
        with pytest.raises(ConfigError, match=r"has no option width"):
            adopt("timm/resnet18", width=3)

    def test_nothing_to_fill(self):
        with pytest.raises(ConfigError, match=r"mobilenet_v2 pools nowhere over windows.*slots=strided_conv"):
            adopt("torchvision/mobilenet_v2", pooling={"name": "max"})
        with pytest.raises(ConfigError, match=r"nothing pools at stem: .*maxpool"):
            adopt("torchvision/resnet18", pooling={"name": "max", "slots": ["stem"]})

    def test_an_image_that_is_too_small(self):
        with pytest.raises(VanishError, match="smallest image that works is 63x63") as caught:
            adopt("torchvision/alexnet", image_size=32)
        assert caught.value.smallest == 63

    @pytest.mark.parametrize("content", [b"", b"no weights at all"])
    def test_weights_that_are_none(self, tmp_path, content):
        with pytest.raises(ConfigError, match="there is no such file"):
            adopt("torchvision/resnet18", weights=str(tmp_path / "missing.pth"))
        file = tmp_path / "file.pth"
        file.write_bytes(content)
        with pytest.raises(ConfigError, match="holds no weights"):
            adopt("torchvision/resnet18", weights=str(file))

    def test_weights_of_another_network(self, trained):
        with pytest.raises(ConfigError, match="are another network's"):
            adopt("torchvision/resnet34", weights=str(trained[0]))
        with pytest.raises(ConfigError, match="drop one"):
            adopt("torchvision/resnet18", weights=str(trained[0]), pretrained=True)

    def test_code_in_a_file_is_never_run(self, tmp_path):
        class Harm:
            def __reduce__(self):
                return (exec, ("raise SystemExit('run')",))

        torch.save({"weight": Harm()}, tmp_path / "harm.pth")
        with pytest.raises(ConfigError, match="no weights that can be read safely"):
            adopt("torchvision/resnet18", weights=str(tmp_path / "harm.pth"))


@pytest.mark.parametrize(("channels", "expected"), [(1, 3.0), (2, 1.5), (3, 1.0), (6, 0.5)])
def test_channels_keep_the_scale_of_the_output(channels, expected):
    """Equal images in all channels give what three colours gave."""
    weight = fit_channels(torch.ones(4, 3, 2, 2), torch.Size([4, channels, 2, 2]))
    assert weight.unique().tolist() == [expected]
    assert weight.sum() == 48


def test_single_places_by_their_names():
    """Windows and a strided convolution; a name with dots as a mapping too."""
    at = {"layer2": {"0": {"conv1": "avg"}}, "maxpool": {"name": "avg_topk", "k": 3}}
    model = adopt("torchvision/resnet18", pooling={"name": "own", "at": at})
    filled = {name: slot.pooling for name, slot in model.slots.items()}
    assert (filled["maxpool"], filled["layer2.0.conv1"]) == ("avg_topk", "avg")
    assert filled["layer3.0.conv1"] == "Conv2d 3x3/2 p1"
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    size = {"image_size": 64, "in_channels": 1}
    others = adopt(
        "torchvision/vgg11", pooling={"name": "softpool", "at": {"features.5": "avg", "features.10": "own"}}, **size
    )
    slots = {name: slot.pooling for name, slot in others.slots.items() if slot.kind == "window"}
    assert list(slots.values()) == ["softpool", "avg", "MaxPool2d 2x2/2", "softpool", "softpool"]


class Functions(torch.nn.Module):
    """Three poolings in one `forward`, none of them a layer."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.classifier = torch.nn.Linear(4, 10)

    def forward(self, images):
        x = F.max_pool2d(self.conv(images), 2)
        x = F.max_pool2d(x, 2)
        return self.classifier(F.max_pool2d(x, 2).mean((2, 3)))


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3)))[1:], ids=str)
def test_functions_are_filled_one_by_one(monkeypatch, order):
    """Each swap rewires the same `forward` once more, and the other places keep their names."""
    monkeypatch.setattr("poolab.backbones.adopted.build_network", lambda *_, **__: Functions())
    methods = {1: "avg", 2: "min", 3: "own"}
    at = {f"max_pool2d_{place}": methods[place] for place in order}
    model = adopt("timm/functions", pooling={"name": "max", "at": at}).eval()
    assert {name: slot.pooling for name, slot in model.slots.items() if slot.kind == "window"} == {
        "max_pool2d_1": "avg",
        "max_pool2d_2": "min",
    }
    images = torch.randn(2, 3, 32, 32)
    x = -F.max_pool2d(-F.avg_pool2d(model.network.conv(images), 2), 2)
    expected = model.network.classifier(F.max_pool2d(x, 2).mean((2, 3)))
    torch.testing.assert_close(model(images), expected)


def test_places_that_are_not_there_are_told():
    for at, words in (
        ({"maxpol": "avg"}, "torchvision/resnet18 has no pooling slot maxpol: did you mean maxpool"),
        ({"strided_conv": "avg"}, "no pooling slot strided_conv"),
        ({"avgpool": "avg"}, "no pooling slot avgpool"),
        ({"head": "avg"}, "the head is chosen with head="),
    ):
        with pytest.raises(ConfigError, match=words):
            adopt("torchvision/resnet18", pooling={"name": "max", "at": at})
