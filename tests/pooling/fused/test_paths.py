"""The compiled kernels, plain torch in blocks and the formula itself agree, forward and backward."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poolab.pooling import Windows, create_pool, get_pool, use_backend
from poolab.pooling.core.noise import Noise, draw_seed
from poolab.pooling.fused.call import to_spec
from poolab.pooling.fused.kernels import _kernels
from poolab.pooling.fused.taps import formula_traits
from tests.pooling.support import WINDOWS, few, fitting, label

DTYPES = {torch.float64: 1e-9, torch.float32: 2e-4, torch.bfloat16: 2e-2, torch.float16: 4e-3}


@dataclass(frozen=True)
class Case:
    """A method in one of its forms."""

    name: str
    options: tuple[tuple[str, object], ...] = ()
    training: bool = False

    def __str__(self) -> str:
        return "-".join([self.name, label(dict(self.options)), *(["training"] if self.training else [])])

    def make(self, dims: int = 2, channels: int = 3, **geometry):
        torch.manual_seed(0)
        cls = get_pool(self.name, dims)
        more = {} if cls.uses_channels == "never" else {"channels": channels}
        pool = create_pool(self.name, dims=dims, **more, **geometry, **{**cls.trial, **dict(self.options)})
        return pool.train(self.training)


def forms(name: str) -> list[Case]:
    cls = get_pool(name)
    options = [{}]
    if "learnable" in cls.options:
        options += [{"learnable": not cls.options["learnable"].default}]
    if "sharing" in cls.options and "learnable" in cls.options:
        options += [{"learnable": True, "sharing": "channel"}]
    if name == "mixed_random":
        options += [{"sharing": "channel"}, {"sharing": "region"}]
    if name == "ordinal":
        options += [{"sharing": "layer"}]
    return [
        Case(name, tuple(more.items()), training)
        for more in options
        for training in ((True, False) if cls.random else (False,))
    ]


def is_local(case: Case) -> bool:
    pool = case.make(kernel_size=2)
    taken = None if pool.native else to_spec(type(pool).formula, pool.geometry, pool.arguments(), 3)
    return taken is not None and formula_traits(taken[0]) is not None


LOCAL = [case for name in WINDOWS for case in forms(name) if is_local(case)]


def test_what_is_computed_from_the_taps_of_a_window_alone():
    """The rest looks beyond its window, convolves, or is torch's own: it has one path."""
    names = {case.name for case in LOCAL}
    assert names >= {
        "min",
        "median",
        "avg_topk",
        "rank_avg",
        "rank_weighted",
        "ordinal",
        "lp",
        "gem",
        "lse",
        "softpool",
    }
    assert names >= {"lehmer", "mixed", "adapool", "stochastic", "rank_stochastic", "max_dropout", "mixed_random"}
    assert set(WINDOWS) - names >= {"max", "avg", "aps", "blur", "strided_conv", "s3", "lip"}
    assert all(case in LOCAL for name in names for case in forms(name)), "a method is local in all its forms"


def results(pool, x, path):
    """Output and gradients by one path, from the same random numbers."""
    x = x.detach().requires_grad_()
    torch.manual_seed(1)
    if path == "formula":
        noise = Noise(draw_seed(None, x.device)) if pool.random and pool.training else None
        arguments = pool.arguments()
        y = type(pool).formula(Windows(x, pool.geometry, noise), **arguments).to(x.dtype)
    else:
        with use_backend(path):
            y = pool(x)
    slope = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).sin().view_as(y).to(y.dtype)
    found = torch.autograd.grad(y, [x, *pool.parameters()], slope, allow_unused=True)
    return [y.detach(), *(torch.zeros(()) if part is None else part for part in found)]


def agree(pool, x, tolerance, paths=("formula", "plain", "fused")):
    expected, *others = (results(pool, x, path) for path in paths)
    for path, found in zip(paths[1:], others, strict=True):
        assert found[0].stride() == others[0][0].stride()
        for ours, theirs in zip(found, expected, strict=True):
            scale = theirs.double().abs().max().clamp(min=1.0)
            torch.testing.assert_close(
                ours.double() / scale,
                theirs.double() / scale,
                rtol=0,
                atol=tolerance,
                msg=lambda m, p=path: f"{p}: {m}",
            )


def is_compiled(pool, x):
    return any(
        key[0].formula is type(pool).formula and key[1] is x.dtype and kernel for key, kernel in _kernels.items()
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("case", LOCAL, ids=str)
def test_the_paths_agree(case, layout):
    pool = case.make(kernel_size=3, stride=2, padding=1, channels=19)  # more channels than a vector has lanes
    x = torch.randn(2, 19, 7, 10, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    agree(pool, x, DTYPES[x.dtype])
    assert is_compiled(pool, x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("name", ["avg_topk", "softpool", "max_dropout"])
def test_the_paths_agree_in_every_dtype(name, layout, dtype):
    pool = Case(name, training=True).make(
        kernel_size=(2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1), ceil_mode=True
    )
    pool = pool.to(dtype) if dtype is torch.float64 else pool
    x = torch.randn(2, 3, 8, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    agree(pool, x.to(dtype).contiguous(memory_format=layout), DTYPES[dtype])
    assert is_compiled(pool, x.to(dtype))


@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("name", ["avg_topk", "gem", "stochastic"])
def test_the_paths_agree_in_other_dimensions(name, dims):
    pool = Case(name, training=True).make(dims=dims, kernel_size=3, stride=2, padding=1)
    x = torch.randn(2, 3, *(7, 5, 6)[:dims], generator=torch.Generator().manual_seed(0))
    agree(pool, x, 2e-4)
    if dims == 3:
        agree(pool, x.contiguous(memory_format=torch.channels_last_3d), 2e-4)
    assert is_compiled(pool, x)


@pytest.mark.parametrize(
    "case", [Case("rank_weighted"), Case("lp", (("learnable", True),)), Case("stochastic", (), True)], ids=str
)
def test_the_paths_agree_under_any_geometry(case):
    @given(fitting(), st.integers(1, 3), st.integers(1, 20), st.booleans(), st.integers(0, 1000))
    @few(12)
    def check(found, samples, channels, is_last, seed):
        shape, height, width = found
        pool = case.make(channels=channels, **shape.arguments)
        x = torch.randn(samples, channels, height, width, generator=torch.Generator().manual_seed(seed))
        agree(pool, x.contiguous(memory_format=torch.channels_last) if is_last else x, 2e-4)

    check()


def test_infinite_and_nan_elements_are_the_same_in_all_paths():
    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    x[0, 0, 1, 1], x[0, 1, 2, 3], x[0, 2, 4, 4] = torch.inf, -torch.inf, torch.nan
    x[0, 3] = -torch.inf
    for case in (Case("avg_topk"), Case("median"), Case("rank_weighted"), Case("softpool"), Case("gem"), Case("lp")):
        pool = case.make(kernel_size=3, stride=2, padding=1)
        for layout in (torch.contiguous_format, torch.channels_last):
            expected, plain, fused = (
                results(pool, x.contiguous(memory_format=layout), path) for path in ("formula", "plain", "fused")
            )
            for ours in (plain, fused):
                torch.testing.assert_close(ours[0], expected[0], rtol=1e-4, atol=1e-4, equal_nan=True)
                assert torch.equal(ours[1].isfinite(), expected[1].isfinite()), str(case)


def test_ties_go_to_the_first_tap_in_every_path():
    x = torch.zeros(1, 2, 6, 6)
    for name in ("avg_topk", "rank_weighted", "min"):
        for padding in (0, 1):
            pool = create_pool(name, kernel_size=3, stride=2, padding=padding)
            expected, plain, fused = (results(pool, x, path)[1] for path in ("formula", "plain", "fused"))
            torch.testing.assert_close(plain, expected)
            torch.testing.assert_close(fused, expected)


def test_draws_are_the_same_numbers_in_every_path_and_layout():
    """A drawn element is one of the map's, so that equal means equal to the last bit."""
    x = torch.randn(3, 5, 8, 8, generator=torch.Generator().manual_seed(0)).abs()
    for case in (Case("stochastic", (), True), Case("rank_stochastic", (), True), Case("max_dropout", (), True)):
        pool = case.make(kernel_size=2)
        plain = results(pool, x, "plain")[0]
        assert torch.equal(results(pool, x, "fused")[0], plain)
        assert torch.equal(results(pool, x.contiguous(memory_format=torch.channels_last), "fused")[0], plain)
        assert torch.equal(results(pool, x.contiguous(memory_format=torch.channels_last), "plain")[0], plain)


def test_the_kernels_are_deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        pool = Case("adapool", (("learnable", True), ("sharing", "channel"))).make(kernel_size=3, stride=1, channels=8)
        x = torch.randn(4, 8, 9, 9)
        torch.set_num_threads(2)
        first, again = results(pool, x, "fused"), results(pool, x, "fused")
        torch.set_num_threads(1)
        alone = results(pool, x, "fused")
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(1)
    for one, two, three in zip(first, again, alone, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three), "not a matter of threads either"
