from collections.abc import Callable

import pytest
import torch

from poolab.backbones import Backbone, create_backbone


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def build() -> Callable[..., Backbone]:
    """`create_backbone` for ten classes of small colour images, unless the test says otherwise."""

    def make(name: str, **settings) -> Backbone:
        return create_backbone(name, **{"in_channels": 3, "num_classes": 10, "image_size": 32, **settings})

    return make
