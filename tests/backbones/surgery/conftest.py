"""Images for the networks of `networks`."""

import pytest
import torch


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
