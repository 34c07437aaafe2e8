"""The anti-aliased and the fractional methods beside adobe's antialiased-cnns, timm, kornia and torch."""

import pytest
import torch
from torch import nn

from poolab.pooling import create_pool
from tests.pooling.support import distinct

SIZES = [8, 9]
FILTERS = [2, 3, 4, 5]
CENTRED = {"kernel_size": 3, "stride": 2, "padding": 1}  # ceil(size / 2) outputs, as BlurPool has


def ours(name: str = "blur", **arguments) -> nn.Module:
    return create_pool(name, **arguments).eval()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("filter_size", FILTERS)
@pytest.mark.parametrize("mode", ["reflect", "replicate", "zeros"])
def test_blur_is_adobes(size: int, filter_size: int, mode: str):
    """Equal where the sizes are: for kernel 3, padding 1 always, for kernel 2 on even sizes.

    On odd sizes kernel 2 gives size // 2 outputs, the first ones of adobe's ceil(size / 2).
    """
    peer = pytest.importorskip("antialiased_cnns").BlurPool(
        2, filt_size=filter_size, stride=2, pad_type={"reflect": "refl", "replicate": "repl", "zeros": "zero"}[mode]
    )
    x = distinct(2, 2, size, size, dtype=torch.float32)
    options, expected = {"filter_size": filter_size, "padding_mode": mode}, peer(x)
    assert expected.shape[-1] == -(-size // 2)
    torch.testing.assert_close(ours(**CENTRED, **options)(x), expected)
    half = ours(kernel_size=2, **options)(x)
    assert half.shape[-1] == size // 2
    torch.testing.assert_close(half, expected[..., : size // 2, : size // 2])


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_blur_is_adobes_for_every_stride(stride: int):
    peer = pytest.importorskip("antialiased_cnns").BlurPool(2, stride=stride)
    x = distinct(1, 2, 12, 12, dtype=torch.float32)
    torch.testing.assert_close(ours(kernel_size=stride)(x), peer(x))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("filter_size", FILTERS)
def test_timm_centres_an_even_filter_one_element_earlier(size: int, filter_size: int):
    """timm pads an even filter with filter_size // 2 elements on both sides.

    So its output i is centred one element before 2 i, and an even size gives one row and column more: 5x5 for 8x8. Away
    from that it is the same filter: shifting our map by the extra element gives its output.
    """
    layers = pytest.importorskip("timm.layers")
    x = distinct(2, 2, size, size, dtype=torch.float32)
    theirs = layers.BlurPool2d(2, filt_size=filter_size)(x)
    mine = ours(**CENTRED, filter_size=filter_size)(x)
    if filter_size % 2:
        torch.testing.assert_close(mine, theirs)
        return
    assert theirs.shape[-1] == size // 2 + 1
    assert mine.shape[-1] == -(-size // 2)
    assert not torch.allclose(theirs[..., : mine.shape[-1], : mine.shape[-1]], mine)
    before = nn.functional.pad(x, (1, 0, 1, 0), mode="reflect")
    shifted = ours(**CENTRED, filter_size=filter_size)(before)
    inner = slice(filter_size // 4, shifted.shape[-1] - filter_size // 4)
    torch.testing.assert_close(shifted[..., inner, inner], theirs[..., inner, inner])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("filter_size", FILTERS)
def test_kornia_pads_with_zeros(size: int, filter_size: int):
    """kornia 0.9 has adobe's size and centres (older versions gave 4 for 9x9 and an even filter), but zeros outside.

    A constant darkens at the border, down to 0.47 for a filter of 5 taps; with padding_mode="zeros" it is ours.
    """
    peer = pytest.importorskip("kornia.filters").BlurPool2D(filter_size)
    x = distinct(2, 2, size, size, dtype=torch.float32)
    torch.testing.assert_close(ours(**CENTRED, filter_size=filter_size, padding_mode="zeros")(x), peer(x))
    assert (ours(**CENTRED, filter_size=filter_size)(torch.ones_like(x)) == 1).all()
    darkest = peer(torch.ones_like(x)).min().item()
    expected = {(8, 2): 1.0, (9, 2): 0.25, (8, 3): 0.5625, (9, 3): 0.5625, (8, 4): 0.765625, (9, 4): 0.25}
    assert darkest == expected.get((size, filter_size), 0.47265625)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("filter_size", FILTERS)
def test_kornias_max_blur_takes_the_maxima_without_padding(size: int, kernel: int, filter_size: int):
    """kornia/kornia#426: kernel 2 gives half of an even size, kernel 3 one less (3 for 8x8), nn.MaxPool2d(3, 2, 1) 4.

    With our padding at 0 the sizes agree, and with zeros outside the values too.
    """
    peer = pytest.importorskip("kornia.filters").MaxBlurPool2D(filter_size, max_pool_size=kernel)
    x = distinct(2, 2, size, size, dtype=torch.float32)
    theirs = peer(x)
    unpadded = ours("max_blur", kernel_size=kernel, stride=2, filter_size=filter_size, padding_mode="zeros")
    torch.testing.assert_close(unpadded(x), theirs)
    if kernel == 3:
        assert theirs.shape[-1] == (size - 1) // 2
        assert ours("max_blur", **CENTRED, filter_size=filter_size)(x).shape[-1] == (size + 1) // 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("filter_size", FILTERS)
def test_max_blur_is_adobes_recipe(size: int, filter_size: int):
    """antialiased-cnns replaces nn.MaxPool2d(k, 2) by a maximum with stride 1 and its BlurPool."""
    blur = pytest.importorskip("antialiased_cnns").BlurPool(2, filt_size=filter_size, stride=2)
    x = distinct(2, 2, size, size, dtype=torch.float32)
    for geometry in ({"kernel_size": 2, "stride": 2, "padding": 0}, CENTRED):
        dense = nn.MaxPool2d(geometry["kernel_size"], 1, geometry["padding"])
        torch.testing.assert_close(ours("max_blur", **geometry, filter_size=filter_size)(x), blur(dense(x)))


@pytest.mark.parametrize("package", ["antialiased_cnns", "timm.layers"])
def test_both_refuse_a_map_that_is_not_larger_than_the_pad(package: str):
    """adobe/antialiased-cnns#47; ours replicates the border there."""
    module = pytest.importorskip(package)
    peer = (module.BlurPool if package == "antialiased_cnns" else module.BlurPool2d)(2, filt_size=4)
    with pytest.raises(RuntimeError, match="Padding size should be less than"):
        peer(torch.ones(1, 2, 2, 2))
    assert ours(**CENTRED)(torch.ones(1, 2, 2, 2)).tolist() == [[[[1.0]], [[1.0]]]]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("kernel", "length", "size"), [(2, 9, 6), (3, 10, 4), (2, 12, 7), (1, 7, 4)])
def test_the_regions_are_torchs_for_the_same_sample(dims: int, kernel: int, length: int, size: int):
    """torch's kernels take the samples as an argument: u = 1/2 for each is our evaluation.

    In float64: its start floor(alpha (i + u)) - floor(alpha u) is rounded in the input's precision.
    """
    torchs = {2: nn.functional.fractional_max_pool2d, 3: nn.functional.fractional_max_pool3d}[dims]
    x = distinct(2, 3, *[length] * dims)
    samples = torch.full((2, 3, dims), 0.5, dtype=torch.float64)
    expected = torchs(x, kernel, output_size=(size,) * dims, _random_samples=samples)
    assert torch.equal(ours("fractional_max", kernel_size=kernel, output_size=size, dims=dims)(x), expected)


def test_the_draws_are_torchs_in_distribution():
    """Over all u the same set of regions, each about as often."""
    x = torch.arange(9.0).expand(4000, 1, 9, 9)
    torch.manual_seed(0)
    theirs = nn.functional.fractional_max_pool2d(x, 2, output_size=6)[:, 0, 0]
    mine = create_pool("fractional_max", kernel_size=2, output_size=6).train()(x)[:, 0, 0]
    (found, counts), (expected, others) = (y.unique(dim=0, return_counts=True) for y in (mine, theirs))
    assert torch.equal(found, expected)
    assert ((counts - others).abs() / (counts + others) ** 0.5).max() < 4.5
