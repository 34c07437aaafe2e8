"""The contract of every pooling, item 7: errors are early and complete."""

import pytest
import torch

from poolab.pooling import Pool, create_pool, functional, get_pool, list_pools, register
from poolab.pooling.options import Choice, Integer, Option, Real, Size, checked
from tests.pooling.oracles import Shape
from tests.pooling.support import CHANNELS, HEADS, WINDOWS, make

OPTIONS = [(name, option) for name in WINDOWS + HEADS for option in get_pool(name).options]


def wrong(option: Option) -> list[object]:
    """Values that an option must refuse."""
    match option:
        case Integer():
            return [option.least - 1, 10_000 if option.within_window else -3, 1.5, True, None, "2"]
        case Real():
            beyond = [v for v in (option.least - 1, option.most + 1) if abs(v) != float("inf")]
            return [*beyond, float("nan"), -float("inf"), True, None, "2"]
        case Choice():
            return [None, 2, "laier"]
        case Size():
            return [0, -1, (1, 2, 3), (1, 0), 1.5, None]
    raise TypeError(f"say here what is wrong for an option of class {type(option).__name__}")


def build(name: str, **arguments) -> Pool:
    geometry = {"kernel_size": 2} if get_pool(name).role == "window" else {}
    return create_pool(name, channels=CHANNELS, **geometry, **arguments)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_a_wrong_option_names_the_class_the_option_and_what_was_found(name: str, option: str):
    for value in wrong(get_pool(name).options[option]):
        with pytest.raises(ValueError) as caught:
            build(name, **{option: value})
        message = str(caught.value)
        assert get_pool(name).__name__ in message
        assert f"{option} must be" in message
        assert f"found {value!r}" in message


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("kernel_size", 0),
        ("kernel_size", 2.0),
        ("kernel_size", (2, 3, 4)),
        ("stride", 0),
        ("stride", "2"),
        ("padding", -1),
        ("padding", 2),
        ("dilation", 0),
        ("ceil_mode", 1),
    ],
)
def test_a_wrong_geometry_names_the_class_the_argument_and_what_was_found(name: str, argument: str, value: object):
    with pytest.raises(ValueError) as caught:
        create_pool(name, channels=CHANNELS, **({"kernel_size": 2} | {argument: value}))
    message = str(caught.value)
    assert message.startswith(f"{get_pool(name).__name__}(kernel_size=")
    assert f"{argument} must be" in message
    assert f"found {value!r}" in message


@pytest.mark.parametrize("name", WINDOWS)
def test_all_faults_of_a_call_come_at_once(name: str):
    faulty = dict.fromkeys(get_pool(name).options, "nonsense")
    with pytest.raises(ValueError) as caught:
        create_pool(name, channels=CHANNELS, kernel_size=0, stride=-1, dilation=0, ceil_mode=3, bogus=1, **faulty)
    message = str(caught.value)
    for part in ("kernel_size must", "stride must", "dilation must", "ceil_mode must", "no option bogus"):
        assert part in message
    assert all(f"{option} must" in message for option in faulty)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_map_that_is_too_small_is_told_with_its_shape_and_what_is_needed(name: str):
    pool = make(name, Shape((4, 3), (1, 1), (1, 0)))
    for shape in ((2, CHANNELS, 1, 9), (CHANNELS, 9, 2), (2, CHANNELS, 0, 9)):
        with pytest.raises(ValueError) as caught:
            pool(torch.zeros(shape))
        message = str(caught.value)
        assert message.startswith(f"{get_pool(name).__name__}(kernel_size=(4, 3), stride=1, padding=(1, 0))")
        assert f"input {shape}" in message
        assert "at least 2x3" in message
    assert pool(torch.zeros(1, CHANNELS, 2, 3)).shape == (1, CHANNELS, 1, 1), "what the message allows must work"


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_of_padding_alone_is_told(name: str):
    pool = create_pool(name, channels=CHANNELS, kernel_size=2, stride=1, padding=1, dilation=3)
    with pytest.raises(ValueError, match=r"window 0 along height of input \(1, 2, 2, 5\) lies in the padding alone"):
        pool(torch.zeros(1, CHANNELS, 2, 5))


@pytest.mark.parametrize("name", HEADS)
def test_an_empty_map_is_told(name: str):
    with pytest.raises(ValueError, match=r"2d: the map of input \(1, 2, 0, 5\) is empty; it must be at least 1x1"):
        make(name)(torch.zeros(1, CHANNELS, 0, 5))


@pytest.mark.parametrize("name", WINDOWS + HEADS)
def test_the_input_must_be_floating_and_3d_or_4d(name: str):
    pool = make(name)
    for dtype in (torch.int64, torch.uint8, torch.bool, torch.complex64):
        with pytest.raises(TypeError, match=rf"{get_pool(name).__name__}: .* floating dtype, found {dtype}"):
            pool(torch.zeros(1, CHANNELS, 6, 6, dtype=dtype))
    for shape in ((6, 6), (1, 1, CHANNELS, 6, 6)):
        with pytest.raises(ValueError, match=r"must be \(N, C, H, W\) or \(C, H, W\), found shape"):
            pool(torch.zeros(shape))


@pytest.mark.parametrize("name", WINDOWS + HEADS)
def test_an_unknown_option_lists_the_near_names(name: str):
    with pytest.raises(ValueError, match=rf"{get_pool(name).__name__}: no option bogus"):
        build(name, bogus=1)
    for option in get_pool(name).options:
        with pytest.raises(ValueError, match=rf"no option {option}s \(did you mean .*{option}"):
            build(name, **{f"{option}s": 1})


@pytest.mark.parametrize("name", WINDOWS)
def test_what_is_missing_is_told(name: str):
    cls = get_pool(name)
    with pytest.raises(ValueError, match=rf"{cls.__name__}: .*kernel_size.*its arguments are kernel_size"):
        create_pool(name, channels=CHANNELS)
    if cls.uses_channels == "always":
        with pytest.raises(ValueError, match=rf"{cls.__name__}: needs channels"):
            create_pool(name, kernel_size=2)
    if "sharing" in cls.options:
        with pytest.raises(ValueError, match=rf"{cls.__name__}: sharing='channel' needs channels"):
            create_pool(name, kernel_size=2, sharing="channel")


def test_an_unknown_pooling_lists_the_near_names_and_all():
    with pytest.raises(ValueError) as caught:
        create_pool("avgtopk", kernel_size=2)
    message = str(caught.value)
    assert "no pooling is called 'avgtopk': did you mean avg_topk" in message
    assert all(name in message for name in list_pools())


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
