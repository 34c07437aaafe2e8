"""Surgery on networks of torchvision and timm; the whole zoo is `make test-zoo`."""

import warnings

import pytest

from tests.backbones.surgery.zoo import METHODS, NETWORKS, assert_max_for_max_is_the_same, operate

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
    if not assert_max_for_max_is_the_same(entry, training):
        pytest.skip("it pools nowhere by a maximum or a mean")
