import pytest
import torch
from torch import nn

from poolab.measure.module_state import device_of, preserve_state, uncompiled


class Drawing(nn.Module):
    """It draws from a generator of its own and from torch's, and counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator().manual_seed(3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x + torch.rand(x.shape, generator=self.generator) + torch.rand(x.shape)


@pytest.mark.parametrize("fails", [False, True])
def test_all_that_a_call_changes_comes_back(fails):
    model = nn.Sequential(nn.Dropout(), Drawing(), nn.ReLU())
    model[2].eval()
    torch.manual_seed(0)
    before = torch.get_rng_state(), model[1].generator.get_state()
    try:
        with preserve_state(model):
            model.eval()
            model(torch.zeros(3))
            assert model[1].calls == 1
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert [module.training for module in model.modules()] == [True, True, True, False]
    assert model[1].calls == 0
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(model[1].generator.get_state(), before[1])
    assert not model[1].calls.requires_grad


def test_the_device_is_that_of_the_first_weight_or_buffer():
    assert device_of(nn.Linear(1, 1, device="meta")).type == "meta"
    assert device_of(nn.BatchNorm1d(1, affine=False, device="meta")).type == "meta"
    assert device_of(nn.ReLU()).type == "cpu"


def test_the_module_behind_a_compiled_one():
    model = nn.ReLU()
    assert uncompiled(model) is model
    assert uncompiled(torch.compile(model, backend="eager")) is model
