"""NetVLAD and MOP: the residuals, their start with and without features, and the regions of the scales."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import MOPPool2d, NetVLADPool2d
from poolab.pooling.head._kmeans import k_means, squared_distances
from poolab.pooling.head.vlad import descriptors, regions
from tests.pooling.support import distinct


def sharpness(pool: NetVLADPool2d) -> Tensor:
    """The alpha that each centroid's weight was tied with."""
    return pool.weight.norm(dim=1) / (2 * pool.centroids.norm(dim=1))


def shares(pool: NetVLADPool2d, x: Tensor) -> Tensor:
    """(N, K, n)."""
    return (pool.weight @ descriptors(x, pool.normalize_input) + pool.bias[:, None]).softmax(1)


def blobs(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Four centres far apart, and maps (4, 5, 10, 10) of vectors around them."""
    generator = torch.Generator().manual_seed(seed)
    centres = 4 * torch.eye(5)[:4] + 1
    member = torch.arange(400).remainder(4)[torch.randperm(400, generator=generator)]
    vectors = centres[member] + 0.1 * torch.randn(400, 5, generator=generator)
    return centres, vectors.view(4, 100, 5).transpose(1, 2).unflatten(2, (10, 10))


# -- NetVLAD


@pytest.mark.parametrize("normalize", [True, False])
def test_the_start_is_tied_so_that_the_shares_fall_with_the_squared_distance(normalize: bool):
    x = distinct(2, 5, 4, 3)
    pool = NetVLADPool2d(channels=5, clusters=3, normalize_input=normalize).double()
    pool.reset_parameters()
    alpha = sharpness(pool)[0]
    assert_close(pool.centroids.norm(dim=1), torch.ones(3).double())
    assert_close(pool.bias, -alpha * pool.centroids.square().sum(1))
    vectors = descriptors(x, normalize).transpose(1, 2)
    assert_close(shares(pool, x), (-alpha * squared_distances(vectors, pool.centroids)).softmax(2).transpose(1, 2))


@pytest.mark.parametrize(("channels", "clusters"), [(32, 8), (64, 64), (512, 64), (16, 128)])
def test_at_the_start_the_nearest_of_random_centroids_has_about_a_hundred_times_the_share(channels: int, clusters: int):
    torch.manual_seed(0)
    pool = NetVLADPool2d(channels=channels, clusters=clusters)
    first, second = shares(pool, torch.randn(4, channels, 20, 20)).log().topk(2, dim=1).values.unbind(1)
    assert 0.6 * math.log(100) < (first - second).mean() < 1.6 * math.log(100)


def test_hard_shares_are_the_classic_vlad():
    """With a large alpha each vector counts for its nearest centroid alone."""
    x = distinct(1, 3, 5, 5)
    pool = NetVLADPool2d(channels=3, clusters=4).double()
    with torch.no_grad():
        pool.weight.mul_(1e4)
        pool.bias.mul_(1e4)
    vectors = descriptors(x, True)[0].T
    nearest = squared_distances(vectors, pool.centroids).argmin(1)
    residuals = torch.stack([(vectors[nearest == k] - pool.centroids[k]).sum(0) for k in range(4)])
    expected = F.normalize(F.normalize(residuals, dim=1).flatten(), dim=0)
    assert_close(pool(x)[0], expected, rtol=1e-6, atol=1e-6)


def test_the_order_of_the_positions_does_not_matter():
    x, pool = distinct(1, 3, 4, 4), NetVLADPool2d(channels=3, clusters=2).double()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    assert_close(pool(x.flatten(2)[:, :, order].view(1, 3, 4, 4)), pool(x))


def test_a_cluster_without_members_fades_and_is_not_blown_up():
    """Nanne/pytorch-NetVlad and its relatives divide by the length clipped at 1e-12."""
    x, pool = distinct(1, 3, 4, 4), NetVLADPool2d(channels=3, clusters=2).double()
    with torch.no_grad():
        pool.bias[1] = pool.bias[0] - 40
    found = pool(x)[0].view(2, 3).norm(dim=1)
    assert found[0] > 0.99
    assert found[1] < 1e-6
    residual = (shares(pool, x)[0, 1, :, None] * (descriptors(x, True)[0].T - pool.centroids[1])).sum(0)
    assert_close(F.normalize(residual, dim=0).norm(), torch.tensor(1.0).double())


def test_one_cluster_needs_no_shares():
    x, pool = distinct(2, 3, 4, 4), NetVLADPool2d(channels=3, clusters=1).double()
    residual = (descriptors(x, True) - pool.centroids.view(1, 3, 1)).sum(2)
    assert_close(pool(x), F.normalize(residual, dim=1), rtol=1e-6, atol=1e-6)
    pool.init_from(x)
    assert pool(x).isfinite().all()


def test_the_start_is_a_function_of_the_global_generator():
    starts = []
    for seed in (0, 0, 1):
        pool = NetVLADPool2d(channels=3, clusters=2)
        torch.manual_seed(seed)
        pool.reset_parameters()
        starts.append(pool.centroids.detach().clone())
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


# -- the start from features


@pytest.mark.parametrize("normalize", [True, False])
def test_init_from_finds_the_centres_and_the_papers_sharpness(normalize: bool):
    centres, x = blobs()
    centres = F.normalize(centres, dim=1) if normalize else centres
    pool = NetVLADPool2d(channels=5, clusters=4, normalize_input=normalize)
    pool.init_from(x)
    assert squared_distances(centres, pool.centroids).amin(1).max() < 1e-2
    assert_close(pool.weight, 2 * sharpness(pool).mean() * pool.centroids)
    assert_close(pool.bias, -sharpness(pool).mean() * pool.centroids.square().sum(1))
    scores = pool.weight @ descriptors(x, normalize) + pool.bias[:, None]
    first, second = scores.topk(2, dim=1).values.unbind(1)
    assert_close((first - second).mean().exp(), torch.tensor(100.0), rtol=1e-2, atol=0.0)


def test_the_sharpness_comes_from_distances_and_not_from_indices():
    """Nanne/pytorch-NetVlad#25 and #84: kneighbors()[1], the indices, were squared, so that the order of the vectors
    decided; and the bias took |c| for |c|^2."""
    _, x = blobs()
    pools = [NetVLADPool2d(channels=5, clusters=4, normalize_input=False) for _ in range(2)]
    pools[0].init_from(x)
    pools[1].init_from(x.flip(0, 2, 3))
    assert_close(*(sharpness(pool).mean() for pool in pools))
    squares = pools[0].centroids.square().sum(1)
    assert (squares > 1.5).all(), "|c| and |c|^2 would not differ"
    assert_close(pools[0].bias / squares, -sharpness(pools[0]))
    scaled = NetVLADPool2d(channels=5, clusters=4, normalize_input=False)
    scaled.init_from(10 * x)
    assert_close(sharpness(scaled).mean(), sharpness(pools[0]).mean() / 100, rtol=1e-3, atol=0.0)


def test_init_from_is_repeatable_and_leaves_the_global_generator_alone():
    _, x = blobs()
    before, starts = torch.get_rng_state(), []
    pools = [NetVLADPool2d(channels=5, clusters=4) for _ in range(2)]
    torch.set_rng_state(before)
    for pool in pools:
        pool.init_from(x[0])  # one map, too
        starts.append(pool.centroids.detach().clone())
    assert torch.equal(*starts)
    assert torch.equal(before, torch.get_rng_state())
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in pools[0].parameters())


def test_init_from_takes_vectors_that_are_all_equal():
    pool = NetVLADPool2d(channels=3, clusters=4)
    for value in (0.0, 1.0):
        pool.init_from(torch.full((1, 3, 4, 4), value))
        assert all(parameter.isfinite().all() for parameter in pool.parameters())
        assert pool(torch.randn(2, 3, 4, 4)).isfinite().all()


def test_init_from_says_what_is_wrong():
    pool = NetVLADPool2d(channels=3, clusters=20)
    with pytest.raises(ValueError, match=r"20 clusters need at least as many vectors, found 16 in \(3, 4, 4\)"):
        pool.init_from(torch.ones(3, 4, 4))
    with pytest.raises(ValueError, match=r"init_from: made for channels=3, found 2 channels"):
        pool.init_from(torch.ones(1, 2, 8, 8))
    with pytest.raises(TypeError, match=r"init_from: the input must have a floating dtype"):
        pool.init_from(torch.ones(1, 3, 8, 8, dtype=torch.int64))


def test_k_means_never_ends_worse_than_it_began_and_keeps_a_centroid_that_lost_its_points():
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    spread = lambda centroids: squared_distances(points, centroids).amin(1).mean()  # noqa: E731
    for clusters in (1, 2, 7):
        found = k_means(points, clusters, seed=0)
        nearest = squared_distances(points, found).argmin(1)
        assert_close(found, torch.stack([points[nearest == k].mean(0) for k in range(clusters)]))
        assert spread(found) <= spread(points[:clusters])
    twice = k_means(torch.ones(5, 2), 3, seed=0)
    assert torch.equal(twice, torch.ones(3, 2))


# -- MOP


@pytest.mark.parametrize(("size", "scale", "count"), [(8, 2, 25), (8, 4, 49), (7, 2, 16), (3, 4, 9), (1, 2, 1)])
def test_the_regions_are_all_windows_of_a_part_of_the_side(size: int, scale: int, count: int):
    """On an 8x8 map 25 and 49, as many as the paper's patches of 128 and 64 pixels with stride 32 in 256."""
    found = regions(torch.arange(float(size * size)).view(1, 1, size, size), scale)
    assert found.numel() == count
    side = math.ceil(size / scale)
    first = torch.arange(float(size * size)).view(size, size)[:side, :side].mean()
    assert_close(found.flatten()[0], first)


def test_mop_is_its_parts():
    x = distinct(2, 3, 6, 5)
    pool = MOPPool2d(channels=3, clusters=2, scales=[2, 3]).double()
    parts = [F.normalize(x.mean((2, 3)), dim=1), *(v(regions(x, s)) for s, v in zip((2, 3), pool.vlads, strict=True))]
    assert_close(pool(x), torch.cat(parts, 1), rtol=1e-6, atol=1e-6)
    assert pool(x).shape[1] == pool.out_channels(3) == 3 + 2 * 2 * 3


def test_mop_of_one_position_regions_is_netvlad():
    x, pool = distinct(2, 3, 4, 4), MOPPool2d(channels=3, clusters=2, scales=[4]).double()
    assert_close(pool(x)[:, 3:], pool.vlads[0](x))


def test_mop_starts_from_features_scale_by_scale():
    _, x = blobs()
    pool = MOPPool2d(channels=5, clusters=3)
    pool.init_from(x)
    for scale, vlad in zip(pool.scales, pool.vlads, strict=True):
        alone = NetVLADPool2d(channels=5, clusters=3)
        alone.init_from(regions(x, scale))
        assert_close(vlad.centroids, alone.centroids)
    assert not torch.equal(pool.vlads[0].centroids, pool.vlads[1].centroids)


def test_the_scales_are_whole_numbers():
    for wrong in ([], [0], 2, [1.5]):
        with pytest.raises(ValueError, match="MOPPool2d: scales must be"):
            MOPPool2d(channels=3, scales=wrong)
