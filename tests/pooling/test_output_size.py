"""`output_size` is torch's, for every geometry; and what it says of Keras' padding words is what Keras does."""

import doctest
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from poolab.pooling import create_pool, functional, output_size
from poolab.pooling.core.sizes import same_padding


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_it_is_the_size_that_torch_gives(dilation, ceil_mode):
    differing, counted = [], 0
    for kernel, stride in itertools.product((1, 2, 3, 5), (None, 1, 2, 3, 5)):
        for padding in range(kernel // 2 + 1):
            pool = nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
            for side in range(1, 18):
                try:
                    expected = pool(torch.zeros(1, 1, side)).shape[-1]
                except RuntimeError:
                    expected = None
                try:
                    found = output_size(side, kernel, stride, padding, dilation, ceil_mode)
                except ValueError:
                    found = None
                counted += 1
                if found != expected:
                    differing.append((side, kernel, stride, padding, expected, found))
    assert counted > 500
    assert differing == []


@pytest.mark.parametrize(
    ("size", "arguments"),
    [
        ((30, 17), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
        ((9, 12, 15), {"kernel_size": 3, "stride": 2, "dilation": (1, 2, 1), "ceil_mode": True}),
        ((21,), {"kernel_size": 4}),
        (21, {"kernel_size": (4, 3)}),
    ],
)
def test_tuples_are_for_their_sides_and_poolings_give_the_same(size, arguments):
    out = output_size(size, **arguments)
    sides = size if isinstance(size, tuple) else (size, size)
    for name in ("max", "avg_topk"):
        y = create_pool(name, dims=len(sides), **arguments)(torch.zeros(1, 1, *sides))
        assert tuple(y.shape[2:]) == out


def test_an_int_for_ints_and_a_tuple_where_one_was_given():
    assert output_size(32, 2) == 16
    assert output_size([32, 30], 2) == (16, 15)
    assert output_size(32, kernel_size=[2]) == (16,)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((0, 2), "input_size must be an int >= 1"),
        ((8.0, 2), "input_size must be an int >= 1"),
        ((8, 0), "kernel_size must be an int >= 1"),
        ((8, 3, 1, 2), "padding must be at most half of kernel_size, 1, found 2"),
        ((2, 3), "a map of 2 is too small for kernel_size=3, stride=3: it must be at least 3"),
        (((8, 8), (2, 2, 2)), "every tuple must have a size for each of one to three sides"),
        (((8, 8, 8, 8), 2), "every tuple must have a size for each of one to three sides"),
        ((32, 3, 2, "same"), "for a map of 32 with kernel_size=3, stride=2 write padding=0, ceil_mode=True"),
        (((32, 33), 5, 3, "same"), "for a map of 32x33 with kernel_size=5, stride=3 write padding="),
        ((32, 3, 1, "same", 4), "none gives what 'same' gives here"),
        ((32, 2, 1, "same"), "take an odd kernel_size, or pad the map before"),
        ((32, 3, 1, "equal"), "padding must be an int >= 0, 'same' or 'valid', found 'equal'"),
    ],
)
def test_wrong_arguments_are_told(arguments, part):
    with pytest.raises(ValueError, match="output_size") as caught:
        output_size(*arguments)
    assert part in str(caught.value)


def keras_same(x, kernel, stride, spread=1):
    """Max pooling with Keras' padding="same": the smaller half of the missing elements before the map."""
    side = x.shape[-1]
    missing = max((-(-side // stride) - 1) * stride + spread * (kernel - 1) + 1 - side, 0)
    padded = F.pad(x, (missing // 2, missing - missing // 2), value=-torch.inf)
    return F.max_pool1d(padded, kernel, stride, dilation=spread)


def test_what_stands_for_same_pools_the_same_elements_as_keras():
    counted = 0
    for kernel, stride, side in itertools.product(range(1, 8), range(1, 8), range(1, 25)):
        found = same_padding((side,), (kernel,), (stride,), (1,))
        if stride == 1 and kernel % 2 == 0:  # one element more at one end, and no ceil mode at stride 1
            assert found is None
            continue
        assert found is not None, (kernel, stride, side)
        x = torch.randn(1, 1, side, generator=torch.Generator().manual_seed(side))
        expected = keras_same(x, kernel, stride)
        out = create_pool(
            "max", dims=1, kernel_size=kernel, stride=stride, padding=found.padding, ceil_mode=found.ceil_mode
        )(x)
        assert torch.equal(out, expected), (kernel, stride, side, found)
        counted += 1
    assert counted == (7 * 7 - 3) * 24


def test_sides_that_need_other_padding_get_it_each():
    assert same_padding((32, 33), (3, 3), (2, 2), (1, 1)) == ((0, 1), True)
    pool = create_pool("max", kernel_size=3, stride=2, padding=(0, 1), ceil_mode=True)
    assert pool(torch.zeros(1, 1, 32, 33)).shape[2:] == (16, 17)


def test_the_page_on_sizes_says_what_comes_out(pytestconfig):
    failed, tried = doctest.testfile(str(pytestconfig.rootpath / "docs" / "sizes.md"), module_relative=False)
    assert (failed, tried >= 4) == (0, True)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", ["max", "softpool", "strided_conv"])
def test_same_keeps_the_size_where_a_convolution_takes_it(name: str, dims: int):
    channels = {"channels": 2} if name == "strided_conv" else {}
    size, kernel = (7, 6, 5)[:dims], (3, 5, 3)[:dims]
    pool = create_pool(name, dims=dims, kernel_size=kernel, stride=1, padding="same", **channels)
    assert pool(torch.rand(1, 2, *size)).shape[2:] == size == output_size(size, kernel, 1, "same")
    assert pool.padding == (1, 2, 1)[:dims]
    assert repr(pool.geometry) == repr(
        create_pool("max", dims=dims, kernel_size=kernel, stride=1, padding=pool.padding).geometry
    )
    assert create_pool(name, dims=dims, kernel_size=2, padding="valid", **channels).padding == (0,) * dims
    if name == "softpool":
        function = getattr(functional, f"softpool_pool{dims}d")
        assert torch.equal(
            *(function(torch.ones(1, 2, *size), kernel, 1, padding) for padding in ("same", pool.padding))
        )


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        (
            {"kernel_size": 3, "stride": 2},
            "needs stride=1, as in torch's convolutions, found stride=2: write padding=1, ",
        ),
        ({"kernel_size": (3, 5), "stride": 2}, "write padding=(1, 2), which gives ceil(size / stride)"),
        ({"kernel_size": 2}, "found stride=2: write padding=0, ceil_mode=True, which gives ceil(size / stride)"),
        ({"kernel_size": 4, "stride": 3}, "output_size(size, kernel_size, stride, padding='same') says what to write"),
        ({"kernel_size": 2, "stride": 1}, "take an odd kernel_size without dilation, or pad the map before"),
        ({"kernel_size": 3, "stride": 1, "dilation": 2}, "take an odd kernel_size without dilation"),
    ],
)
def test_same_elsewhere_is_refused_with_what_to_write(arguments, instead):
    with pytest.raises(ValueError, match="MaxPool2d") as caught:
        create_pool("max", padding="same", **arguments)
    assert instead in str(caught.value)
    with pytest.raises(ValueError, match="padding='same'"):
        functional.softpool_pool2d(torch.ones(1, 1, 8, 8), padding="same", **arguments)


def test_what_takes_the_place_of_same_gives_as_many_outputs_as_keras():
    for size in range(1, 40):
        assert output_size(size, 3, 2, 1) == output_size(size, 5, 2, 2) == -(-size // 2)
        assert output_size(size, 3, 3, ceil_mode=True) == -(-size // 3)
