"""A file of weights is this network's, behind whatever prefix and with whatever head, or it is refused with names."""

import pytest
import torch
from torch import nn

from poolab.backbones.weights import read_state, take_over
from poolab.errors import ConfigError


def network(head="fc", classes=10, blocks=2, width=4, channels=3):
    """A small convolutional network whose layers are named as ResNet's are."""
    layers = {"conv1": nn.Conv2d(channels, width, 3), "bn1": nn.BatchNorm2d(width)}
    for number in range(blocks):
        layers[f"layer{number}"] = nn.Sequential(nn.Conv2d(width, width, 3), nn.BatchNorm2d(width))
    layers[head] = nn.Linear(width, classes)
    return nn.ModuleDict(layers)


def state_of(prefix="", **how):
    return {f"{prefix}{name}": value for name, value in network(**how).state_dict().items()}


PREFIXES = [
    *("module.", "model.", "network.", "net.", "backbone.", "encoder.", "_orig_mod."),
    *("module.model.", "model._orig_mod.", "_orig_mod.module.", "network.network.", "model.module._orig_mod."),
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_known_prefix_is_left_out_and_said(prefix):
    own, state = network(), state_of(prefix)
    told = take_over(own, state, "backbone.weights=w.pt")
    assert told == [f"backbone.weights=w.pt: the prefix {prefix!r} of the names was removed"]
    assert all(torch.equal(value, state[f"{prefix}{name}"]) for name, value in own.state_dict().items())


@pytest.mark.parametrize("prefix", ["", *PREFIXES[:3]])
def test_behind_a_prefix_another_network_is_refused_all_the_same(prefix):
    with pytest.raises(ConfigError, match="are another network's"):
        take_over(network(), state_of(prefix, blocks=3), "w")


HEADS = {
    "other classes": ({"classes": 1000}, "fc.weight, fc.bias"),
    "another name": ({"head": "classifier"}, "classifier.weight, classifier.bias"),
    "another name and other classes": ({"head": "head", "classes": 7}, "head.weight, head.bias"),
}


@pytest.mark.parametrize(("how", "names"), HEADS.values(), ids=HEADS.keys())
def test_a_head_may_differ_and_that_is_said(how, names):
    own, state = network(), state_of(**how)
    before = own["fc"].weight.clone()
    told = take_over(own, state, "w")
    assert torch.equal(own["fc"].weight, before)
    assert torch.equal(own["conv1"].weight, state["conv1.weight"])
    assert told[0] == "w: the last layer has new initial weights (fc.weight, fc.bias)"
    assert names in " ".join(told)


def test_a_head_may_be_missing_or_be_a_stack_of_layers():
    state = {name: value for name, value in state_of().items() if not name.startswith("fc")}
    assert take_over(network(), state, "w") == ["w: the last layer has new initial weights (fc.weight, fc.bias)"]
    stack = {**state, "projector.0.weight": torch.ones(8, 4), "projector.2.weight": torch.ones(3, 8)}
    assert "2 weights are not used (projector.0.weight, projector.2.weight)" in take_over(network(), stack, "w")[1]


def test_auxiliary_heads_and_counters_of_old_files():
    state = {**state_of(), "aux1.conv.weight": torch.ones(2, 2, 3, 3)}
    assert take_over(network(), state, "w") == ["w: 1 weights are not used (aux1.conv.weight)"]
    old = {name: value for name, value in state_of().items() if "num_batches_tracked" not in name}
    assert take_over(network(), old, "w") == []


OTHERS = {
    "a deeper one": (
        state_of(blocks=3),
        r"7 are not the network's \(layer2.0.weight, layer2.0.bias, ",
    ),
    "a shallower one": (state_of(blocks=1), r"6 are missing \(layer1.0.weight"),
    "a wider one": (state_of(width=8), r"have another shape \(conv1.weight 8x3x3x3 for 4x3x3x3, \.\.\.\)"),
    "a deeper one with another head": (state_of(blocks=3, head="head"), r"are not the network's \(layer2"),
    "a deeper one with other classes": (state_of(blocks=3, classes=7), r"are not the network's \(layer2"),
    "two heads": ({**state_of(classes=7), "a.weight": torch.ones(1, 4), "b.weight": torch.ones(1, 4)}, "2 are not the"),
    "a second head": ({**state_of(), "head.weight": torch.ones(1, 4)}, r"1 are not the network's \(head.weight\)"),
    "a head with windows": (
        {**state_of(head="head"), "head.conv.weight": torch.ones(1, 4, 3, 3)},
        r"3 are not the network's",
    ),
    "one more weight in a block": ({**state_of(classes=7), "layer0.2.weight": torch.ones(4)}, "layer0.2.weight"),
    "nothing in common": ({"x": torch.ones(1)}, "18 are missing"),
    "an unknown prefix": (state_of("student."), "are missing"),
}


@pytest.mark.parametrize(("state", "says"), OTHERS.values(), ids=OTHERS.keys())
def test_another_network_is_refused_with_counts_and_names_and_nothing_is_loaded(state, says):
    own = network()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    with pytest.raises(ConfigError, match=rf"w are another network's\. Of .*{says}"):
        take_over(own, state, "w")
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


@pytest.mark.parametrize(
    ("file", "into"), [("resnet34", "resnet18"), ("resnet18", "resnet34"), ("resnet50", "resnet18")]
)
def test_a_resnet_of_another_depth(file, into):
    from torchvision.models import get_model

    with torch.device("meta"):
        state, own = get_model(file).state_dict(), get_model(into, num_classes=10)
    with pytest.raises(ConfigError, match="are another network's"):
        take_over(own, state, f"backbone.weights={file}.pth")


CONTENTS = {
    "a list": [1, 2],
    "a tensor": torch.ones(2),
    "an empty mapping": {},
    "numbers": {"epoch": 3},
    "numbers for names": {1: torch.ones(1)},
    "an optimiser beside": {"weight": torch.ones(1), "optimizer": {"lr": 1.0}},
    "an empty state_dict": {"state_dict": {}},
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_a_file_of_something_else(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"w\.pt holds no state_dict \(names to tensors\)"):
        read_state(tmp_path / "w.pt")


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net"])
def test_a_state_dict_under_a_known_key(tmp_path, key):
    torch.save({key: state_of(), "epoch": 3}, tmp_path / "w.pt")
    assert read_state(tmp_path / "w.pt").keys() == state_of().keys()


def test_a_checkpoint_of_poolab_is_taken_and_what_it_is_said(launched, tmp_path, capsys):
    how = ("backbone=torchvision/resnet18", "pooling=max", "data.image_size=32", "data.limit_train=64")
    how = (*how, "data.limit_test=20", "trainer.epochs=1")
    _, folder, _ = launched(tmp_path, *how)
    again, other, fresh = launched(tmp_path, *how, f"backbone.weights={folder / 'last.ckpt'}", "pooling=avg")
    assert fresh
    assert other != folder
    assert "last.ckpt: the prefix 'network.network.' of the names was removed" in capsys.readouterr().out
    assert again.environment["weights_sha256"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda value: value.int(), "numbers of type int32"),
        (lambda value: value.to(torch.complex64), "numbers of type complex64"),
        (lambda value: value * float("nan"), "not finite"),
        (lambda value: value / 0, "not finite"),
    ],
)
def test_weights_that_are_no_real_finite_numbers_are_refused(change, told):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    state = {name: change(value) if name == "0.weight" else value for name, value in network.state_dict().items()}
    with pytest.raises(ConfigError, match=rf"FILE: 0.weight holds numbers .*{told}|FILE: 0.weight holds {told}"):
        take_over(network, state, "FILE")
