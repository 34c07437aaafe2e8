import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from poolab.run_config import AdamConfig, SGDConfig
from poolab.training.optimizers import build_optimizer, build_schedule

SGD = SGDConfig("sgd", 0.4, 0.1, "cosine", 0.0, 0.0, momentum=0.9, nesterov=True)
ADAM = AdamConfig("adam", 0.4, 0.1, "cosine", 0.0, 0.0, betas=(0.8, 0.99))
STEPS = 20


def rates(schedule, warmup, steps=STEPS):
    """The learning rate that each step is made with."""
    optim = replace(SGD, schedule=schedule, warmup=warmup)
    optimizer = build_optimizer([nn.Parameter(torch.ones(2, 2))], optim)
    stepper = build_schedule(optimizer, optim, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        stepper.step()
        assert optimizer.param_groups[0].get("momentum") == 0.9
    return seen


def test_constant():
    assert rates("constant", 0.0) == [0.4] * STEPS


def test_cosine():
    expected = [0.2 * (1 + math.cos(math.pi * step / STEPS)) for step in range(STEPS)]
    assert rates("cosine", 0.0) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up_is_linear_and_reaches_the_rate(schedule):
    seen = rates(schedule, 0.25)
    assert seen[:5] == pytest.approx([0.4 * (step + 1) / 5 for step in range(5)])
    after = [0.4] * 15 if schedule == "constant" else [0.2 * (1 + math.cos(math.pi * k / 15)) for k in range(15)]
    assert seen[5:] == pytest.approx(after)


@pytest.mark.parametrize(("warmup", "rising"), [(0.0, 6), (0.25, 5), (0.5, 10)])
def test_one_cycle(warmup, rising):
    def between(start, end, share):
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    low, end, top = 0.4 / 25, 0.4 / 25 / 1e4, rising - 1
    up = [between(low, 0.4, step / top) for step in range(top)]
    down = [between(0.4, end, (step - top) / (STEPS - 1 - top)) for step in range(top, STEPS)]
    assert rates("one_cycle", warmup) == pytest.approx(up + down)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9])
def test_the_shortest_runs(schedule, steps, warmup):
    seen = rates(schedule, warmup, steps)
    assert len(seen) == steps
    assert all(0 < rate <= 0.4 + 1e-12 for rate in seen)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.alpha = nn.Parameter(torch.tensor(0.5))  # as a learnable pooling has
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)


@pytest.mark.parametrize("optim", [SGD, ADAM, replace(ADAM, name="adamw")])
def test_weight_decay_is_for_weights_of_two_dimensions_and_more(optim):
    network = Network()
    decayed, spared = build_optimizer(network.parameters(), optim).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert [id(parameter) for parameter in decayed["params"]] == [id(network.conv.weight)]
    kept = {id(each) for each in (network.conv.bias, network.norm.weight, network.norm.bias, network.alpha)}
    assert {id(parameter) for parameter in spared["params"]} == kept


def test_the_settings_reach_the_optimiser():
    adam = build_optimizer(Network().parameters(), ADAM)
    assert type(adam) is torch.optim.Adam
    assert (adam.defaults["lr"], adam.defaults["betas"]) == (0.4, (0.8, 0.99))
    assert type(build_optimizer(Network().parameters(), replace(ADAM, name="adamw"))) is torch.optim.AdamW
    sgd = build_optimizer(Network().parameters(), SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.9, True)


def test_sgd_without_momentum_is_plain():
    sgd = build_optimizer(Network().parameters(), replace(SGD, momentum=0.0))
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.0, False)


@pytest.mark.parametrize("optim", [SGD, ADAM], ids=["sgd", "adam"])
def test_the_state_of_a_run_that_kept_numbers_without_a_dimension_goes_on(optim):
    def stepped(parameter, kept=None):
        optimizer = build_optimizer([nn.Parameter(torch.ones(2, 2)), parameter], optim)
        if kept is not None:
            optimizer.load_state_dict(kept)
        for one in (one for group in optimizer.param_groups for one in group["params"]):
            one.grad = torch.full_like(one, 0.5)
        optimizer.step()
        return optimizer.state_dict()

    number, again = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(1))
    kept, as_now = stepped(number), stepped(nn.Parameter(torch.ones(1)))
    expected = nn.Parameter(torch.ones(1))
    stepped(again, kept)
    stepped(expected, as_now)
    assert torch.equal(again, expected)
