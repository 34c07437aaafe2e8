"""Surgery on networks of torchvision and timm; the whole zoo is `make test-zoo`."""

import warnings

import pytest

from poolab.backbones import swap_pooling
from poolab.backbones.surgery import find_sites
from tests.backbones.surgery.sameness import assert_same
from tests.backbones.surgery.zoo import METHODS, NETWORKS, build, images_of, operate

# Layers, layers with ceil_mode, convolutions alone, a window of stride 1; seconds together, as the Inceptions are not.
FEW = ("torchvision/resnet18", "torchvision/squeezenet1_1", "torchvision/mobilenet_v2", "timm/hgnetv2_b0")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("entry", [pytest.param(e, marks=() if e in FEW else pytest.mark.zoo) for e in NETWORKS])
def test_every_pool_is_replaced_and_the_network_learns(entry, method, capsys):
    warnings.simplefilter("ignore")  # theirs
    row = operate(entry, method)
    with capsys.disabled():
        print(f"\n{row}", end="")
    assert row.works, row


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("entry", [pytest.param(e, marks=() if e in FEW else pytest.mark.zoo) for e in NETWORKS])
def test_max_for_max_changes_nothing_at_all(entry, training):
    """Outputs, gradients, buffers, random numbers, attributes and hooks of one step, to the last bit."""
    warnings.simplefilter("ignore")
    network, images = entry.partition(":")[0], images_of(entry)
    swapped, plain = build(network), build(network)
    sites = find_sites(plain.eval(), images).all
    names = [site.name for site in sites if site.kind == "window" and "max" in site.was.lower()]
    averages = [site.name for site in sites if site.kind in ("head", "gate") and _is_mean(site.was)]
    if names:
        swap_pooling(swapped, "max", slots=names, example_input=images)
    if averages:
        swap_pooling(swapped, "global_avg", slots=averages, example_input=images)
    if not names + averages:
        pytest.skip("it pools nowhere by a maximum or a mean")
    assert_same(plain.train(training), swapped.train(training), images)


def _is_mean(was):
    return was.startswith(("AdaptiveAvgPool2d to 1x1", "adaptive_avg_pool2d to 1x1")) or was == "mean"
