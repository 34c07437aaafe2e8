"""The U-Net keeps the images' size whatever its poolings do, and has no head."""

from itertools import pairwise

import pytest
import torch

from poolab.backbones import VanishError, backbone_task, list_backbones
from poolab.errors import ConfigError
from poolab.measure import parameters
from poolab.pooling import get_pool, list_pools


@pytest.mark.parametrize("size", [16, 31, (17, 40)])
def test_scores_have_the_images_size(build, size):
    model = build("unet", width=2, image_size=size).eval()
    assert model(torch.zeros(2, 3, *model.image_size)).shape == (2, 10, *model.image_size)
    assert model(torch.zeros(1, 3, 50, 33)).shape == (1, 10, 50, 33)  # another size than it was built for


@pytest.mark.parametrize("pooling", list_pools("window"))
def test_every_window_pooling_fits(build, pooling):
    model = build("unet", width=2, image_size=(19, 22), pooling={"name": pooling}, seed=0)
    model(torch.randn(2, 3, 19, 22)).sum().backward()
    assert model.down[0][0].weight.grad.isfinite().all()
    assert {slot.pooling for slot in model.slots.values()} == {pooling}
    assert not get_pool(pooling).resizes or model.slot_module("pool1").resizes


@pytest.mark.parametrize(
    "geometry",
    [
        {"kernel_size": 3, "stride": 1, "padding": 1},  # the map keeps its size
        {"kernel_size": 2, "stride": 1},  # or loses one pixel
        {"kernel_size": 2, "stride": 1, "padding": 1},  # or gains one
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": [2, 1]},
    ],
)
def test_any_geometry_fits(build, geometry):
    model = build("unet", width=2, image_size=21, pooling={"name": "avg", **geometry})
    assert model(torch.randn(2, 3, 21, 21)).shape == (2, 10, 21, 21)


def test_a_method_that_keeps_the_size_fits_one_that_changes_the_channels_is_refused(build):
    model = build("unet", width=4, image_size=16, pooling={"name": "pixel_pyramid", "project": True})
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 10, 16, 16)
    with pytest.raises(ConfigError, match="inter_map turns the 8 channels of slot pool1 into 4"):
        build("unet", pooling={"name": "inter_map"})


def test_it_has_no_head(build):
    assert "head" not in build("unet", head={"name": "own"}).slots
    with pytest.raises(ConfigError, match=r"unet has no head.*head=global_avg cannot be used.*Leave head=own"):
        build("unet", head={"name": "global_avg"})
    with pytest.raises(ConfigError, match="no pooling slot head: the head is chosen with head="):
        build("unet", pooling={"name": "avg", "slots": ["head"]})


def test_too_small_an_image_names_the_place_and_the_size_that_works(build):
    with pytest.raises(VanishError, match=r"slot pool4 .*where it is 1x1.*smallest image that works is 16x16"):
        build("unet", image_size=15)


def test_parameters_by_hand(build):
    def stage(before, after):
        return 9 * before * after + 9 * after * after + 4 * after

    widths = [4, 8, 16, 32, 64]
    down = sum(stage(before, after) for before, after in zip([3, *widths[:-1]], widths, strict=True))
    up = sum(wide * thin + thin + stage(2 * thin, thin) for thin, wide in pairwise(widths))
    assert parameters(build("unet", width=4)) == down + up + 10 * (4 + 1)


def test_widths(build):
    def widths(model):
        return [slot.channels for slot in model.slots.values()]

    assert widths(build("unet", width=6, width_mult=0.5)) == [3, 6, 12, 24]
    assert widths(build("unet", width=2, width_mult=0.1)) == [1, 1, 1, 2]  # 0.2, 0.4, 0.8, 1.6
    for wrong in (0, 2.5, True, "8"):
        with pytest.raises(ConfigError, match="unet: width="):
            build("unet", width=wrong)


def test_a_reduction_before_the_interpolation_is_one_behind_it(build):
    """What the comment in `UpStage` claims: a 1x1 convolution and the interpolation commute."""
    reduce = build("unet", width=4, seed=0).up[1].reduce
    x = torch.randn(2, 16, 3, 4)

    def enlarged(x):
        return torch.nn.functional.interpolate(x, size=(7, 8), mode="bilinear", align_corners=False)

    torch.testing.assert_close(enlarged(reduce(x)), reduce(enlarged(x)))


def test_every_pixel_sees_the_bottom_and_its_own_neighbourhood(build):
    """The score of one pixel depends on far pixels by way of the bottom, and most on near ones by the skips."""
    model = build("unet", width=4, image_size=64, seed=0).eval()
    images = torch.randn(1, 3, 64, 64, requires_grad=True)
    model(images)[0, 0, 8, 8].backward()
    weight = images.grad.abs().sum(1)[0]
    assert weight[40:, 40:].sum() > 0
    assert weight[4:13, 4:13].mean() > 10 * weight[20:, 20:].mean()


def test_each_backbone_says_its_task():
    assert list_backbones("segmentation") == ["unet"]
    assert set(list_backbones("classification")) == set(list_backbones()) - {"unet"}
    assert backbone_task("resnet20") == "classification"
    with pytest.raises(ConfigError, match="did you mean unet"):
        backbone_task("unett")
