"""The learnable variants: they start as the fixed method, their gradient arrives, and their parameter stays valid."""

from dataclasses import dataclass

import pytest
import torch

from poolab.pooling import Pool, create_pool, get_pool, list_pools
from tests.pooling.support import CHANNELS, SHAPE, distinct, make


@dataclass(frozen=True)
class Learned:
    """A learnable variant: its options, the argument that it learns, where it must stay."""

    name: str
    options: dict
    learns: str
    least: float
    most: float
    starts: tuple[float, ...]


LEARNED = [
    Learned("mixed", {}, "alpha", 0.0, 1.0, (0.01, 0.5, 0.7, 0.99)),
    Learned("mixed", {"sharing": "channel"}, "alpha", 0.0, 1.0, (0.01, 0.5, 0.7, 0.99)),
    Learned("lp", {}, "p", 1.0, 1.0001e6, (1.001, 1.5, 2.0, 3.0, 50.0)),
    Learned("lp", {"norm": "sum"}, "p", 1.0, 1.0001e6, (1.5, 2.0, 3.0)),
    Learned("softpool", {}, "temperature", 0.0, 1.0001e6, (0.01, 1.0, 100.0)),
    Learned("gem", {}, "p", 0.0, 1.0001e6, (0.01, 2.0, 3.0, 50.0)),
    Learned("lse", {}, "r", 1e-4, 1.0001e6, (0.01, 5.0, 10.0, 100.0)),
    Learned("lehmer", {}, "a", 0.0, 1.0001e6, (0.1, 1.0, 2.0, 20.0)),
    Learned("adapool", {}, "beta", 0.0, 1.0, (0.01, 0.5, 0.7, 0.99)),
    Learned("adapool", {"sharing": "channel"}, "beta", 0.0, 1.0, (0.01, 0.5, 0.7, 0.99)),
]
each = pytest.mark.parametrize(
    "case", LEARNED, ids=lambda case: "-".join([case.name, *map(str, case.options.values())])
)


def build(case: Learned, start: float | None = None, learnable: bool = True) -> Pool:
    given = {} if start is None else {case.learns: start}
    return make(case.name, dtype=torch.float64, learnable=learnable, **given, **case.options)


def test_every_learnable_method_is_in_the_table():
    learnable = {name for name in list_pools("window") if get_pool(name).learns == "option"}
    assert {case.name for case in LEARNED} == learnable  # test_heads has those of the heads


@each
def test_it_starts_as_the_fixed_method(case: Learned):
    x = distinct(1, CHANNELS, 7, 8)
    for start in case.starts:
        learned, fixed = build(case, start), build(case, start, learnable=False)
        assert not list(fixed.parameters())
        torch.testing.assert_close(learned.arguments()[case.learns].unique(), torch.tensor([start]).double())
        torch.testing.assert_close(learned(x), fixed(x))


@each
def test_it_has_one_parameter_of_the_size_that_it_says(case: Learned):
    (parameter,) = build(case).parameters()
    assert parameter.numel() == (CHANNELS if case.options.get("sharing") == "channel" else 1)


@each
def test_training_moves_it_towards_a_target(case: Learned):
    """From its default to the fixed method with another value, which it has to find."""
    torch.manual_seed(0)
    x = torch.randn(4, CHANNELS, 12, 12, dtype=torch.float64)
    target = build(case, case.starts[1], learnable=False)(x)
    pool = build(case, case.starts[-2]).train()
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.05)
    for _ in range(250):
        optimizer.zero_grad()
        (pool(x) - target).square().mean().backward()
        optimizer.step()
    found = pool.arguments()[case.learns].detach().unique()
    torch.testing.assert_close(found, torch.full_like(found, case.starts[1]), rtol=0.05, atol=0.0)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("step", [1.0, -1.0, 20.0, -20.0])
def test_it_stays_valid_after_a_large_step(case: Learned, dtype: torch.dtype, step: float):
    pool = make(case.name, dtype=dtype, learnable=True, **case.options).train()
    x = distinct(2, CHANNELS, 7, 8, dtype=dtype).requires_grad_()
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter += step
    value = pool.arguments()[case.learns]
    assert (value >= case.least).all()
    assert (value <= case.most).all()
    assert value.isfinite().all()
    output = pool(x)
    gradients = torch.autograd.grad(output.square().sum(), [x, *pool.parameters()])
    assert output.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)


@each
def test_a_reset_brings_the_start_back(case: Learned):
    pool = build(case)
    start = pool.arguments()[case.learns].detach().clone()
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter += 1.0
    pool.reset_parameters()
    assert torch.equal(pool.arguments()[case.learns], start)


@each
def test_a_steep_loss_reaches_a_cold_parameter_beside_padding(case: Learned):
    """A tap that is not there has no weight: 0 * inf must not come back as the parameter's gradient."""
    pool = build(case, case.starts[0])
    x = distinct(1, CHANNELS, 7, 8)
    (gradient,) = torch.autograd.grad((1e3 * pool(x)).sum(), list(pool.parameters()))
    assert gradient.isfinite().all()


def test_a_learnable_mixture_for_each_channel_blends_each_channel_for_itself():
    pool = create_pool("mixed", channels=2, learnable=True, sharing="channel", **SHAPE.arguments)
    with torch.no_grad():
        pool.alpha_logit.copy_(torch.tensor([-40.0, 40.0]).view(2, 1, 1))
    x = distinct(1, 2, 6, 6, dtype=torch.float32)
    low, high = (create_pool("mixed", alpha=alpha, **SHAPE.arguments)(x) for alpha in (0.0, 1.0))
    torch.testing.assert_close(pool(x), torch.stack([low[:, 0], high[:, 1]], 1))
