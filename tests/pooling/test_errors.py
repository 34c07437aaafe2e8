"""Errors of the registry, the learned options and the functional twins; the suite has those of every pooling."""

import numpy as np
import pytest
import torch

from poolab.pooling import create_pool, functional, get_pool, list_pools, register
from poolab.pooling.core.options import Choice, Integer, checked
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


def test_a_list_of_no_role_or_dimension_is_refused():
    with pytest.raises(ValueError, match=r"no role is called 'windows': did you mean window.*known: channel, global"):
        list_pools("windows")
    with pytest.raises(ValueError, match="no role is called 'head': poolings of heads have the role global; known"):
        list_pools("head")
    with pytest.raises(ValueError, match="dims must be 1, 2 or 3, found 4"):
        list_pools(dims=4)


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
        with pytest.raises(ValueError, match=f"LpPool2d: a learnable p starts between 1.000001 and 1000000.*found {p}"):
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


def test_an_int_is_the_float_that_it_equals():
    """A configuration gives `a: 0`; the formulas ask for 0.0."""
    x = torch.tensor([[[[0.0, 0.0], [0.0, 4.0]]]])
    assert create_pool("lehmer", kernel_size=2, a=0)(x).item() == 1.0
    assert functional.lehmer_pool2d(x, 2, a=0).item() == 1.0
    with_infinity = torch.tensor([[[[1.0, 2.0], [-torch.inf, 4.0]]]])
    assert create_pool("mixed", kernel_size=2, alpha=1)(with_infinity).item() == 4.0
    assert type(create_pool("avg_topk", kernel_size=np.int64(2), k=np.int64(2)).k) is int


def test_faults_of_geometry_options_and_channels_come_together():
    with pytest.raises(ValueError) as caught:
        create_pool("dpp", kernel_size=0, variant="lite2")
    assert all(part in str(caught.value) for part in ("kernel_size must", "variant must", "needs channels"))
    with pytest.raises(ValueError) as caught:
        functional.avg_topk_pool2d(torch.zeros(1, 1, 4, 4), 0, k=0, foo=2)
    assert all(part in str(caught.value) for part in ("kernel_size must", "k must", "no option foo"))
    with pytest.raises(ValueError) as caught:
        create_pool("max", kernel_size=2, stride=0, padding=5)
    assert all(part in str(caught.value) for part in ("stride must", "padding must be at most half"))


def test_what_a_method_does_not_take_is_refused():
    with pytest.raises(ValueError, match=r"MaxPool2d: takes no channels \(found 8\)"):
        get_pool("max")(2, channels=8)
    with pytest.raises(ValueError, match="MaxPool2d: draws nothing, so it takes no generator"):
        get_pool("max")(2, generator=torch.Generator())
    with pytest.raises(ValueError, match=r"StochasticPool2d: generator must be a torch\.Generator, found 3"):
        get_pool("stochastic")(2, generator=3)
    with pytest.raises(ValueError, match="LIPPool2d: channels must be an int >= 1, found True"):
        get_pool("lip")(2, channels=True)
    with pytest.raises(TypeError, match=r"MaxPool2d: the input must be a torch\.Tensor, found list"):
        get_pool("max")(2)([[1.0]])
    with pytest.raises(AttributeError, match="no function lip_pool2d, since the method has parameters: use LIPPool2d"):
        functional.lip_pool2d  # noqa: B018
