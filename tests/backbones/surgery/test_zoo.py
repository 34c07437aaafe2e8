"""Surgery on networks of torchvision and timm; the whole zoo is `make test-zoo`."""

import warnings

import pytest

from tests.backbones.surgery.zoo import METHODS, NETWORKS, operate

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
