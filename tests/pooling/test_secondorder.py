"""The second-order heads: products of channels, their sketch, and the root of the covariance."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from poolab.backbones import create_backbone
from poolab.pooling import BilinearPool2d, CompactBilinearPool2d, ISqrtCovPool2d, create_pool
from poolab.pooling.functional import bilinear_pool2d
from poolab.pooling.head._normalization import signed_root_unit, unit
from poolab.pooling.head.covariance import sqrt_by_iteration, upper_triangle
from tests.pooling.support import distinct, few, random_map

maps = st.builds(
    lambda seed, *shape: torch.from_numpy(random_map(seed, *shape)),
    st.integers(0, 1000),
    *(st.integers(1, most) for most in (3, 5, 6, 6)),
)


def raw(x: Tensor) -> Tensor:
    """(1/n) sum x x^T."""
    return bilinear_pool2d(x, normalize=False)


# -- lengths


@given(st.integers(0, 1000), st.integers(1, 40), st.floats(-3, 6))
@few(40)
def test_the_signed_root_is_that_of_the_definition_to_a_ten_thousandth(seed: int, count: int, power: float):
    z = torch.from_numpy(random_map(2 * seed, 1, count)) * 10**power
    plain = z.sign() * z.abs().sqrt()
    plain = plain / plain.norm()
    found = signed_root_unit(z)
    assert_close(found.norm(), torch.tensor(1.0, dtype=z.dtype), rtol=1e-4, atol=0.0)
    at_the_mean = z.abs() >= z.abs().mean()
    assert_close(found[at_the_mean], plain[at_the_mean], rtol=1e-4, atol=0.0)
    assert_close(found, plain, rtol=0.0, atol=0.01 / math.sqrt(count))


def test_the_root_has_a_slope_at_zero_where_public_code_has_none():
    """sign(z) sqrt(|z|) has an infinite slope at 0, sign(z) sqrt(|z| + 1e-8) (fast-MPN-COV's CBP.py) jumps there."""
    z = torch.tensor([[1.0, 0.0, -1.0]], requires_grad=True)
    (public,) = torch.autograd.grad((z.sign() * z.abs().sqrt()).sum(), z)
    assert not public.isfinite().all()
    (slope,) = torch.autograd.grad(signed_root_unit(z)[0, 1], z)
    assert slope[0, 1].item() == pytest.approx(100 * math.sqrt(3) / 2, rel=1e-5)
    small = torch.tensor([[1.0, 1e-12], [1.0, -1e-12]], dtype=torch.float64)
    assert abs(float(signed_root_unit(small)[:, 1].diff())) < 1e-9


def test_short_vectors_fade_to_zero():
    short = torch.tensor([[3e-9, 4e-9], [3.0, 4.0]])
    assert_close(unit(short, 1).norm(dim=1), torch.tensor([5e-5, 1.0]))
    assert_close(signed_root_unit(torch.full((1, 4), 1e-30)), torch.full((1, 4), 1e-22 / math.sqrt(2.5e-5)))


# -- bilinear


@given(maps)
@few(40)
def test_the_products_of_the_centred_map_are_its_covariance(x: Tensor):
    middle = x.mean((2, 3))
    centred = raw(x - middle[:, :, None, None])
    assert_close(centred, raw(x) - (middle[:, :, None] * middle[:, None]).flatten(1))
    for row, one in zip(centred, x, strict=True):
        assert_close(row, torch.from_numpy(np.atleast_2d(np.cov(one.flatten(1).numpy(), bias=True))).flatten())


@given(maps, st.floats(0.1, 100), st.randoms(use_true_random=False))
@few(40)
def test_neither_scale_nor_order_of_the_positions_matters(x: Tensor, scale: float, random: object):
    order = list(range(x.shape[2] * x.shape[3]))
    random.shuffle(order)
    shuffled = x.flatten(2)[:, :, order].unflatten(2, x.shape[2:])
    features = bilinear_pool2d(x)
    alive = x.abs().amax((1, 2, 3)) > 0.1  # a dead map has no direction
    assert_close(bilinear_pool2d(shuffled * scale)[alive], features[alive], rtol=1e-7, atol=1e-6)
    matrix = features.unflatten(1, (x.shape[1],) * 2)
    assert_close(matrix, matrix.transpose(1, 2))
    assert_close(features.norm(dim=1)[alive], torch.ones(int(alive.sum())).double(), rtol=1e-4, atol=0.0)


def test_channels_that_never_fire_together_have_a_finite_gradient():
    x = torch.eye(4).view(1, 4, 2, 2).requires_grad_()
    features = BilinearPool2d()(x)
    assert_close(features, (torch.eye(4) / 2).flatten()[None], rtol=1e-3, atol=0.0)
    assert torch.autograd.grad(features.sum(), x)[0].abs().max() < 1e3


# -- compact bilinear


def test_the_expected_product_of_two_sketches_is_the_squared_product():
    """E <y(a), y(b)> = <a, b>^2 over the seeds, also where few bins make each single estimate poor."""
    a, b = distinct(2, 6, 1, 1, seed=3)
    products = []
    for seed in range(1500):
        pool = CompactBilinearPool2d(channels=6, output_dim=8, seed=seed, normalize=False).double()
        products.append(float(pool(a).dot(pool(b))))
    error = np.std(products) / math.sqrt(len(products))
    assert abs(np.mean(products) - float((a * b).sum()) ** 2) < 4.5 * error
    assert error < 0.2 * float((a * b).sum()) ** 2, "the bound says nothing"


def test_many_bins_make_one_sketch_keep_the_products():
    x = distinct(5, 4, 3, 3)
    sketch = CompactBilinearPool2d(channels=4, output_dim=100_003, normalize=False).double()(x)
    assert_close(sketch @ sketch.T, raw(x) @ raw(x).T)  # no two pairs share a bin


@pytest.mark.parametrize("length", [1, 2, 7, 16])
def test_any_length_of_sketch(length: int):
    assert create_pool("compact_bilinear", channels=3, output_dim=length)(torch.ones(2, 3, 4, 4)).shape == (2, length)


def test_a_bin_without_a_pair_is_zero():
    """By FFT it holds rounding, about 1e-8 of the rest, of which the signed root makes 1e-4."""
    pool, x = CompactBilinearPool2d(channels=3, output_dim=64), distinct(1, 3, 8, 8, dtype=torch.float32)
    taken = set(((pool.bins[0, :, None] + pool.bins[1]) % 64).flatten().tolist())
    empty = [place for place in range(64) if place not in taken]
    assert len(empty) >= 64 - 9
    assert pool(x)[0, empty].count_nonzero() == 0
    vectors = x[0].flatten(1)
    first, second = (torch.zeros(64, 64).index_add(0, pool.bins[i], pool.signs[i, :, None] * vectors) for i in (0, 1))
    public = torch.fft.irfft(torch.fft.rfft(first, dim=0) * torch.fft.rfft(second, dim=0), dim=0).mean(1)
    assert signed_root_unit(public[None])[0, empty].abs().max() > 1e-6


def test_the_sketch_leaves_the_global_generator_alone_and_comes_from_the_seed():
    """jiangtaoxie/fast-MPN-COV, CBP.py: torch.manual_seed(1) in the constructor, so every run goes on with one stream.

    Read in the code; no thread found.
    """
    sketches = []
    for outer in (1, 2):
        torch.manual_seed(outer)
        before = torch.get_rng_state()
        pool = CompactBilinearPool2d(channels=6)
        pool.reset_parameters()
        assert torch.equal(before, torch.get_rng_state())
        sketches.append(torch.cat([pool.bins.flatten().double(), pool.signs.flatten().double()]))
    assert torch.equal(*sketches)
    other = CompactBilinearPool2d(channels=6, seed=1)
    assert not torch.equal(other.bins, pool.bins)
    assert set(pool.signs.flatten().tolist()) == {-1.0, 1.0}
    assert not torch.equal(pool.bins[0], pool.bins[1])


def test_the_sketch_is_in_the_state_and_follows_the_module():
    """fast-MPN-COV's CBP.py keeps it in plain lists: a checkpoint without it is worth nothing."""
    x = distinct(2, 6, 3, 3, dtype=torch.float32)
    pool, other = (CompactBilinearPool2d(channels=6, output_dim=16, seed=seed) for seed in (0, 1))
    assert not torch.equal(pool(x), other(x))
    other.load_state_dict(pool.state_dict(), strict=True)
    assert torch.equal(pool(x), other(x))
    assert {name: value.dtype for name, value in pool.half().state_dict().items()} == {
        "bins": torch.int64,
        "signs": torch.float16,
    }
    assert all(value.is_meta for value in pool.to("meta").state_dict().values())
    pool.to_empty(device="cpu").reset_parameters()
    assert_close(pool.float()(x), CompactBilinearPool2d(channels=6, output_dim=16)(x))


def test_a_run_s_seed_changes_the_weights_and_not_the_sketch():
    head = {"name": "compact_bilinear", "output_dim": 16}
    heads = [
        create_backbone("keras_cnn", in_channels=1, num_classes=3, image_size=16, head=head, seed=seed).head
        for seed in (0, 1)
    ]
    expected = CompactBilinearPool2d(channels=heads[0].channels, output_dim=16)
    for found in heads:
        assert torch.equal(found.bins, expected.bins)
        assert torch.equal(found.signs, expected.signs)


# -- the root of the covariance


def matrix_of(features: Tensor, size: int) -> Tensor:
    """The symmetric matrices (N, d, d) of upper triangles."""
    row, column = torch.triu_indices(size, size)
    whole = torch.zeros(len(features), size, size, dtype=features.dtype)
    whole[:, row, column] = whole[:, column, row] = features
    return whole


@given(st.integers(0, 1000), st.integers(1, 5))
@few(30)
def test_the_square_of_the_root_is_the_covariance(seed: int, channels: int):
    x = torch.from_numpy(random_map(seed, 2, channels, 6, 7))
    root = matrix_of(ISqrtCovPool2d(channels=channels, dim=None, iterations=40)(x), channels)
    covariance = raw(x - x.mean((2, 3), keepdim=True)).unflatten(1, (channels, channels))
    assert_close(root @ root, covariance, rtol=1e-6, atol=1e-6)
    assert (torch.linalg.eigvalsh(root) > -1e-6).all()


def test_five_iterations_have_not_converged_for_small_eigenvalues_and_more_come_nearer():
    matrix = torch.diag(torch.tensor([1.0, 0.1, 1e-3], dtype=torch.float64))[None]
    errors = [(sqrt_by_iteration(matrix, count)[0].diagonal() - matrix[0].diagonal().sqrt()).abs() for count in (5, 10)]
    assert errors[0][0] < 1e-4
    assert errors[0][2] > 1e-2
    assert errors[1][2] < errors[0][2] / 10
    assert sqrt_by_iteration(matrix, 30).sub(matrix.sqrt()).abs().max() < 1e-9


def test_one_iteration_is_the_first_step():
    """Its public code was wrong for one iteration (jiangtaoxie/fast-MPN-COV#7)."""
    matrix = torch.tensor([[[0.5, 0.1], [0.1, 0.5]]])  # of trace 1
    assert_close(sqrt_by_iteration(matrix, 1), 0.5 * matrix @ (3 * torch.eye(2) - matrix))


@given(maps, st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
@few(40)
def test_the_root_has_the_scale_of_the_map_and_no_offset(x: Tensor, scale: float, offset: float):
    pool = ISqrtCovPool2d(channels=x.shape[1], dim=None)
    assert not list(pool.parameters())
    assert_close(pool(-scale * x + offset), scale * pool(x), rtol=1e-6, atol=1e-6 * (scale + abs(offset)))


@pytest.mark.parametrize("dim", [3, None])
@pytest.mark.parametrize("value", [0.0, 3.0, -1e4])
def test_a_constant_map_gives_zeros_and_a_finite_gradient(dim: int | None, value: float):
    """fast-MPN-COV's MPNCOV.py divides by the trace: 0/0 forward, and the root of 0 backward."""
    x = torch.full((2, 3, 4, 4), value, requires_grad=True)
    features = ISqrtCovPool2d(channels=3, dim=dim).eval()(x)
    assert features.abs().max() < 1e-3
    assert torch.autograd.grad(features.sum(), x)[0].isfinite().all()


def test_the_trace_is_never_negative():
    """x (I/n - 11^T/n^2) x^T of a map far from zero can have a negative trace (jiangtaoxie/fast-MPN-COV#24)."""
    x = 1e4 + 1e-3 * torch.randn(8, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    vectors, n = x.flatten(2), 49
    centring = torch.eye(n) / n - torch.full((n, n), 1 / n**2)
    public = (vectors @ centring @ vectors.transpose(1, 2)).diagonal(dim1=1, dim2=2).sum(1)
    assert (public < 0).any()
    assert ISqrtCovPool2d(channels=4, dim=None)(x).isfinite().all()


def test_the_products_stay_in_float32_under_autocast():
    x = distinct(2, 4, 6, 6, dtype=torch.float32)
    for name in ("bilinear", "compact_bilinear", "isqrt_cov", "netvlad", "mop"):
        pool = create_pool(name, channels=4, **({"dim": None} if name == "isqrt_cov" else {}))
        expected = pool(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(pool(x), expected), name


def test_the_features_are_the_rows_from_the_diagonal_on():
    assert upper_triangle(torch.arange(9.0).view(1, 3, 3)).tolist() == [[0, 1, 2, 4, 5, 8]]


def test_batch_normalisation_needs_more_than_one_value():
    pool = ISqrtCovPool2d(channels=3, dim=2)
    with pytest.raises(ValueError, match=r"ISqrtCovPool2d: in training .* more than one value .* found \(1, 3, 1, 1\)"):
        pool(torch.ones(1, 3, 1, 1))
    assert pool(torch.ones(2, 3, 1, 1)).tolist() == [[0.0] * 3] * 2
    assert pool.eval()(torch.ones(3, 1, 1)).tolist() == [0.0] * 3
    assert ISqrtCovPool2d(channels=3, dim=None).train()(torch.ones(1, 3, 1, 1)).count_nonzero() == 0


def test_an_empty_batch_leaves_the_running_statistics_alone():
    pool = ISqrtCovPool2d(channels=3, dim=2)
    before = pool.reduction[1].running_mean.clone()
    assert pool(torch.ones(0, 3, 4, 4)).shape == (0, 3)
    assert torch.equal(pool.reduction[1].running_mean, before)


def test_dim_is_a_number_or_none():
    for wrong in (0, 2.5, True, "256"):
        with pytest.raises(ValueError, match=r"ISqrtCovPool2d: dim must be an int from 1 to 16384 or None, found"):
            ISqrtCovPool2d(channels=3, dim=wrong)


# -- all of them


@pytest.mark.parametrize("name", ["compact_bilinear", "isqrt_cov", "netvlad", "mop"])
def test_a_map_with_other_channels_is_told(name: str):
    with pytest.raises(ValueError, match=r"2d: made for channels=3, found 4 channels in \(2, 4, 5, 5\)"):
        create_pool(name, channels=3)(torch.ones(2, 4, 5, 5))
    with pytest.raises(ValueError, match="needs channels"):
        create_pool(name)


@pytest.mark.parametrize(
    "head",
    [
        {"name": "bilinear"},
        {"name": "compact_bilinear", "output_dim": 64},
        {"name": "isqrt_cov", "dim": 8},
        {"name": "netvlad", "clusters": 4},
        {"name": "mop", "clusters": 4},
    ],
    ids=lambda head: head["name"],
)
def test_a_network_trains_with_it(head: dict):
    torch.manual_seed(0)
    model = create_backbone("torch_cnn", in_channels=1, num_classes=2, image_size=16, head=head, seed=0).train()
    images = torch.randn(16, 1, 16, 16)
    labels = (images.mean((1, 2, 3)) > 0).long()
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-3), []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(parameter.grad.count_nonzero() for parameter in model.head.parameters())
