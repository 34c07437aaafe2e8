"""Networks of torchvision and timm, and what surgery does to one of them."""

from dataclasses import dataclass

import torch

from poolab.backbones import swap_pooling
from poolab.backbones.surgery import find_sites
from tests.backbones.surgery.sameness import assert_same

METHODS = {"avg_topk": {}, "mixed": {"learnable": True, "sharing": "channel"}}
USED = "avg_topk"  # the method that the uses are tried with
SIDE = 64  # pixels, unless a network needs more: name:side

TORCHVISION = """
alexnet:96 convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3:299 maxvit_t:224
mnasnet0_5 mobilenet_v2 mobilenet_v3_small regnet_y_400mf resnet18 resnext50_32x4d shufflenet_v2_x0_5
squeezenet1_0 squeezenet1_1 swin_t vgg11 vgg11_bn wide_resnet50_2
"""
TIMM = """
coatnet_pico_rw_224:224 convnext_atto cs3darknet_s cspdarknet53 cspresnet50 darknet17 densenet121 dla34 dpn68
eca_botnext26ts_256:256 ecaresnet26t edgenext_xx_small efficientformer_l1:224 efficientnet_b0 ese_vovnet19b_dw
fasternet_t0 fastvit_t8 fbnetc_100 gernet_s ghostnet_050 hardcorenas_a hgnet_tiny hgnetv2_b0 hrnet_w18_small
inception_next_atto inception_resnet_v2:128 inception_v3:128 inception_v4:128 lambda_resnet26t:128
legacy_seresnet18 legacy_xception levit_128s:224 maxvit_pico_rw_256:256 mixnet_s mnasnet_small
mobilenetv3_small_050 mobilenetv4_conv_small mobileone_s0 mobilevit_xxs mvitv2_tiny:224 nasnetalarge
nextvit_small nf_resnet26 nfnet_f0 pit_ti_224:224 pnasnet5large poolformer_s12 pvt_v2_b0 regnety_002 repvgg_a0
repvit_m0_9 res2net50_14w_8s resnest14d resnet18 resnet26d resnetv2_50 resnext26ts rexnet_100 selecsls42
shvit_s1 skresnet18 starnet_s1 swiftformer_xs tf_efficientnet_b0 tresnet_m vgg11 visformer_tiny:224 vovnet39a
xception41
"""
NETWORKS = [f"torchvision/{name}" for name in TORCHVISION.split()] + [f"timm/{name}" for name in TIMM.split()]


@dataclass
class Row:
    """What surgery did to one network with one method."""

    network: str
    method: str
    slots: str
    replaced: int = 0
    unreachable: int = 0
    forward: bool = False
    backward: bool = False
    reason: str = ""

    @property
    def works(self) -> bool:
        """Whether everything that pools was replaced, and the network computes and learns with it."""
        return self.replaced > 0 and not self.unreachable and self.forward and self.backward


def build(network):
    """A network of ten classes with random weights, in training mode."""
    library, _, name = network.partition("/")
    torch.manual_seed(0)
    if library == "timm":
        import timm

        return timm.create_model(name, num_classes=10).train()
    from torchvision.models import get_model

    # The Inceptions draw their start by scipy, for half a minute.
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return get_model(name, num_classes=10, **more).train()


def images_of(entry):
    """Two images of the size that a network needs."""
    side = int(entry.partition(":")[2] or SIDE)
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def swapped(entry, method):
    """Windows where there are any, else the strided convolutions: the network, the report, and which of both."""
    model, images = build(entry.partition(":")[0]), images_of(entry)
    kinds = {site.kind for site in find_sites(model.eval(), images).all}
    slots = "window" if "window" in kinds else "strided_conv"
    report = swap_pooling(model.train(), method, slots=slots, example_input=images, **METHODS[method])
    return model, report, slots


def operate(entry, method):
    """Swap a network's poolings, run it, and train it one step."""
    row = Row(entry.partition(":")[0], method, "")
    try:
        model, report, row.slots = swapped(entry, method)
        row.replaced, row.unreachable = len(report.replaced), len(report.unreachable)
        row.reason = "; ".join(left.reason for left in report.unreachable)
        output = model(images_of(entry))
        main = output[0] if isinstance(output, tuple) else output
        row.forward = main.shape == (2, 10) and bool(torch.isfinite(main).all())
        main.square().sum().backward()
        row.backward = all(_learns(model.get_submodule(place.name)) for place in report.replaced)
    except Exception as fault:  # whatever a stranger's network says is the answer
        row.reason = f"{type(fault).__name__}: {str(fault).splitlines()[0]}"
    return row


def assert_max_for_max_is_the_same(entry, training):
    """Replace maxima by "max" and means of whole maps by "global_avg", and compare one step; return how many."""
    network, images = entry.partition(":")[0], images_of(entry)
    other, plain = build(network), build(network)
    sites = find_sites(plain.eval(), images).all
    names = [site.name for site in sites if site.kind == "window" and "max" in site.was.lower()]
    averages = [site.name for site in sites if site.kind in ("head", "gate") and _is_mean(site.was)]
    if names:
        swap_pooling(other, "max", slots=names, example_input=images)
    if averages:
        swap_pooling(other, "global_avg", slots=averages, example_input=images)
    assert_same(plain.train(training), other.train(training), images)
    return len(names + averages)


def _is_mean(was):
    return was.startswith(("AdaptiveAvgPool2d to 1x1", "adaptive_avg_pool2d to 1x1")) or was == "mean"


def _learns(layer):
    return all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in layer.parameters())
