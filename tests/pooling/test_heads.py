"""The heads that give one value for each channel: what they are to each other, and what they stay safe from."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.backbones import create_backbone
from poolab.pooling import create_pool, list_pools
from poolab.pooling import functional as P
from poolab.pooling.head.clip_attention import resized
from tests.pooling.all_oracles import HEADS
from tests.pooling.oracles_heads import resampling
from tests.pooling.support import distinct, few, random_map

ONE_VALUE = ["global_lp", "global_gem", "global_lse", "global_topk", "global_avgmax"]


@st.composite
def maps(draw: st.DrawFn, positive: bool = False) -> Tensor:
    """A map of any size; every second one has ties and zeros."""
    sizes = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    x = torch.from_numpy(random_map(draw(st.integers(0, 1000)), 2, 4, *sizes))
    return x.abs() + 0.1 if positive else x


def slope(pool: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(pool(x).sum(), x)[0]


# -- against the oracles, with parameters away from their start

CASES = [
    ("global_lp", {"p": 3.7, "norm": "sum"}),
    ("global_lse", {"r": 1e3}),
    ("global_topk", {"k": 3}),
    ("global_topk", {"share": 0.3}),
    ("spp", {"levels": (3, 5), "mode": "avg"}),
    ("attention", {"hidden": 5, "gated": True}),
    ("attention", {"hidden": 3}),
    ("simpool", {"heads": 2}),
    ("simpool", {"heads": 4, "gamma": 2.0}),
    ("clip_attention", {"heads": 2, "size": (5, 6)}),
    ("clip_attention", {"size": 4, "output_dim": 3, "interpolation": "bilinear"}),
    ("clip_attention", {"size": (7, 3), "heads": 4}),
    ("clip_attention", {"position": "rotary", "heads": 2, "size": 4}),
    ("clip_attention", {"position": "none"}),
    ("rotp", {}),
    ("rotp", {"iterations": 6, "marginal": "positions"}),
    ("rotp", {"iterations": 1}),
    ("superpixel", {"grid": (3, 5), "reduction": "mean"}),
    ("superpixel", {"grid": 7}),
    ("inter_map", {"groups": 4}),
    ("pixel_pyramid", {"windows": (5, 1), "mode": "avg", "project": True}),
]


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("size", [(5, 6), (1, 1), (9, 2)])
def test_a_trained_layer_is_its_oracle(name: str, options: dict, size: tuple[int, int]):
    """The suite takes every layer at its start, where some weights are zero."""
    torch.manual_seed(0)
    pool = create_pool(name, channels=8, **options).double()
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    x = torch.from_numpy(random_map(2, 2, 8, *size))
    assert_close(pool(x).detach(), torch.from_numpy(HEADS[name](x.numpy(), pool)), rtol=1e-9, atol=1e-9)


# -- limits


@given(maps(positive=True))
@few(30)
def test_power_means_run_from_the_mean_to_the_maximum(x: Tensor):
    mean, top = P.global_avg_pool2d(x), P.global_max_pool2d(x)
    for pool in (P.global_gem_pool2d, P.global_lp_pool2d):
        assert_close(pool(x, p=1.0), mean)
        assert_close(pool(x, p=1e6), top, rtol=1e-4, atol=0.0)
        assert torch.equal(pool(x, p=math.inf), top)
    assert_close(P.global_gem_pool2d(x, p=2.5), P.global_lp_pool2d(x, p=2.5))
    n = x.shape[2] * x.shape[3]
    assert_close(P.global_lp_pool2d(x, p=3.0, norm="sum"), n ** (1 / 3) * P.global_lp_pool2d(x, p=3.0))


@given(maps())
@few(30)
def test_the_log_of_the_mean_exponential_runs_from_the_mean_to_the_maximum(x: Tensor):
    mean, top = P.global_avg_pool2d(x), P.global_max_pool2d(x)
    assert_close(P.global_lse_pool2d(x, r=1e-9), mean, rtol=1e-6, atol=1e-6)
    assert_close(P.global_lse_pool2d(x, r=1e9), top, rtol=1e-6, atol=1e-6)
    assert_close(P.global_lse_pool2d(x + 3.0), P.global_lse_pool2d(x) + 3.0)
    between = P.global_lse_pool2d(x)
    assert ((mean - 1e-9 <= between) & (between <= top + 1e-9)).all()


@pytest.mark.parametrize("r", [1e-8, 1e-4, 1e-2, 1.0, 100.0])
def test_a_small_r_is_as_precise_in_float32_as_a_large_one(r: float):
    """(1/r) log(mean exp) loses all digits at r = 1e-8, where each exponential rounds to 1."""
    x = distinct(1, 2, 9, 9)
    exact = P.global_lse_pool2d(x, r=r)
    assert_close(P.global_lse_pool2d(x.float(), r=r).double(), exact, rtol=1e-5, atol=1e-5)
    naive = x.float().sub(x.amax()).mul(r).exp().mean((2, 3), keepdim=True).log() / r + x.amax().float()
    if r < 1e-6:
        assert (naive - exact).abs().max() > 0.1


@given(maps(), st.integers(1, 60))
@few(40)
def test_the_mean_of_the_largest_runs_from_the_maximum_to_the_mean(x: Tensor, k: int):
    n = x.shape[2] * x.shape[3]
    top = x.flatten(2).topk(min(k, n)).values.mean(2)[..., None, None]
    assert_close(P.global_topk_pool2d(x, k=k), top)
    assert torch.equal(P.global_topk_pool2d(x, k=1), P.global_max_pool2d(x))
    for whole in (P.global_topk_pool2d(x, k=n), P.global_topk_pool2d(x, share=1.0), P.global_topk_pool2d(x, k=n + 9)):
        assert_close(whole, P.global_avg_pool2d(x))
    assert torch.equal(P.global_topk_pool2d(x, share=1e-9), P.global_max_pool2d(x))
    if n > 1:
        window = P.avg_topk_pool2d(x, tuple(x.shape[2:]), k=min(k, n))
        assert_close(P.global_topk_pool2d(x, k=k), window)


@pytest.mark.parametrize(("share", "n", "count"), [(0.07, 100, 7), (0.29, 100, 29), (0.5, 9, 5), (0.1, 4, 1)])
def test_a_share_is_rounded_to_the_nearest_count(share: float, n: int, count: int):
    """0.07 * 100 is 7.000000000000001 and 0.29 * 100 is 28.999999999999996 in float64."""
    x = distinct(1, 1, 1, n)
    assert torch.equal(P.global_topk_pool2d(x, share=share), P.global_topk_pool2d(x, k=count))


@given(maps())
@few(20)
def test_mean_and_maximum_are_halved_or_side_by_side(x: Tensor):
    mean, top = P.global_avg_pool2d(x), P.global_max_pool2d(x)
    assert_close(P.global_avgmax_pool2d(x), (mean + top) / 2)
    assert torch.equal(P.global_avgmax_pool2d(x, mode="cat"), torch.cat([mean, top], 1))


# -- ties


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("global_topk", {"k": 3}, [1 / 3] * 3 + [0.0] * 6),
        ("global_topk", {"k": 1}, [1.0] + [0.0] * 8),
        ("global_avgmax", {}, [0.5 + 0.5 / 9] + [0.5 / 9] * 8),
        ("spp", {"levels": (1,)}, [1.0] + [0.0] * 8),
        ("global_max", {}, [1.0] + [0.0] * 8),
    ],
)
def test_a_ties_gradient_goes_to_the_first_elements(name: str, options: dict, expected: list[float]):
    found = slope(create_pool(name, **options), torch.zeros(1, 1, 3, 3))
    assert_close(found.flatten(), torch.tensor(expected))


@given(st.integers(0, 1000), st.integers(1, 12))
@few(30)
def test_the_first_of_equal_elements_ranks_higher(seed: int, k: int):
    """torch.topk promises no order among equal elements."""
    x = torch.from_numpy(random_map(2 * seed + 1, 1, 2, 4, 5))
    found = slope(create_pool("global_topk", k=k), x)
    order = sorted(range(20), key=lambda place: (-x[0, 1].flatten()[place].item(), place))
    expected = torch.zeros(20, dtype=torch.float64)
    expected[order[:k]] = 1 / k
    assert_close(found[0, 1].flatten(), expected)


# -- numerical safety


def test_the_generalized_mean_of_zeros_in_half_precision_has_a_value_and_gradients():
    """filipradenovic/cnnimageretrieval-pytorch: 1e-6^3 underflows in float16, so the output is 0 and dL/dp is NaN."""
    x, p = torch.zeros(1, 1, 4, 4, dtype=torch.float16), torch.full((1,), 3.0, dtype=torch.float16, requires_grad=True)
    published = x.clamp(min=1e-6).pow(p).mean((2, 3)).pow(1 / p)
    assert published.item() == 0
    assert torch.autograd.grad(published.sum(), p)[0].isnan()

    pool = create_pool("global_gem").half()
    y = pool(x)
    assert y.item() == pytest.approx(1e-6, rel=0.05)
    assert torch.autograd.grad(y.sum(), list(pool.parameters()))[0].isfinite().all()


def test_a_large_exponent_does_not_underflow():
    """cirtorch's form gives 0 for p = 200 and values below 0.3 in float32."""
    x = distinct(1, 1, 5, 5, dtype=torch.float32).abs() / 8
    assert x.max() < 0.27
    assert x.clamp(min=1e-6).pow(200.0).mean().pow(1 / 200) == 0
    assert_close(P.global_gem_pool2d(x, p=200.0), P.global_gem_pool2d(x.double(), p=200.0).float())


@pytest.mark.parametrize("eps", [1e-6, 0.5])
def test_an_element_below_eps_counts_as_eps_and_gets_no_gradient(eps: float):
    """filipradenovic/cnnimageretrieval-pytorch#73: the clamp is a choice; here eps makes it visible."""
    x = torch.tensor([[[[-1.0, eps / 2], [1.0, 2.0]]]], dtype=torch.float64)
    pool = create_pool("global_gem", eps=eps, p=3.0, learnable=False)
    assert_close(pool(x), pool(torch.tensor([[[[eps, eps], [1.0, 2.0]]]], dtype=torch.float64)))
    assert (slope(pool, x).flatten() > 0).tolist() == [False, False, True, True]


@pytest.mark.parametrize("name", ONE_VALUE)
def test_an_infinite_element_is_the_limit(name: str):
    x = distinct(1, 3, 4, 4, dtype=torch.float32)
    x[0, 0, 1, 1], x[0, 1] = torch.inf, -torch.inf
    y = create_pool(name, channels=3, **({"eps": 1e-6} if name == "global_gem" else {}))(x).flatten()
    low = {"global_lp": torch.inf, "global_gem": 1e-6}.get(name, -torch.inf)
    assert y[0] == torch.inf
    assert y[1].item() == pytest.approx(low)
    assert y[2].isfinite()


@pytest.mark.parametrize("infinity", [torch.inf, -torch.inf])
def test_an_infinite_element_leaves_a_learned_r_a_finite_gradient(infinity: float):
    pool, x = create_pool("global_lse", learnable=True), distinct(1, 1, 4, 4, dtype=torch.float32)
    x[0, 0, 2, 2] = infinity
    assert torch.autograd.grad(pool(x).sum(), list(pool.parameters()))[0].isfinite().all()


# -- learning


LEARNED = [
    ("global_lp", {"learnable": True}, "p", 1.0, (1.001, 2.0, 50.0)),
    ("global_gem", {}, "p", 0.0, (0.01, 3.0, 50.0)),
    ("global_gem", {"per_channel": True}, "p", 0.0, (1.5, 3.0)),
    ("global_lse", {"learnable": True}, "r", 1e-4, (0.01, 10.0, 100.0)),
]


@pytest.mark.parametrize(("name", "options", "learns", "least", "starts"), LEARNED)
def test_a_learned_layer_starts_as_the_fixed_one_and_stays_valid(
    name: str, options: dict, learns: str, least: float, starts: tuple
):
    x = distinct(2, 4, 5, 5)
    for start in starts:
        pool = create_pool(name, channels=4, **options, **{learns: start}).double()
        pool.reset_parameters()
        fixed = create_pool(name, learnable=False, **{learns: start})
        assert not list(fixed.parameters())
        assert_close(pool(x), fixed(x))
        (parameter,) = pool.parameters()
        assert parameter.numel() == (4 if options.get("per_channel") else 1)
        (gradient,) = torch.autograd.grad(pool(x).square().sum(), parameter)
        assert (gradient != 0).all()
        for step in (20.0, -40.0):
            with torch.no_grad():
                parameter += step
            assert (pool.arguments()[learns] >= least).all()
            assert pool(x).isfinite().all()
            (gradient,) = torch.autograd.grad(pool(x).square().sum(), parameter)
            assert gradient.isfinite().all()


@pytest.mark.parametrize(("name", "options", "learns", "least", "starts"), LEARNED)
def test_training_finds_the_value_of_a_fixed_layer(name: str, options: dict, learns: str, least: float, starts: tuple):
    torch.manual_seed(0)
    x = torch.rand(4, 4, 6, 6, dtype=torch.float64) + 0.1
    wanted = {"p": 2.0, "r": 4.0}[learns]
    target = create_pool(name, learnable=False, **{learns: wanted})(x)
    pool = create_pool(name, channels=4, **options, **{learns: starts[1] + 1}).double()
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        (1e3 * (pool(x) - target)).square().mean().backward()
        optimizer.step()
    found = pool.arguments()[learns]
    assert_close(found, torch.full_like(found, wanted), rtol=0.05, atol=0.0)


def test_each_channel_has_its_own_exponent():
    pool = create_pool("global_gem", channels=2, per_channel=True)
    with torch.no_grad():
        pool.log_p[1] = math.log(41.0)
    x = distinct(1, 2, 6, 6, dtype=torch.float32)
    both = [P.global_gem_pool2d(x, p=p) for p in (3.0, 41.0)]
    assert_close(pool(x), torch.stack([both[0][:, 0], both[1][:, 1]], 1))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"per_channel": True}, "per_channel=True needs channels"),
        ({"per_channel": True, "learnable": False, "channels": 3}, "it needs learnable=True"),
        ({"p": 1e-6}, "a learnable p starts between 1e-06 and 1000000"),
        ({"eps": 0.0}, "eps must be a number >= 1e-12"),
    ],
)
def test_wrong_options_of_the_generalized_mean_are_told(arguments: dict, told: str):
    with pytest.raises(ValueError, match=f"GlobalGeMPool2d: .*{told}"):
        create_pool("global_gem", **arguments)


def test_other_channels_than_those_of_the_parameters_are_told():
    pool = create_pool("global_gem", channels=3, per_channel=True)
    for shape in ((2, 4, 5, 5), (4, 5, 5)):
        with pytest.raises(ValueError, match=r"GlobalGeMPool2d: made for channels=3, found 4 channels in \("):
            pool(torch.ones(shape))
    assert create_pool("global_gem", channels=3)(torch.ones(1, 4, 5, 5)).shape == (1, 4, 1, 1)


# -- in a network


@pytest.mark.parametrize("name", sorted(set(list_pools("global")) & set(HEADS)))
def test_a_network_trains_with_it(name: str):
    torch.manual_seed(0)
    options = {"global_topk": {"share": 0.25}, "clip_attention": {"output_dim": 10}}.get(name, {})
    model = create_backbone("torch_cnn", image_size=24, in_channels=3, num_classes=5, head={"name": name, **options})
    images = torch.randn(2, 3, 24, 24)
    loss = nn.functional.cross_entropy(model(images), torch.tensor([0, 4]))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model(torch.randn(2, 3, 31, 26)).shape == (2, 5), "a head's features do not depend on the size"


@pytest.mark.parametrize("wanted", [(3, 1), (1, 3), (5, 1), (4, 4)])
def test_positions_are_resized_along_each_axis_also_to_a_width_of_one(wanted: tuple[int, int]):
    """torch 2.15 on the CPU: F.interpolate(antialias=True) to a width of 1 gives wrong rows for several channels."""
    embedding = torch.randn(1 + 7 * 7, 3, dtype=torch.float64)
    rows, columns = (torch.from_numpy(resampling(7, length, "bicubic")) for length in wanted)
    expected = torch.einsum("ir,jq,rqc->ijc", rows, columns, embedding[1:].view(7, 7, 3)).flatten(0, 1)
    assert_close(resized(embedding, 7, torch.Size(wanted), "bicubic")[1:], expected)
