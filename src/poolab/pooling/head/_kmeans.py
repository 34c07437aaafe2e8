"""K-means, for the start of the centroids that a head learns further."""

import torch
from torch import Tensor

ROUNDS = 100


def k_means(points: Tensor, clusters: int, seed: int) -> Tensor:
    """Return the centroids (K, C) that Lloyd's rounds find for points (M, C), started by k-means++.

    A centroid that loses all its points stays where it is. The same points and seed give the same centroids.

    >>> k_means(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), 2, seed=0).sort(0).values
    tensor([[ 0.5000],
            [10.5000]])
    """
    centroids, before = _spread(points, clusters, seed), None
    for _ in range(ROUNDS):
        nearest = squared_distances(points, centroids).argmin(1)
        if before is not None and torch.equal(nearest, before):
            break
        sums = torch.zeros_like(centroids).index_add(0, nearest, points)
        counts = nearest.bincount(minlength=clusters)[:, None]
        centroids, before = torch.where(counts > 0, sums / counts.clamp_min(1), centroids), nearest
    return centroids


def squared_distances(points: Tensor, centroids: Tensor) -> Tensor:
    """Return |x - c|^2 for every pair, (M, K)."""
    # Not |x|^2 - 2 x.c + |c|^2, of which cdist's fast path is made: it loses small distances of long vectors.
    return torch.cdist(points, centroids, compute_mode="donot_use_mm_for_euclid_dist").square()


def _spread(points: Tensor, clusters: int, seed: int) -> Tensor:
    """Draw points one after another, each with a probability that grows with the squared distance to the others."""
    generator = torch.Generator().manual_seed(seed)
    chosen = points[torch.randint(len(points), (1,), generator=generator, device="cpu").to(points.device)]
    for _ in range(clusters - 1):
        far = squared_distances(points, chosen).amin(1).cpu()
        # Where fewer points differ than there are clusters, all distances are 0 and any point will do.
        drawn = torch.multinomial(far.clamp_min(torch.finfo(far.dtype).tiny), 1, generator=generator)
        chosen = torch.cat([chosen, points[drawn.to(points.device)]])
    return chosen
