"""Filters that whiten small patches of images: uncorrelated outputs of equal variance, found without training."""

from collections.abc import Iterable

import torch

PATCH = 2  # pixels a side
EPS = 5e-4  # added to the variances, so that directions in which images hardly differ are not blown up


def patch_filters(batches: Iterable[torch.Tensor], patch: int = PATCH, eps: float = EPS) -> torch.Tensor:
    """Compute whitening filters, (2 D, C, patch, patch) with D = C * patch**2, from batches of images (N, C, H, W).

    With the eigenvectors v_i and eigenvalues l_i of the patches' second moments, the first D filters are
    v_i / sqrt(l_i + eps), the largest eigenvalue first, and the other D their negatives. Moments are about zero and not
    about the mean, as in airbench94 (Jordan 2024, arXiv:2404.00498), which whitens normalised images. An eigenvector
    and its negative are both right: the one is taken whose largest entry is positive, so that every machine gives the
    same filters.

    >>> images = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> filters = patch_filters([images])
    >>> outputs = torch.nn.functional.conv2d(images, filters[:4]).transpose(0, 1).flatten(1)
    >>> torch.allclose(outputs @ outputs.T / outputs.shape[1], torch.eye(4), atol=0.002)
    True

    Raises:
        ValueError: there are no images, or they are smaller than a patch.
    """
    moments, count, channels = torch.zeros(()), 0, 0
    for images in batches:
        columns = _columns(images, patch)
        moments = moments + columns @ columns.T
        count, channels = count + columns.shape[1], images.shape[1]
    if not count:
        raise ValueError(f"whitening needs images of at least {patch}x{patch} pixels: there was no patch to look at")
    values, vectors = torch.linalg.eigh(moments / count)
    vectors = vectors * vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    filters = (vectors / (values + eps).sqrt()).flip(1).T.reshape(-1, channels, patch, patch)
    return torch.cat([filters, -filters]).float()


def _columns(images: torch.Tensor, patch: int) -> torch.Tensor:
    """Return all patches as float64 columns (D, count), in the order of a convolution's weights."""
    height, width = (max(0, side - patch + 1) for side in images.shape[2:])
    views = [images[:, :, i : i + height, j : j + width] for i in range(patch) for j in range(patch)]
    return torch.stack(views, 2).permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1).double()
