"""Surgery on networks of torchvision and timm; the whole zoo is `make test-zoo`."""

import warnings

import pytest

from tests.backbones.surgery.zoo import METHODS, NETWORKS, operate

# One for each way in which they pool: layers, a block's functions, TensorFlow's padding, convolutions alone.
FEW = (
    "torchvision/resnet18",
    "torchvision/mobilenet_v2",
    "timm/inception_v4:128",
    "timm/ecaresnet26t",
    "timm/hgnetv2_b0",
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("entry", [pytest.param(e, marks=() if e in FEW else pytest.mark.zoo) for e in NETWORKS])
def test_every_pool_is_replaced_and_the_network_learns(entry, method, capsys):
    warnings.simplefilter("ignore")  # theirs
    row = operate(entry, method)
    with capsys.disabled():
        print(f"\n{row}", end="")
    assert row.works, row
