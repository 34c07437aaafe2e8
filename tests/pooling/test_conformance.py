"""The contract of every pooling, items 1 to 5: geometry, modes, gradients, numerical safety, no side effects."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from poolab.pooling import Pool, create_pool, get_pool
from tests.pooling import oracles
from tests.pooling.oracles import Shape, reference
from tests.pooling.support import (
    ALL_VARIANTS,
    CHANNELS,
    HEADS,
    MODES,
    RANDOM,
    SHAPE,
    WINDOW_VARIANTS,
    WINDOWS,
    distinct,
    few,
    fits,
    fitting,
    label,
    make,
    options_of,
    random_map,
    shapes,
    smallest,
)

SHAPES = [
    Shape((2, 2), (2, 2)),
    SHAPE,
    Shape((3, 2), (1, 3), (1, 0), ceil_mode=True),
    Shape((3, 3), (2, 1), (1, 1), (2, 1)),
]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]

# -- 1. geometry and values


@given(shapes(), st.integers(1, 12), st.integers(1, 12))
@few(120)
def test_the_size_is_that_of_max_pool2d_and_both_refuse_together(shape: Shape, height: int, width: int):
    x = torch.zeros(1, CHANNELS, height, width)
    pools = [make(name, shape, **smallest(name)) for name in WINDOWS]
    try:
        expected = nn.MaxPool2d(**shape.arguments)(x).shape
    except RuntimeError:
        expected = None
    # poolab also refuses a window of padding alone, which torch fills with -inf
    if expected is None or not fits(shape, height, width):
        for pool in pools:
            with pytest.raises(ValueError, match=r"too small|lies in the padding alone"):
                pool(x)
    else:
        assert {pool(x).shape for pool in pools} == {expected}


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_padding_is_refused_where_torch_refuses_it(kernel: int, dilation: int):
    for padding in range(6):
        arguments = {"kernel_size": kernel, "padding": padding, "dilation": dilation}
        try:
            nn.MaxPool2d(**arguments)(torch.zeros(1, 1, 20, 20))
        except RuntimeError:
            for name in WINDOWS:
                with pytest.raises(ValueError, match="padding must be at most half"):
                    create_pool(name, channels=CHANNELS, **arguments)
        else:
            make("max", Shape((kernel,) * 2, (1, 1), (padding,) * 2, (dilation,) * 2))


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_method_is_its_oracle(name: str):
    @given(st.data(), fitting(), st.integers(0, 1000))
    @few(40)
    def check(data: st.DataObject, case: tuple[Shape, int, int], seed: int):
        shape, height, width = case
        pool = make(name, shape, dtype=torch.float64, **data.draw(options_of(name, shape)))
        x = random_map(seed, 1, CHANNELS, height, width)
        expected = reference(name, x, shape, pool)
        np.testing.assert_allclose(pool(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-9, atol=1e-12)

    check()


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_its_oracle(name: str):
    @given(st.data(), st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
    @few(40)
    def check(data: st.DataObject, height: int, width: int, seed: int):
        pool = make(name, dtype=torch.float64, **data.draw(options_of(name, SHAPE)))
        x = random_map(seed, 2, CHANNELS, height, width)
        np.testing.assert_allclose(pool(torch.from_numpy(x)).numpy(), oracles.HEADS[name](x, pool), rtol=1e-9)

    check()


def keeps_padding_out(pool: Pool) -> bool:
    """Whether the windows at the border of a constant map give what the complete ones give."""
    return all(
        torch.allclose(y, y[..., 2:3, 2:3].expand_as(y))
        for constant in (2.0, -2.0)
        for y in [pool(torch.full((1, CHANNELS, 9, 9), constant))]
    )


@pytest.mark.parametrize("name", WINDOWS)
def test_padding_takes_no_part_unless_exempt(name: str):
    assert keeps_padding_out(make(name)) != ("padding" in get_pool(name).exempt)


# -- 2. modes


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("shape", SHAPES)
def test_training_and_evaluation_have_one_shape_and_evaluation_is_deterministic(name: str, shape: Shape):
    x, pool = distinct(2, CHANNELS, 7, 8), make(name, shape)
    before = torch.get_rng_state()
    evaluated = pool(x)
    assert torch.equal(evaluated, pool(x))
    assert torch.equal(before, torch.get_rng_state()), "evaluation drew random numbers"
    assert pool.train()(x).shape == evaluated.shape


@pytest.mark.parametrize("name", RANDOM)
def test_training_is_random_and_a_function_of_the_generators_state(name: str):
    x, pool = distinct(4, CHANNELS, 8, 8).abs(), make(name).train()
    torch.manual_seed(5)
    first, second = pool(x), pool(x)
    assert not torch.equal(first, second), "the global generator does not move"
    torch.manual_seed(5)
    assert torch.equal(first, pool(x))
    torch.manual_seed(6)
    assert not torch.equal(first, pool(x)), "reseeded inside"


@pytest.mark.parametrize("name", RANDOM)
def test_a_generator_is_used_and_leaves_the_global_one_alone(name: str):
    x, source = distinct(4, CHANNELS, 8, 8).abs(), torch.Generator().manual_seed(5)
    pool = make(name, generator=source).train()
    before = torch.get_rng_state()
    first, second = pool(x), pool(x)
    assert not torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    source.manual_seed(5)
    assert torch.equal(first, pool(x))


@pytest.mark.parametrize("name", RANDOM)
def test_the_mean_of_many_draws_is_the_evaluation(name: str):
    x = distinct(1, CHANNELS, 6, 6).abs()
    pool = make(name, dtype=torch.float64)
    expected = pool(x)
    draws = pool.train()(x.expand(20_000, -1, -1, -1))
    error = (draws.mean(0) - expected[0]).abs() / (draws.std(0) / 20_000**0.5 + 1e-12)
    assert error.max() < 4.5  # standard errors; 32 windows, a seed that does not change


# -- 3. gradients


@pytest.mark.parametrize(("name", "options", "mode"), MODES, ids=label)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_the_forward(name: str, options: dict, mode: str, shape: Shape):
    pool = make(name, shape, dtype=torch.float64, **options).train(mode == "train")
    check_gradients(pool, distinct(1, CHANNELS, 4, 5))


@pytest.mark.parametrize("name", HEADS)
def test_the_gradient_of_a_head_is_that_of_the_forward(name: str):
    check_gradients(make(name, dtype=torch.float64), distinct(1, CHANNELS, 4, 5))


def check_gradients(pool: Pool, x: torch.Tensor) -> None:
    names = [n for n, _ in pool.named_parameters()]

    def forward(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)  # the same draw at every point
        return functional_call(pool, dict(zip(names, parameters, strict=True)), (x,))

    arguments = [x, *(p.detach().clone() for p in pool.parameters())]
    assert torch.autograd.gradcheck(forward, [a.requires_grad_() for a in arguments])


def keeps_tie_order(pool: Pool) -> bool:
    """Whether, in a window of equal cells, no cell has a larger gradient than one before it."""
    shape = Shape((3, 3), (3, 3), (1, 1))
    x = torch.ones(1, CHANNELS, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(pool(x).sum(), x)
    falls = oracles.each_window(gradient.numpy(), shape, lambda cells: (np.diff(cells) <= 1e-7).all())
    return bool(falls.all())


@pytest.mark.parametrize("name", WINDOWS)
def test_ties_prefer_the_first_cell_unless_exempt(name: str):
    pool = make(name, Shape((3, 3), (3, 3), (1, 1)))
    assert keeps_tie_order(pool) != ("ties" in get_pool(name).exempt)


@pytest.mark.parametrize("name", sorted(set(oracles.TIES) & set(WINDOWS)))
@pytest.mark.parametrize("padding", [0, 1])
def test_the_gradient_on_ties_goes_by_rank_and_the_first_comes_first(name: str, padding: int):
    shape = Shape((3, 3), (3, 3), (padding, padding))
    pool = make(name, shape, dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(0).integers(-1, 2, (2, CHANNELS, 9, 9)).astype(float)).requires_grad_()
    (gradient,) = torch.autograd.grad(pool(x).sum(), x)
    cells = oracles.each_window(x.detach().numpy(), shape, lambda cells: cells)
    found = oracles.each_window(gradient.numpy(), shape, lambda cells: cells)
    for index in np.ndindex(*cells.shape):
        np.testing.assert_allclose(found[index], oracles.TIES[name](cells[index], pool), atol=1e-12)


# -- 4. numerical safety

rng = np.random.default_rng(0)
HARD = {
    "large": rng.uniform(0.9e4, 1.1e4, (6, 6)),
    "large negative": -rng.uniform(0.9e4, 1.1e4, (6, 6)),
    "small": rng.uniform(0.9e-4, 1.1e-4, (6, 6)),
    "subnormal": np.full((6, 6), np.nan),  # filled in for each dtype
    "mixed sizes": rng.choice([1e4, -1e4, 1e-4, 0.0, 1.0], (6, 6)),
    "equal": np.full((6, 6), 3.0),
    "equal negative": np.full((6, 6), -3.0),
    "zeros": np.zeros((6, 6)),
    "negative zeros": np.full((6, 6), -0.0),
}


@pytest.mark.parametrize(("name", "options"), ALL_VARIANTS, ids=label)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", HARD)
def test_hard_values_are_finite_and_right(name: str, options: dict, dtype: torch.dtype, case: str):
    pool = make(name, dtype=dtype, **options)
    tiny = torch.finfo(dtype).tiny
    values = rng.integers(-4, 5, (6, 6)) * tiny / 8 if case == "subnormal" else HARD[case]
    x = torch.from_numpy(values).to(dtype).expand(1, CHANNELS, 6, 6).clone().requires_grad_()
    exact = x.detach().double().numpy()
    is_window = pool.role == "window"
    expected = reference(name, exact, SHAPE, pool) if is_window else oracles.HEADS[name](exact, pool)
    for mode in (True, False):
        output = pool.train(mode)(x)
        leaves = [x, *pool.parameters()]
        gradients = torch.autograd.grad(output.float().mean(), leaves)
        assert output.dtype == dtype
        assert output.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)
    # A sum that cancels is right to the precision of its terms, a convolution to that of the intermediate dtype.
    largest = np.abs(exact).max()
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(
        output.detach().double().numpy(), expected, rtol=4 * eps, atol=2 * eps * largest + tiny * eps
    )


def nan_stays(pool: Pool, shape: Shape = SHAPE) -> bool:
    """Whether one NaN comes out of all windows that hold it and of nothing else."""
    x = torch.from_numpy(random_map(2, 2, CHANNELS, 8, 8)).float()
    x[1, 0, 2, 3] = torch.nan
    holds = oracles.each_window(x.numpy(), shape, lambda cells: np.isnan(cells).any()).astype(bool)
    return np.array_equal(pool(x).isnan().numpy(), holds)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("training", [False, True])
def test_nan_comes_out_of_its_own_windows_alone_unless_exempt(name: str, training: bool):
    pools = [make(name, shape).train(training) for shape in SHAPES]
    kept = [nan_stays(pool, shape) for pool, shape in zip(pools, SHAPES, strict=True)]
    assert all(kept) != ("nan" in get_pool(name).exempt)


@pytest.mark.parametrize("name", HEADS)
def test_nan_comes_out_of_its_own_channel_alone(name: str):
    x = torch.zeros(2, CHANNELS, 4, 4)
    x[1, 0, 2, 3] = torch.nan
    assert make(name)(x).isnan().flatten().tolist() == [False, False, True, False]


@pytest.mark.parametrize("dtype", [torch.float64, *DTYPES], ids=str)
@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinities_follow_the_formula(name: str, infinity: float, dtype: torch.dtype):
    x = np.round(random_map(4, 1, CHANNELS, 8, 8), 1)
    x[0, 0, 2, 3] = infinity
    pool = make(name, dtype=dtype)
    if "nan" not in pool.exempt:
        x[0, 1, 4:7] = infinity  # windows of nothing else, too; a filter's signs would make inf - inf of them
    # The limit of the formula: what it gives for a number so large that the rest of the window does not count.
    limit = reference(name, np.nan_to_num(x, posinf=1e30, neginf=-1e30), SHAPE, pool)
    output = pool(torch.from_numpy(x).to(dtype)).detach().double().numpy()
    expected = np.where(np.abs(limit) > 1e15, np.copysign(np.inf, limit), limit)
    np.testing.assert_allclose(output, expected, rtol=0.03, atol=0.03)


@pytest.mark.parametrize(("name", "options"), WINDOW_VARIANTS, ids=label)
def test_an_infinity_spoils_the_gradient_of_its_own_window_alone(name: str, options: dict):
    x = torch.from_numpy(random_map(4, 1, CHANNELS, 8, 8)).float()
    x[0, 0, 0, 0] = torch.inf  # in the first window alone, with three other real cells
    pool = make(name, **options)
    (gradient,) = torch.autograd.grad(pool(x.requires_grad_()).sum(), x)
    assert gradient[:, 1:].isfinite().all()
    assert gradient[..., 2:, :].isfinite().all()
    assert gradient[..., 2:].isfinite().all()


# -- 5. no side effects


@pytest.mark.parametrize("name", WINDOWS + HEADS)
@pytest.mark.parametrize("shape", [*SHAPES, Shape((1, 1), (1, 1))])
@pytest.mark.parametrize("training", [False, True])
def test_the_input_is_neither_written_nor_handed_out(name: str, shape: Shape, training: bool):
    x = distinct(1, CHANNELS, 6, 6, dtype=torch.float32)
    kept = x.clone()
    options = {"output_size": 6} if "output_size" in get_pool(name).options else {}
    output = make(name, shape, **options, **smallest(name)).train(training)(x)
    assert output.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    output.detach().fill_(7.0)
    assert torch.equal(x, kept)


@pytest.mark.parametrize(("name", "options"), ALL_VARIANTS, ids=label)
@pytest.mark.parametrize("training", [False, True])
def test_the_forward_never_waits_for_a_value(name: str, options: dict, training: bool):
    """A meta tensor has no values: `.item()` and the like raise on it."""
    pool = make(name, **options).to("meta").train(training)
    output = pool(torch.empty(2, CHANNELS, 8, 8, device="meta"))
    assert output.device.type == "meta"
