"""Errors of the registry, the learned options and the functional twins; the suite has those of every pooling."""

import pytest
import torch

from poolab.pooling import create_pool, functional, get_pool, list_pools, register
from poolab.pooling.options import Choice, Integer, checked
from tests.pooling.support import CHANNELS, WINDOWS


@pytest.mark.parametrize("name", WINDOWS)
def test_what_is_missing_is_told(name: str):
    cls = get_pool(name)
    with pytest.raises(ValueError, match=rf"{cls.__name__}: .*kernel_size.*its arguments are kernel_size"):
        create_pool(name, channels=CHANNELS)


def test_an_unknown_pooling_lists_the_near_names_and_all():
    with pytest.raises(ValueError) as caught:
        create_pool("avgtopk", kernel_size=2)
    message = str(caught.value)
    assert "no pooling is called 'avgtopk': did you mean avg_topk" in message
    assert all(name in message for name in list_pools())


@pytest.mark.parametrize(("name", "near"), [
    ("AvgTopKPool2d", "AvgTopKPool2d is the class, did you mean avg_topk? known"),
    ("AvgTopKPool1d", "AvgTopKPool1d is the class, did you mean avg_topk with dims=1? known"),
    ("avgtopkpool3d", "AvgTopKPool3d is the class, did you mean avg_topk with dims=3? known"),
    ("AvgTopkPool", "AvgTopKPool2d is the class, did you mean avg_topk? known"),
    ("avg_topk_pool2d", "AvgTopKPool2d is the class, did you mean avg_topk? known"),
    ("GlobalAvgPool2d", "GlobalAvgPool2d is the class, did you mean global_avg? known"),
    (3, "no pooling is called 3: "),
])  # fmt: skip
def test_the_name_of_a_class_is_understood(name: str, near: str):
    for ask in (get_pool, create_pool):
        with pytest.raises(ValueError) as caught:
            ask(name)
        assert near in str(caught.value)


def test_two_classes_cannot_have_one_name():
    with pytest.raises(ValueError, match="the pooling name max belongs to MaxPool2d; choose another for MinPool2d"):
        register("max")(get_pool("min"))
    assert get_pool("max").name == "max"


def test_a_learnable_start_on_a_bound_is_told():
    with pytest.raises(ValueError, match=r"MixedPool2d: a learnable alpha starts between 0 and 1.*found 1\.0"):
        create_pool("mixed", kernel_size=2, alpha=1.0, learnable=True)
    for p in (1.0, float("inf")):
        with pytest.raises(ValueError, match=f"LpPool2d: a learnable p starts above 1 and finite, found {p}"):
            create_pool("lp", kernel_size=2, p=p, learnable=True)
    with pytest.raises(ValueError, match="StridedConv2d: groups=3 must divide channels=4"):
        create_pool("strided_conv", kernel_size=2, channels=4, groups=3)


def test_the_functional_twins_check_as_the_classes_do():
    x = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"AvgTopKPool2d: k must be an int from 1 to 4 .*found 5"):
        functional.avg_topk_pool2d(x, 2, k=5)
    with pytest.raises(ValueError, match=r"MaxPool2d\(kernel_size=0"):
        functional.max_pool2d(x, 0)
    with pytest.raises(ValueError, match=r"MaxPool2d: no option training \(it has none\)"):
        functional.max_pool2d(x, 2, training=True)
    with pytest.raises(ValueError, match=r"AdaptiveAvgPool2d: output_size must"):
        functional.adaptive_avg_pool2d(x, output_size=0)


def test_an_option_says_what_it_allows():
    declared = {"a": Integer(1), "b": Choice("x", ("x", "y"))}
    with pytest.raises(ValueError, match=r"Owner: no option A \(did you mean a\? options: a, b\); b must be one of"):
        checked("Owner", declared, {"A": 1, "b": "z"}, None)
