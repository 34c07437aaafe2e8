"""The second-order heads against public packages.

timm 1.0, kornia 0.9, torchvision, antialiased_cnns and pytorch_wavelets have none of these heads (the only
Newton-Schulz in timm and torch is Muon's, of another polynomial, for orthogonalisation). What there is: torch's
covariance, eigenvectors and `nn.Bilinear`, and scikit-learn's Tensor Sketch.
"""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from poolab.pooling import CompactBilinearPool2d, ISqrtCovPool2d
from poolab.pooling.functional import bilinear_pool2d
from tests.pooling.support import distinct


def test_torchs_bilinear_layer_is_another_thing():
    """`nn.Bilinear` gives learned forms x^T A_k y + b_k of two vectors, without pooling. Only with A_k = e_i e_j^T, no
    bias, y = x and the mean over the positions is it the bilinear head before normalisation."""
    x = distinct(2, 3, 4, 5)
    layer = nn.Bilinear(3, 3, 9, bias=False).double()
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        for i in range(3):
            for j in range(3):
                layer.weight[3 * i + j, i, j] = 1.0
    vectors = x.flatten(2).transpose(1, 2).contiguous()
    assert_close(layer(vectors, vectors).mean(1), bilinear_pool2d(x, normalize=False))
    assert list(nn.Bilinear(3, 3, 9).parameters()), "it learns, the head does not"


def test_the_root_is_that_of_torchs_covariance_by_eigenvectors():
    """Equal to 1e-6 after 40 iterations; after the paper's 5 the smallest eigenvalues are up to 1e-2 too small."""
    x = distinct(1, 4, 6, 7)
    covariance = torch.cov(x[0].flatten(1), correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.sqrt()) @ vectors.T
    row, column = torch.triu_indices(4, 4)
    found = {n: ISqrtCovPool2d(channels=4, dim=None, iterations=n)(x)[0] for n in (5, 40)}
    assert_close(found[40], root[row, column], rtol=1e-6, atol=1e-6)
    difference = (found[5] - root[row, column]).abs().max()
    assert 1e-7 < difference < 0.05


def test_the_sketch_is_scikit_learns_tensor_sketch_with_the_same_hashes():
    """`PolynomialCountSketch` takes single vectors, draws its hashes from a seed of its own and adds nothing after:
    with our hashes put in, the mean over the positions is our sketch, to the rounding of its FFT."""
    approximation = pytest.importorskip("sklearn.kernel_approximation")
    x = distinct(2, 5, 3, 4)
    pool = CompactBilinearPool2d(channels=5, output_dim=16, normalize=False).double()
    peer = approximation.PolynomialCountSketch(degree=2, n_components=16, random_state=0)
    peer.fit(x[0].flatten(1).T.numpy())
    assert peer.indexHash_.shape == tuple(pool.bins.shape)
    peer.indexHash_, peer.bitHash_ = pool.bins.numpy(), pool.signs.numpy()
    for one, found in zip(x, pool(x), strict=True):
        expected = torch.from_numpy(peer.transform(one.flatten(1).T.numpy())).mean(0)
        assert_close(found, expected, rtol=0.0, atol=1e-12)


def test_the_centroids_spread_no_worse_than_scikit_learns():
    """Both start by k-means++ and end in a local minimum, which need not be the same one."""
    cluster = pytest.importorskip("sklearn.cluster")
    from poolab.pooling.head._kmeans import k_means, squared_distances

    points = distinct(300, 4)
    best = cluster.KMeans(6, n_init=10, random_state=0).fit(points.numpy()).inertia_
    found = min(float(squared_distances(points, k_means(points, 6, seed)).amin(1).sum()) for seed in range(10))
    assert found == pytest.approx(best, rel=0.03)
