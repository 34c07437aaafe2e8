"""The learned layers after their parameters have moved: what the suite sees at the start, where many are the mean."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call

from poolab.pooling import Pool, create_pool, get_pool
from tests.pooling.oracles import Shape
from tests.pooling.oracles_learned import POSITIONAL
from tests.pooling.support import CHANNELS, distinct, few, fitting, label, make, random_map

KINDS: list[tuple[str, dict]] = [
    ("gated", {}),
    ("gated", {"sharing": "channel"}),
    ("tree", {}),
    ("tree", {"levels": 3}),
    ("lip", {}),
    ("lip", {"logit": "bottleneck"}),
    *[("dpp", {"variant": v, "symmetric": s}) for v in ("lite", "full") for s in (True, False)],
    ("universal", {}),
    ("space_to_depth", {}),
    ("space_to_depth", {"project": False}),
]
each = pytest.mark.parametrize(("name", "options"), KINDS, ids=label)
LOCAL = [kind for kind in KINDS if kind[0] != "lip"]  # whose logits see the whole map


def moved(pool: Pool, seed: int = 0, scale: float = 0.5) -> Pool:
    """The layer after a random step of its parameters."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=source, dtype=torch.float64)
    return pool


@each
def test_it_is_its_oracle(name: str, options: dict):
    @given(fitting(), st.integers(0, 1000))
    @few(15)
    def check(case: tuple[Shape, int, int], seed: int):
        shape, height, width = case
        pool = moved(make(name, shape, dtype=torch.float64, **options), seed)
        x = random_map(seed, 2, CHANNELS, height, width)
        output = pool(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(output, POSITIONAL[name](x, shape, pool), rtol=1e-8, atol=1e-10)

    check()


@each
@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_it_is_its_oracle_in_other_dimensions(name: str, options: dict, dims: int, ceil_mode: bool):
    """Each axis with a geometry of its own, so that no two of them can be taken for each other."""
    kernel, stride, padding, dilation = (3, 2, 4), (2, 3, 1), (1, 0, 2), (1, 2, 1)
    shape = Shape(kernel[:dims], stride[:dims], padding[:dims], dilation[:dims], ceil_mode)
    pool = moved(make(name, shape, dtype=torch.float64, dims=dims, **options))
    x = random_map(0, 2, CHANNELS, *(6, 7, 3)[:dims])
    output = pool(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(output, POSITIONAL[name](x, shape, pool), rtol=1e-8, atol=1e-10)


@each
def test_its_parameters_matter(name: str, options: dict):
    x, pool = distinct(1, CHANNELS, 6, 6), make(name, dtype=torch.float64, **options)
    if list(pool.parameters()):
        assert not torch.allclose(pool(x), moved(make(name, dtype=torch.float64, **options))(x))


@each
def test_both_derivatives_are_those_of_the_forward(name: str, options: dict):
    pool = moved(make(name, dtype=torch.float64, **options))
    small = [n for n, p in pool.named_parameters() if p.numel() < 300]
    parameters = dict(pool.named_parameters())

    def forward(x: Tensor, *values: Tensor) -> Tensor:
        return functional_call(pool, parameters | dict(zip(small, values, strict=True)), (x,))

    inputs = [distinct(1, CHANNELS, 4, 5), *(parameters[n].detach().clone() for n in small)]
    inputs = [value.requires_grad_() for value in inputs]
    assert torch.autograd.gradcheck(forward, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(forward, inputs, fast_mode=True, atol=1e-4)


@each
def test_it_is_positional_where_it_says_so(name: str, options: dict):
    pool = moved(make(name, Shape((3, 3), (3, 3)), dtype=torch.float64, **options))
    x = distinct(1, CHANNELS, 3, 3)
    same = torch.allclose(pool(x), pool(x.flip(2, 3)))
    assert same != (get_pool(name).positional or options.get("variant") == "full")


COMPILED = [k for k in KINDS if k[1] and k[1].get("variant") != "lite" and k[1].get("symmetric") is not True]


@pytest.mark.parametrize(("name", "options"), COMPILED, ids=label)
def test_the_compiled_module_gives_what_the_eager_one_gives(name: str, options: dict):
    torch._dynamo.reset()
    pool = moved(make(name, Shape((2, 2), (1, 1), (1, 1)), **options), scale=0.1)
    x = distinct(2, CHANNELS, 5, 6, dtype=torch.float32).requires_grad_()
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), pool(x))


@each
def test_flat_maps_are_maps_of_fewer_dimensions(name: str, options: dict):
    """In one and in three dimensions each layer is what the two-dimensional one is on a flat map."""
    kernel, x = 3, distinct(2, CHANNELS, 7)
    geometry = {"stride": 2, "padding": 1}
    for dims in (1, 2):
        pools = []
        for d in (dims, dims + 1):
            flat = {k: ((0 if k == "padding" else 1),) + (v,) * dims for k, v in geometry.items()}
            size = {"kernel_size": kernel, **geometry} if d == dims else {"kernel_size": (1, *(kernel,) * dims), **flat}
            pools.append(create_pool(name, channels=CHANNELS, dims=d, **size, **options).double())
        low, high = moved(pools[0]), moved(pools[1], seed=1)
        with torch.no_grad():
            for p, q in zip(low.parameters(), high.parameters(), strict=True):
                p.copy_(q.reshape(p.shape) if p.numel() == q.numel() else q[:, :, 1])  # the middle of a 3x3 filter
        map = x if dims == 1 else distinct(2, CHANNELS, 7, 6)
        torch.testing.assert_close(high(map.unsqueeze(2)).squeeze(2), low(map))


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("step", [0.0, 0.5, 20.0])
def test_large_values_and_large_steps_give_finite_values_and_gradients(
    name: str, options: dict, dtype: torch.dtype, step: float
):
    """In float16 the parameters of a gate are the exception: a value times a value is beyond it."""
    pool = moved(make(name, dtype=dtype, **options), scale=step)
    for scale in (1.0, 1e-4) if dtype == torch.float16 and step == 20.0 else (1e4, 1.0, 1e-4):
        x = (scale * distinct(2, CHANNELS, 7, 8, dtype=torch.float64) / 2).to(dtype).requires_grad_()
        parameters = [] if dtype == torch.float16 else list(pool.parameters())
        output = pool(x)
        assert output.dtype == dtype
        assert output.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(output.float().mean(), [x, *parameters]))


@pytest.mark.parametrize(("name", "options"), LOCAL, ids=label)
def test_nan_and_infinity_stay_in_their_windows(name: str, options: dict):
    """Also where the parameters are not at a start that multiplies by 0."""
    for bad in (torch.nan, torch.inf, -torch.inf):
        pool = moved(make(name, Shape((2, 2), (2, 2)), **options))
        x = distinct(1, CHANNELS, 6, 6, dtype=torch.float32)
        fine = pool(x)
        x[0, 0, 2, 2] = bad
        changed = ~torch.isclose(pool(x), fine)
        assert not changed[..., 0, :].any()
        assert not changed[..., 2, :].any()
        if "nan" not in pool.exempt:
            assert pool(x)[0, 0, 1, 1].isnan() == (bad != bad)
