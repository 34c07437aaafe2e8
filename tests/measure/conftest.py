from contextlib import contextmanager

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def untouched():
    """A context that fails where a model's state, its modes, gradients, hooks or torch's generator have changed."""

    def state(model):
        tensors = {key: value.clone() for key, value in model.state_dict().items()}
        modes = [module.training for module in model.modules()]
        hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())
        return tensors, modes, hooks, torch.get_rng_state(), [weight.data_ptr() for weight in model.parameters()]

    @contextmanager
    def check(model):
        torch.manual_seed(11)
        before = state(model)
        yield
        after = state(model)
        assert all(torch.equal(value, after[0][key]) for key, value in before[0].items())
        assert before[1:3] == after[1:3]
        assert torch.equal(before[3], after[3])
        assert before[4] == after[4]
        assert all(weight.grad is None for weight in model.parameters())

    return check
