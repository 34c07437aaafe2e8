"""ROTP: its limits, the sums of its plan, its gradients, and what the authors' code computes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import OptimalTransportPool2d, create_pool
from poolab.pooling import functional as P
from tests.pooling.oracles_transport import plan, rotp, softplus
from tests.pooling.support import distinct
from tests.pooling.test_away_from_start import moved

KINDS = [
    {},
    {"iterations": 1},
    {"iterations": 2, "marginal": "positions"},
    {"iterations": 7},
    {"marginal": "positions"},
]


def built(seed: int = 0, scale: float = 0.5, **options) -> OptimalTransportPool2d:
    """The layer in float64 after a random step of its numbers."""
    torch.manual_seed(seed)
    return moved(create_pool("rotp", **options).double(), seed, scale)


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_its_gradients_are_the_differences_of_its_oracle(options: dict):
    """Central differences of the numpy algorithm along random directions, in the input and in each parameter."""
    pool, x = built(**options), (3 * distinct(2, 4, 3, 5)).requires_grad_()
    source = torch.Generator().manual_seed(1)
    output = pool(x)
    slope = torch.randn(output.shape, generator=source, dtype=torch.float64)
    points = {"input": x, **dict(pool.named_parameters())}
    assert len(points) == (2 if options.get("iterations") == 1 else 3)
    slopes = torch.autograd.grad((output * slope).sum(), list(points.values()))
    for (name, point), found in zip(points.items(), slopes, strict=True):
        way = torch.randn(point.shape, generator=source, dtype=torch.float64)
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                point += step * way
                ends.append((rotp(x.detach().numpy(), pool) * slope.numpy()).sum())
                point -= step * way
        expected = (ends[0] - ends[1]) / 2e-5
        assert found.abs().max() > 1e-5, "a number that matters"
        assert (found * way).sum().item() == pytest.approx(expected, rel=1e-6, abs=1e-9), name


def test_one_iteration_is_softpool_of_the_whole_map():
    pool, x = built(iterations=1), distinct(2, 3, 4, 5)
    assert_close(pool(x), P.softpool_pool2d(x, (4, 5), temperature=F.softplus(pool.rho).item()))


def test_the_weights_of_a_channel_sum_to_one():
    """So that a number added to a channel is added to its output; with "positions" they do not."""
    x, more = distinct(2, 3, 4, 5), torch.tensor([1.0, -2.0, 30.0], dtype=torch.float64).view(3, 1, 1)
    pool = built()
    assert_close(pool(x + more), pool(x) + more)
    other = built(marginal="positions")
    assert not torch.allclose(other(x + more), other(x) + more)
    assert_close(other(torch.full_like(x, 3.0)), torch.full((2, 3, 1, 1), 3.0, dtype=torch.float64))


@pytest.mark.parametrize("by_channel", [True, False])
def test_the_divergences_of_the_marginals_change_nothing(by_channel: bool):
    """The card says so: the weights a2 and a3 of the authors are left out."""
    x, rho = distinct(12, 5).numpy(), np.array([0.4, 1.3, 0.7])
    plans = [plan(x, rho, np.array([0.5, 2.0, last]), by_channel, a2, a3)
             for last, a2, a3 in ((1.0, 0.1, 5.0), (9.0, 8.0, 0.02))]  # fmt: skip
    np.testing.assert_allclose(plans[0], plans[1], rtol=1e-12)
    sums = plans[0].sum(0 if by_channel else 1)
    np.testing.assert_allclose(sums, np.full(len(sums), 1 / len(sums)), rtol=1e-12)


def of_the_authors(pool: OptimalTransportPool2d, x: Tensor, a2: Tensor, a3: Tensor) -> Tensor:
    """SDS-Lab/ROT-Pooling (rotlayers.py, `uot_badmm`), commits 065cffe ("channels") and a02e62c ("positions").

    A list of samples x (B, N, D) without a mask, both priors even.
    """
    samples = x.flatten(2).transpose(1, 2)
    first, second = (1, 2) if pool.marginal == "channels" else (2, 1)
    log_p0, log_q0 = (x.new_full((), -np.log(samples.shape[dim])).exp().add(1e-8).log() for dim in (2, 1))
    priors = {1: log_p0, 2: log_q0}  # of the sums over a dimension
    log_s, z = (log_p0 + log_q0).expand_as(samples), torch.zeros_like(samples)
    kept = {dim: priors[dim].expand_as(samples.sum(dim, keepdim=True)) for dim in (1, 2)}
    duals = {dim: torch.zeros_like(kept[dim]) for dim in (1, 2)}
    rho = F.softplus(pool.rho)
    a1 = torch.cat([F.softplus(pool.alpha), x.new_ones(1)])
    for r, a, b, c in zip(rho, a1, a2, a3, strict=True):
        y = (samples - z) / r + log_s
        log_t = kept[first] - y.logsumexp(first, keepdim=True) + y
        y = (z + r * log_t) / (a + r)
        log_s = kept[second] - y.logsumexp(second, keepdim=True) + y
        t, s = log_t.exp(), log_s.exp()
        z = z + r * (t - s)
        for dim, weight, moved_mass in ((first, b, t), (second, c, s)):
            y = (r * kept[dim] + weight * priors[dim] - duals[dim]) / (r + weight)
            kept[dim] = y - y.logsumexp(3 - dim, keepdim=True)
            duals[dim] = duals[dim] + r * (kept[dim].exp() - moved_mass.sum(dim, keepdim=True))
    return (samples.shape[2] * samples * t).sum(1)[..., None, None]


@pytest.mark.parametrize("marginal", ["channels", "positions"])
def test_it_is_that_of_its_authors(marginal: str):
    """But for the 1e-8 that they add to the priors; a2 and a3 have no gradient, nor has the last a1."""
    pool, x = built(marginal=marginal, scale=0.3), distinct(2, 6, 4, 5)
    a2, a3 = (torch.rand(4, generator=torch.Generator().manual_seed(s), dtype=torch.float64) + 0.1 for s in (0, 1))
    weights = [a2.requires_grad_(), a3.requires_grad_()]
    theirs = of_the_authors(pool, x, *weights)
    assert_close(pool(x), theirs, rtol=1e-6, atol=1e-7)
    for slope in torch.autograd.grad(theirs.square().sum(), weights):
        assert slope.abs().max() < 1e-6


@pytest.mark.parametrize("marginal", ["channels", "positions"])
@pytest.mark.parametrize("free", [-90.0, -20.0, 30.0, 1e6])
def test_no_free_number_breaks_it(marginal: str, free: float):
    pool = create_pool("rotp", marginal=marginal)
    for parameter in pool.parameters():
        torch.nn.init.constant_(parameter, free)
    x = distinct(2, 4, 5, 6, dtype=torch.float32).requires_grad_()
    output = pool(x)
    slopes = torch.autograd.grad(output.sum(), [x, *pool.parameters()])
    assert output.isfinite().all()
    assert all(slope.isfinite().all() for slope in slopes)


def test_a_small_step_is_the_maximum():
    pool, x = create_pool("rotp", iterations=1).double(), distinct(2, 4, 5, 6)
    torch.nn.init.constant_(pool.rho, -90.0)  # 1e-6
    assert_close(pool(x), P.global_max_pool2d(x))


def test_its_numbers_start_around_log_2():
    torch.manual_seed(0)
    pool = create_pool("rotp", iterations=100)
    assert len(pool.alpha) == 99
    assert softplus(pool.rho).mean() == pytest.approx(np.log(2), abs=0.02)
    assert pool.rho.std().item() == pytest.approx(0.1, rel=0.2)
    assert create_pool("rotp", iterations=1).alpha is None
