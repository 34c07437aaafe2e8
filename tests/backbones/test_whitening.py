"""airbench94's first layer: filters under which the patches of images are uncorrelated and of equal variance."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from poolab.backbones.whitening import EPS, patch_filters


def photographs(count=64, channels=3, side=16, seed=0):
    """Images whose neighbouring pixels and whose channels are alike, as a photograph's."""
    noise = torch.randn(count, channels, side + 3, side + 3, generator=torch.Generator().manual_seed(seed))
    smooth = F.avg_pool2d(noise, 4, stride=1) * 3
    return smooth + 0.5 * smooth.mean(1, keepdim=True)


def independent(images, eps=EPS):
    """The same filters in numpy, from a loop over the patches."""
    batch, channels, height, width = images.shape
    patches = [
        images[n, :, i : i + 2, j : j + 2].double().numpy().reshape(-1)
        for n in range(batch)
        for i in range(height - 1)
        for j in range(width - 1)
    ]
    second = np.mean([np.outer(patch, patch) for patch in patches], axis=0)
    values, vectors = np.linalg.eigh(second)
    rows = [vectors[:, i] / np.sqrt(values[i] + eps) for i in reversed(range(len(values)))]
    rows = [row if row[np.abs(row).argmax()] > 0 else -row for row in rows]
    return np.concatenate([rows, np.negative(rows)]).reshape(-1, channels, 2, 2)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_filters_are_those_of_a_plain_loop(channels):
    images = photographs(count=6, channels=channels, side=9)
    filters = patch_filters([images])
    assert filters.dtype == torch.float32
    np.testing.assert_allclose(filters.numpy(), independent(images), rtol=1e-4, atol=1e-5)


def test_outputs_are_uncorrelated_and_of_equal_variance():
    images = photographs()
    outputs = F.conv2d(images, patch_filters([images], eps=0.0)[:12]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(outputs @ outputs.T / outputs.shape[1], torch.eye(12), rtol=0, atol=1e-3)


def test_a_direction_without_variance_is_not_blown_up():
    grey = photographs(channels=1).expand(-1, 3, -1, -1)
    filters = patch_filters([grey])
    assert filters.isfinite().all()
    assert filters.flatten(1).norm(dim=1).max().item() == pytest.approx(EPS**-0.5, rel=1e-3)


def test_how_the_images_are_cut_into_batches_changes_nothing():
    images = photographs()
    torch.testing.assert_close(patch_filters(images.split(7)), patch_filters([images]), rtol=1e-5, atol=1e-6)


def test_the_order_of_the_images_changes_no_sign():
    images = photographs()
    torch.testing.assert_close(patch_filters([images.flip(0)]), patch_filters([images]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batches", [[], [torch.zeros(3, 1, 1, 5)]])
def test_without_a_patch(batches):
    with pytest.raises(ValueError, match="2x2 pixels"):
        patch_filters(batches)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_takes_its_filters_from_images(build, channels):
    model, images = build("airbench94", in_channels=channels, seed=0), photographs(channels=channels)
    bias, rest = model.whiten.bias, model.block1.conv1.weight.clone()
    model.fit_to(images.split(10))
    assert torch.equal(model.whiten.weight, patch_filters(images.split(10)))
    assert model.whiten.weight.shape == (8 * channels, channels, 2, 2)
    assert bias.requires_grad
    assert torch.equal(rest, model.block1.conv1.weight)


def test_frozen_weights_get_no_gradient_and_all_others_do(build):
    model = build("airbench94", seed=0).train()
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    frozen = {name for name, weight in model.named_parameters() if weight.grad is None}
    norms = {f"block{i}.bn{j}.weight" for i in (1, 2, 3) for j in (1, 2)}
    assert frozen == {"whiten.weight", *norms}
    assert all((model.get_parameter(name) == 1).all() for name in norms)


def test_other_backbones_look_at_no_image(build):
    def unread():
        raise AssertionError("an image was asked for")
        yield

    build("resnet20").fit_to(unread())
