"""Surgery on networks beside those of torchvision's and timm's classifiers: detection, video, transformers, MONAI."""

import warnings

import pytest
import torch

from poolab.backbones import swap_pooling
from poolab.backbones.surgery import find_sites
from poolab.pooling import Pool

pytestmark = pytest.mark.zoo


def _torchvision(module, name, **options):
    from torchvision import models

    return getattr(getattr(models, module), name)(weights=None, weights_backbone=None, **options)


def _video(name):
    from torchvision.models import video

    return getattr(video, name)(num_classes=5)


IMAGES, CLIP = torch.zeros(2, 3, 96, 96), torch.zeros(1, 3, 16, 64, 64)
TORCHVISION = {
    "fasterrcnn": (
        lambda: _torchvision("detection", "fasterrcnn_resnet50_fpn", num_classes=5, min_size=96, max_size=96),
        list(IMAGES),
    ),
    "retinanet": (
        lambda: _torchvision("detection", "retinanet_resnet50_fpn", num_classes=5, min_size=96, max_size=96),
        list(IMAGES),
    ),
    "deeplabv3": (lambda: _torchvision("segmentation", "deeplabv3_resnet50", num_classes=5), IMAGES),
    "fcn": (lambda: _torchvision("segmentation", "fcn_resnet50", num_classes=5), IMAGES),
    "r3d_18": (lambda: _video("r3d_18"), CLIP),
    "s3d": (lambda: _video("s3d"), torch.zeros(1, 3, 16, 224, 224)),
    "mc3_18": (lambda: _video("mc3_18"), CLIP),
}
TRANSFORMERS = {
    "ResNet": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128], "embedding_size": 16},
    "RegNet": {"depths": [1, 1, 1, 1], "hidden_sizes": [32, 64, 96, 128], "groups_width": 16},
    "ConvNext": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128]},
    "ConvNextV2": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128]},
    "MobileNetV1": {},
    "MobileNetV2": {},
    "EfficientNet": {"image_size": 96, "hidden_dim": 640, "width_coefficient": 0.5, "depth_coefficient": 0.5},
    "PoolFormer": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128]},
    "PvtV2": {"image_size": 96},
    "Segformer": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128]},
    "Bit": {"depths": [1, 1, 1, 1], "hidden_sizes": [32, 64, 96, 128], "embedding_size": 32, "num_groups": 8},
    "Cvt": {},
}
MONAI = {
    "DenseNet121 in 3-d": ("DenseNet121", {"spatial_dims": 3, "in_channels": 1, "out_channels": 3}, (1, 1, 32, 32, 32)),
    "DenseNet121 in 2-d": ("DenseNet121", {"spatial_dims": 2, "in_channels": 1, "out_channels": 3}, (1, 1, 64, 64)),
    "BasicUNet in 3-d": ("BasicUNet", {"spatial_dims": 3, "features": (8, 8, 16, 16, 32, 8)}, (1, 1, 32, 32, 32)),
    "BasicUNet in 2-d": ("BasicUNet", {"spatial_dims": 2, "features": (8, 8, 16, 16, 32, 8)}, (1, 1, 64, 64)),
    "UNet in 3-d": (
        "UNet",
        {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": (4, 8, 16), "strides": (2, 2)},
        (1, 1, 32, 32, 32),
    ),
    "resnet18 in 3-d": ("resnet18", {"spatial_dims": 3, "n_input_channels": 1, "num_classes": 3}, (1, 1, 32, 32, 32)),
}


def operate(network, example):
    """Swap what pools, windows before strided convolutions, and run one step in training."""
    warnings.simplefilter("ignore")
    sites = find_sites(network.eval(), example).all
    kind = "window" if any(site.kind == "window" for site in sites) else "strided_conv"
    report = swap_pooling(network, "avg_topk", slots=kind, example_input=example)
    assert report.replaced
    assert not report.unreachable
    ran = []
    pools = [module for module in network.modules() if isinstance(module, Pool)]
    for pool in pools:
        pool.register_forward_hook(lambda module, *_: ran.append(module))
    output = network(example) if not isinstance(example, dict) else network(**example)
    assert set(ran) == set(pools)
    leaves = [each for each in torch.utils._pytree.tree_leaves(output) if isinstance(each, torch.Tensor)]
    leaves = leaves or [each for each in vars(output).values() if isinstance(each, torch.Tensor)]
    total = sum(each.sum() for each in leaves if each.requires_grad)
    if isinstance(total, torch.Tensor):
        total.backward()
    return report


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name):
    build, example = TORCHVISION[name]
    torch.manual_seed(0)
    report = operate(build(), example)
    if name in ("r3d_18", "s3d", "mc3_18"):
        assert all("3d" in place.was.lower() for place in report.replaced)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name):
    transformers = pytest.importorskip("transformers", reason="transformers is missing: the extra networks has it")
    torch.manual_seed(0)
    configuration = getattr(transformers, f"{name}Config")(num_labels=5, **TRANSFORMERS[name])
    operate(getattr(transformers, f"{name}ForImageClassification")(configuration), {"pixel_values": IMAGES})


@pytest.mark.parametrize("name", MONAI)
def test_monai(name):
    networks = pytest.importorskip("monai.networks.nets", reason="monai is missing: the extra networks has it")
    kind, options, shape = MONAI[name]
    torch.manual_seed(0)
    operate(getattr(networks, kind)(**options), torch.randn(shape))
