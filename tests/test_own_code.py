"""Code outside of poolab as a choice: how it is found, what is refused and in which words, and what its hash covers."""

import json
import sys
from pathlib import Path

import pytest

from poolab import own_code
from poolab.backbones import create_backbone, swap_pooling
from poolab.configuration import compose
from poolab.data import load_data
from poolab.errors import ConfigError, DataError, PoolabError
from poolab.own_code import code_facts, find_own, is_own
from poolab.pooling import create_pool, get_pool, list_pools
from poolab.pooling import registry as pools
from poolab.records import signature
from poolab.run_config import RunConfig
from poolab.training import check_settings

POOL = """
from poolab.pooling import HeadPool2d, WindowPool2d
from poolab.pooling.core import Integer, Real
import torch
from torch import nn

class MyPool(WindowPool2d):
    "Something between maximum and minimum."
    options = {"share": Real(0.7, least=0.0, most=1.0), "times": Integer(2)}
    formula = staticmethod(lambda windows, share, times: share * windows.maximum() + (1 - share) * windows.minimum())

class MyHead(HeadPool2d):
    formula = staticmethod(lambda map: map.amax((2, 3), keepdim=True))

class Own(WindowPool2d):
    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, *, rate=0.5, kind=nn.ReLU):
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.rate = rate
    formula = staticmethod(lambda windows, rate: windows.maximum() * rate)

class Needs(WindowPool2d):
    def __init__(self, *geometry, rate, **more):
        super().__init__(*geometry, **more)
        self.rate = rate
    formula = staticmethod(lambda windows, rate: windows.maximum() * rate)

class Bare(nn.Module):
    pass
class Empty(WindowPool2d):
    pass
class NotEvenAModule:
    pass
short = lambda windows: windows.maximum()
def long(windows):
    return windows.maximum()
made = MyPool(2)
"""
NET = """
from torch import nn
from poolab.backbones import Backbone

class MyNet(Backbone):
    def __init__(self, slots, *, in_channels, num_classes, image_size, width=8):
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1)
        self.pool = slots.fill("pool", channels=width, own="max", kernel_size=2)
        self.head = slots.fill_head(channels=width)
        self.classifier = nn.Linear(self.close(slots), num_classes)
    def features(self, images):
        return self.pool(self.conv(images))
class Bare(nn.Module):
    pass
"""
DATA = """
import torch
from poolab.data import DataSource, Raw
images = torch.arange(40, dtype=torch.uint8).repeat_interleave(64).reshape(40, 1, 8, 8)
labels = torch.arange(40) % 2
def right(request, level=0):
    return Raw(images[:30] + level, labels[:30], images[30:], labels[30:], ("even", "odd"))
def other(request):
    return right(request, 1)
def floats(request):
    return right(request)._replace(train_images=images[:30] / 255)
def last(request):
    return right(request)._replace(test_images=images[30:].permute(0, 2, 3, 1))
def many(request):
    return right(request)._replace(train_labels=torch.arange(30), test_labels=labels[:3])
def pair(request):
    return images, labels
def drawn(request):
    return right(request)._replace(train_images=torch.randint(0, 255, (30, 1, 8, 8), dtype=torch.uint8))
named = DataSource(load=right, identify=lambda root: f"mine-{root}")
class Loader:
    pass
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """An empty working folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    modules, found, own, siblings = set(sys.modules), dict(own_code._FOUND), dict(pools.OWN), dict(pools.SIBLINGS)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for kept, before in ((own_code._FOUND, found), (pools.OWN, own), (pools.SIBLINGS, siblings)):
        kept.clear()
        kept.update(before)
    for name in [name for name in sys.modules if name not in modules]:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def files(lab):
    """The working folder with a pooling, a network and data."""
    for name, text in (("own_pool", POOL), ("own_net", NET), ("own_data", DATA)):
        (lab / f"{name}.py").write_text(text)
    return lab


def told(words):
    with pytest.raises(ConfigError) as caught:
        check_settings(compose(words))
    return str(caught.value)


# -- settings


def test_the_options_of_a_class_are_settings_with_their_defaults(files):
    pooling = compose(["pooling=own_pool:MyPool", "pooling.share=0.5"])["pooling"]
    assert (pooling["name"], pooling["share"], pooling["times"], pooling["slots"]) == ("own_pool:MyPool", 0.5, 2, "all")
    check_settings(compose(["pooling=own_pool:MyPool", "pooling.share=0.5"]))
    said = told(["pooling=own_pool:MyPool", "pooling.sharp=1"])
    assert (
        "pooling.sharp: there is no such setting; did you mean share? pooling=own_pool:MyPool takes share, times"
        in said
    )
    assert "pooling.share must be a number >= 0 and <= 1, found 3" in told(
        ["pooling=own_pool:MyPool", "pooling.share=3"]
    )
    at = ["pooling.at.pool1=own_pool:MyPool", "pooling.at.pool1.times=0"]
    assert "pooling.at.pool1.times must be an int >= 1, found 0" in told(at)


def test_the_arguments_of_a_constructor_are_settings_but_for_what_no_file_can_hold(files):
    pooling = compose(["pooling=own_pool:Own", "pooling.rate=2"])["pooling"]
    assert pooling["rate"] == 2
    assert "kind" not in pooling
    check_settings(compose(["pooling=own_pool:Own", "pooling.rate=2"]))
    assert create_pool("own_pool:Own", kernel_size=2, rate=0.25).rate == 0.25
    assert "pooling.rate" in told(["pooling=own_pool:Needs"])
    assert compose(["pooling=own_pool:Needs", "pooling.rate=2"])["pooling"]["rate"] == 2


def test_heads_backbones_and_data_have_their_settings_too(files):
    config = compose(["head=own_pool:MyHead", "backbone=own_net:MyNet", "backbone.width=4", "data=own_data:right"])
    check_settings(config)
    assert config["backbone"]["width"] == 4
    typed = RunConfig.from_tree(config)
    assert typed.tree() == config
    assert typed.backbone.options == {"width": 4}
    assert typed.data.reading.keys() & {"code_sha256", "batch_size"} == set()
    said = told(["backbone=own_net:MyNet", "backbone.depth=1"])
    assert "backbone=own_net:MyNet takes width" in said
    assert "own_pool:MyPool is no head" in refusal(lambda: create(head={"name": "own_pool:MyPool"}))
    assert "write head=own_pool:MyHead" in refusal(lambda: create(pooling={"name": "own_pool:MyHead"}))


def create(name="keras_cnn", **asked):
    return create_backbone(name, in_channels=1, num_classes=2, image_size=16, **asked)


def refusal(call):
    with pytest.raises(PoolabError) as caught:
        call()
    return str(caught.value)


def test_it_fills_slots_is_swapped_in_and_created_by_its_name(files):
    import torch

    network = create(
        "own_net:MyNet", width=3, pooling={"name": "own_pool:MyPool", "share": 0.5}, head={"name": "own_pool:MyHead"}
    )
    assert {name: slot.pooling for name, slot in network.slots.items()} == {
        "pool": "own_pool:MyPool",
        "head": "own_pool:MyHead",
    }
    assert network(torch.zeros(2, 1, 16, 16)).shape == (2, 2)
    swapped = torch.nn.Sequential(torch.nn.MaxPool2d(3, 2))
    report = swap_pooling(swapped, "own_pool:MyPool", share=0.25)
    assert [place.name for place in report.replaced] == ["0"]
    assert (swapped[0].share, swapped[0].kernel_size, swapped[0].stride) == (0.25, (3, 3), (2, 2))
    volume = create_pool("own_pool:MyPool", dims=3, kernel_size=2)
    assert volume(torch.ones(1, 1, 4, 4, 4)).shape == (1, 1, 2, 2, 2)
    assert get_pool("own_pool:MyPool", dims=3) is type(volume)
    assert "own_pool:MyPool" not in list_pools()  # whatever was asked for before, poolab's own are listed
    with pytest.raises(ValueError, match="own_pool:MyHead is not there in 3 dimensions"):
        get_pool("own_pool:MyHead", dims=3)


def test_a_class_derived_from_poolabs_has_its_own_name(lab):
    (lab / "own_topk.py").write_text("from poolab.pooling import AvgTopKPool2d\nclass Mine(AvgTopKPool2d): pass\n")
    assert get_pool("own_topk:Mine").name == "own_topk:Mine"
    assert get_pool("avg_topk").name == "avg_topk"
    assert compose(["pooling=own_topk:Mine", "pooling.k=3"])["pooling"]["k"] == 3


# -- what is refused


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            "pooling=own_pool:Bare",
            ["Bare is an nn.Module but not a pooling", "poolab.pooling.WindowPool2d", "formula("],
        ),
        ("pooling=own_pool:NotEvenAModule", ["is a class but not a pooling", "poolab.pooling.WindowPool2d"]),
        ("pooling=own_pool:short", ["it is a lambda, and a pooling is a class", "poolab.pooling.WindowPool2d"]),
        ("pooling=own_pool:long", ["it is a function, and a pooling is a class"]),
        ("pooling=own_pool:made", ["an object of the class MyPool; name the class"]),
        ("pooling=own_pool:torch", ["it is a module, and a pooling is a class"]),
        ("pooling=own_pool:MyPol", ["own_pool.py) has no MyPol; did you mean MyPool? it defines MyPool"]),
        ("pooling=own_pol:MyPool", ["there is no module own_pol in", "did you mean own_pool or"]),
        ("pooling=own_pool.deep:MyPool", ["own_pool is a module and no package"]),
        ("pooling=own_pool.py:MyPool", ["MODULE:NAME", "write own_pool:MyPool"]),
        ("pooling=here/own_pool.py:MyPool", ["write here.own_pool:MyPool"]),
        ("pooling=own_pool:", ["MODULE:NAME"]),
        ("pooling=__main__:MyPool", ["notebook", "put it into a file"]),
        ("pooling=poolab.pooling:MaxPool2d", ["MaxPool2d is poolab's"]),
        ("pooling=json:JSONEncoder", ["JSONEncoder is a class but not a pooling"]),
        ("head=own_pool:Bare", ["not a pooling of poolab's kind", "HeadPool2d"]),
        ("backbone=own_net:Bare", ["not a backbone of poolab's kind", "poolab.backbones.Backbone"]),
        ("data=own_data:Loader", ["it is the class Loader", "a function (request) that returns a poolab.data.Raw"]),
        ("data=own_data:images", ["it is a Tensor"]),
    ],
)
def test_what_is_not_what_its_group_takes_is_told(files, words, parts):
    said = told([words])
    assert said.startswith(words)
    for part in parts:
        assert part in said


def test_a_class_without_a_formula_is_told(files):
    assert "Empty has no formula" in refusal(lambda: create(pooling={"name": "own_pool:Empty"}))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("import os\n\nx = undefined\n", ["NameError: name 'undefined' is not defined", "broken.py, line 3)"]),
        ("x = 1\ndef f(:\n", ["SyntaxError", "broken.py, line 2)"]),
        ("\nimport no_such_library\n", ["No module named 'no_such_library'", "broken.py, line 2)"]),
        ("import sys\nsys.exit(3)\n", ["SystemExit: 3", "broken.py, line 2)"]),
        ("import helper\n", ["ZeroDivisionError", "helper.py, line 1)"]),
    ],
)
def test_a_fault_inside_of_the_module_is_told_with_its_line(lab, text, parts):
    (lab / "helper.py").write_text("x = 1 / 0\n")
    (lab / "broken.py").write_text(text)
    said = told(["pooling=broken:MyPool"])
    assert said.startswith("pooling=broken:MyPool: the import of broken fails: ")
    for part in parts:
        assert part in said


def test_a_file_that_another_module_hides_is_told(lab):
    (lab / "json.py").write_text(POOL)
    said = told(["pooling=json:MyPool"])
    assert f"{lab}/json.py was not read, since Python has loaded another module of that name: rename the file" in said


def test_the_working_folder_hides_no_library_afterwards(files):
    (files / "statistics_of_mine.py").write_text("")
    find_own("own_pool:MyPool", "pooling")
    assert sys.path[0] != str(files)
    assert str(files) in sys.path  # for what a module imports later


# -- data


def test_data_are_loaded_fitted_and_known_by_their_content(files):
    from poolab.data import data_fingerprint, data_shape

    data = load_data("own_data:right", image_size=16, channels=3)
    assert (data.image_size, data.channels, data.classes, len(data.test)) == ((16, 16), 3, ("even", "odd"), 10)
    assert data.fingerprint == data_fingerprint("own_data:right")
    assert data.fingerprint.removeprefix("right") != data_fingerprint("own_data:other").removeprefix("other")
    assert data_fingerprint("own_data:named", root="x") == "mine-x" == load_data("own_data:named", root="x").fingerprint
    assert data_shape({"name": "own_data:right"}) == (1, (8, 8), 2)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("floats", ["train_images must be a torch.uint8 tensor (N, C, H, W)", "found float32 of shape (30, 1, 8, 8)"]),
        ("last", ["test_images must have 1 or 3 channels", "images.permute(0, 3, 1, 2)"]),
        ("many", ["train_labels must be from 0 to 1 for 2 classes, found 0 to 29", "test_labels has 3 labels for 10"]),
        ("pair", ["a tuple instead of poolab.data.Raw(train_images,"]),
    ],
)
def test_what_is_no_data_set_is_told(files, name, parts):
    with pytest.raises(DataError) as caught:
        load_data(f"own_data:{name}")
    for part in (f"data=own_data:{name}: what it returned is no data set", *parts):
        assert part in str(caught.value)


def test_data_that_differ_from_call_to_call_make_no_run(files, launched):
    with pytest.raises(DataError, match="own_data:drawn returned other images or labels than a moment ago"):
        launched(files / "runs", "data=own_data:drawn", "data.limit_train=20", "data.limit_test=8", "data.batch_size=4")


# -- identity


def test_the_hash_follows_the_file_and_not_its_place(files, monkeypatch):
    def hashed(place, text, name="MyPool"):
        place.mkdir(exist_ok=True)
        (place / "moved_pool.py").write_text(text)
        monkeypatch.chdir(place)
        sys.modules.pop("moved_pool", None)
        own_code._FOUND.clear()
        monkeypatch.setattr(sys, "path", [one for one in sys.path if str(files) not in one])
        return signature(compose([f"pooling=moved_pool:{name}"]), "data")

    first = hashed(files / "a", POOL)
    assert first == hashed(files / "b", POOL)
    assert first != hashed(files / "a", POOL + "# changed\n")
    assert first != hashed(files / "a", POOL, "Own")


def test_the_hash_follows_the_file_of_a_base_class(lab):
    def hashed():
        for name in ("base_pool", "leaf_pool"):
            sys.modules.pop(name, None)
        own_code._FOUND.clear()
        return find_own("leaf_pool:Leaf", "pooling")

    (lab / "base_pool.py").write_text(POOL)
    (lab / "leaf_pool.py").write_text("from base_pool import MyPool\nclass Leaf(MyPool): pass\n")
    first = hashed()
    assert [path.name for path in first.files] == ["leaf_pool.py", "base_pool.py"]
    (lab / "base_pool.py").write_text(POOL + "#\n")
    assert hashed().sha256 != first.sha256


def test_names_of_poolab_have_no_hash(files):
    config = compose(["pooling=avg_topk"])
    assert "code_sha256" not in json.dumps(config)
    assert code_facts(config) == {}
    assert not is_own("torchvision/resnet18", "backbone")


def test_the_hash_stands_wherever_a_choice_of_own_code_stands(files):
    config = compose(
        ["pooling.at.pool1=own_pool:MyPool", "backbone.match=parameters", "backbone.match_to=own_pool:Own"]
    )
    assert set(config["pooling"]["at"]["pool1"]) == {"name", "code_sha256"}
    assert set(config["backbone"]["match_to"]) == {"name", "code_sha256"}
    assert sorted(code_facts(config)) == ["own_pool.MyPool", "own_pool.Own"]
    check_settings(config)
    assert RunConfig.from_tree(config).tree() == config


def test_a_run_of_code_that_was_changed_since_is_refused(files, launched, configured):
    config = configured(files / "runs", "pooling=own_pool:MyPool")
    config["pooling"]["code_sha256"] = "0" * 64
    assert "own_pool.py was changed after this configuration was made" in refusal(lambda: check_settings(config))


def test_a_record_says_the_code_and_a_change_of_it_is_another_run(files, launched):
    import hashlib

    record, folder, _ = launched(files / "runs", "pooling=own_pool:MyPool")
    own = hashlib.sha256(Path("own_pool.py").read_bytes()).hexdigest()
    assert record.environment["own_code"] == {"own_pool.MyPool": f"own_pool.py {own}"}
    assert record.config["pooling"]["code_sha256"] == find_own("own_pool:MyPool", "pooling").sha256
    assert launched(files / "runs", "pooling=own_pool:MyPool")[1:] == (folder, False)
    Path("own_pool.py").write_text(POOL + "# changed\n")
    sys.modules.pop("own_pool")
    own_code._FOUND.clear()
    pools.OWN.clear()
    assert launched(files / "runs", "pooling=own_pool:MyPool")[1] != folder


# -- entry points


def test_entry_points_are_names(files, monkeypatch):
    package = files / "installed"
    (package / "names-1.0.dist-info").mkdir(parents=True)
    (package / "names-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: names\nVersion: 1.0\n")
    (package / "names-1.0.dist-info" / "entry_points.txt").write_text(
        "[poolab.poolings]\nmine = pointed:MyPool\nmax = pointed:MyPool\n"
        "[poolab.backbones]\nlittle = own_net:MyNet\n[poolab.data]\ntwo = own_data:right\n"
    )
    (package / "pointed.py").write_text(POOL)
    monkeypatch.syspath_prepend(package)
    own_code._entry_points.cache_clear()
    try:
        config = compose(["pooling=mine", "pooling.share=0.1", "backbone=little", "data=two"])
        check_settings(config)
        assert (config["pooling"]["name"], config["pooling"]["share"]) == ("mine", 0.1)
        assert list(code_facts(config)) == ["pointed.MyPool", "own_net.MyNet", "own_data.right"]
        assert create_pool("mine", kernel_size=2).share == 0.7
        assert "code_sha256" not in compose(["pooling=max"])["pooling"]  # that name is poolab's
        assert "did you mean" in told(["pooling=mien"])
        assert "mine" in told(["pooling=mien"])
    finally:
        own_code._entry_points.cache_clear()
