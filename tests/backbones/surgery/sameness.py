"""Two networks that must not differ: outputs, gradients, and everything else that a step leaves behind."""

import random

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def assert_same(expected, found, *inputs, seed=1, **named):
    """Compare one training or evaluation step of two networks to the last bit."""
    first, second = (Step(net, inputs, named, seed) for net in (expected, found))
    assert second.fault == first.fault
    assert len(second.outputs) == len(first.outputs)
    for one, other in zip(first.outputs, second.outputs, strict=True):
        assert _same(one, other), "outputs"
    assert [_same(*pair) for pair in zip(first.slopes, second.slopes, strict=True)].count(False) == 0, "input gradients"
    assert first.gradients.keys() <= second.gradients.keys()
    for name, value in first.gradients.items():
        assert _same(value, second.gradients[name]), f"gradient of {name}"
    for name, value in first.buffers.items():
        assert _same(value, second.buffers[name]), f"buffer {name}"
    assert torch.equal(first.drawn, second.drawn), "numbers drawn from torch's generator"
    assert first.python == second.python, "numbers drawn from Python's generator"
    assert first.grad_mode == second.grad_mode
    for (name, kind), attributes in first.attributes.items():  # of all modules but those that were replaced
        if (name, kind) in second.attributes:
            others = second.attributes[name, kind]
            assert attributes.keys() == others.keys(), f"attributes of {name}"
            assert all(_same(value, others[key]) for key, value in attributes.items()), f"attributes of {name}"
    assert [event for event in second.events if event[0] in first.names] == first.events, "hooks"


class Step:
    """What one step of a network did."""

    def __init__(self, net, inputs, named, seed):
        torch.manual_seed(seed)
        random.seed(seed)
        net.zero_grad(set_to_none=True)
        inputs = [_leaf(each) for each in inputs]
        self.names = {name for name, _ in net.named_modules()}
        self.events = []
        handles = []
        for name, module in net.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: self.events.append((name, "before"))))
            handles.append(module.register_forward_hook(lambda *_, name=name: self.events.append((name, "after"))))
        self.fault, self.outputs, self.slopes = "", [], []
        try:
            output = net(*inputs, **named)
            self.outputs = tree_leaves(output)
            total = sum(each.float().square().sum() for each in self.outputs if _learns(each))
            if isinstance(total, Tensor):
                total.backward()
            self.slopes = [each.grad for each in inputs if isinstance(each, Tensor)]
        except (KeyError, ValueError, RuntimeError) as fault:
            self.fault = f"{type(fault).__name__}: {fault}"
        finally:
            for handle in handles:
                handle.remove()
        self.gradients = {name: each.grad for name, each in net.named_parameters()}
        self.buffers = dict(net.named_buffers())
        self.drawn, self.python, self.grad_mode = torch.get_rng_state(), random.getstate(), torch.is_grad_enabled()
        self.attributes = _attributes(net)


def _attributes(net):
    inherent = vars(nn.Module())
    return {
        (path, f"{type(module).__module__}.{type(module).__name__}"): {
            name: value for name, value in vars(module).items() if name not in inherent and not callable(value)
        }
        for path, module in net.named_modules()
        if not isinstance(module, nn.Conv2d)
    }


def _learns(value):
    return isinstance(value, Tensor) and value.requires_grad


def _leaf(value):
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value


def _same(one, other):
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return False
    return type(one) is type(other) and (repr(one) == repr(other) or one == other)
