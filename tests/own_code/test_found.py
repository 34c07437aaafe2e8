"""Code outside of poolab as a choice: how it is found, and what is refused and in which words."""

import sys

import pytest

from poolab.backbones import create_backbone, swap_pooling
from poolab.configuration import compose
from poolab.data import load_data
from poolab.errors import ConfigError, DataError, PoolabError
from poolab.own_code import find_own
from poolab.pooling import create_pool, get_pool, list_pools
from poolab.run_config import RunConfig
from poolab.training import check_settings
from tests.own_code.modules import POOL


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
        ("import os\n\nx = undefined\n", ["NameError: name 'undefined' is not defined", "faulty.py, line 3)"]),
        ("x = 1\ndef f(:\n", ["SyntaxError", "faulty.py, line 2)"]),
        ("\nimport no_such_library\n", ["No module named 'no_such_library'", "faulty.py, line 2)"]),
        ("import sys\nsys.exit(3)\n", ["SystemExit: 3", "faulty.py, line 2)"]),
        ("import helper\n", ["ZeroDivisionError", "helper.py, line 1)"]),
    ],
)
def test_a_fault_inside_of_the_module_is_told_with_its_line(lab, text, parts):
    (lab / "helper.py").write_text("x = 1 / 0\n")
    (lab / "faulty.py").write_text(text)
    said = told(["pooling=faulty:MyPool"])
    assert said.startswith("pooling=faulty:MyPool: the import of faulty fails: ")
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
