"""Every registered method passes the suite, is its oracle under any geometry and option, and ranks ties in order."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st

from poolab.pooling import Pool, get_pool, list_pools
from poolab.testing import ITEMS, pooling_checks
from tests.pooling import all_oracles
from tests.pooling.all_oracles import oracle_of, reference
from tests.pooling.oracles import Shape, each_window
from tests.pooling.oracles_sampling import TooCloseError
from tests.pooling.support import (
    CHANNELS,
    SHAPE,
    WINDOWS,
    channels_of,
    few,
    fitting,
    make,
    options_of,
    random_map,
)

COMPILERS = ("compile", "export")
EXPORTERS = ("open_sizes", "onnx")
# What `make test` compiles and exports, one for each way that a method takes; all others are for `make test-long`. A
# compiler sees most window methods as one operation, whatever the formula: plain, learned, and with random numbers. Of
# others it sees the formula: torch's own pooling, a convolution, a matrix, drawn rows; a power over the map, indices,
# a softmax with its own parameters.
COMPILED_HERE = {
    *("softpool", "gem", "stochastic"),
    *("max", "strided_conv", "spectral", "s3"),
    *("global_lp", "superpixel", "netvlad"),
}
# Windows in ceil mode and complete ones, taps, and places by index; masks in place of bins.
OPEN_HERE = {"max", "softpool", "blur", "spp"}
# A constant of 1e-8 that the exporter's optimizer once took for 0.
ONNX_HERE = {"netvlad"}
# Methods that may refuse a map for their options: too small, too few channels, no labels.
CHOOSY = {"fractional_max", "inter_map", "superpixel"}
ANY_GEOMETRY = [name for name in WINDOWS if "geometry" not in get_pool(name).exempt]


def checks_of(name: str, items: list[str]) -> dict[str, dict[str, Callable[[], None]]]:
    """The suite's checks of a method by their number of dimensions, "1d" to "3d", or "exempt"."""
    found: dict[str, dict[str, Callable[[], None]]] = {}
    for case, check in pooling_checks(get_pool(name), items=items, **oracle_of(name)):
        part = case.partition("-")[0]
        found.setdefault(part if part in ("1d", "2d", "3d") else "exempt", {})[case] = check
    return found


def run_all(checks: dict[str, Callable[[], None]]) -> None:
    """Run all checks, and tell of all that failed."""
    faults = []
    for case, check in checks.items():
        try:
            check()
        except AssertionError as fault:
            faults.append(f"{case}: {fault}")
    assert not faults, "\n\n".join(faults)


# One test for each method and number of dimensions, with all items and variants: 27 tests of 10 ms would cost more to
# start than to run. What compiles and exports takes seconds each: most of it is for `make test-long`.
QUICK = [item for item in ITEMS if item not in COMPILERS + EXPORTERS]
# Formulas of the taps alone (tests/pooling/fused/test_paths.py), which see no axis. In one dimension they are held to
# their oracles here, and to the rest in `make test-long`. Three of their kind are held to all of it here, softpool,
# gem (learned) and stochastic (random); so are all methods whose code looks at axes. In three dimensions this goes for
# all methods: code that forgets how many axes there are fails in one dimension too, which takes half the time.
WITHOUT_AXES = {
    *(
        "adapool",
        "avg_topk",
        "comb",
        "fuzzy",
        "fuzzy_integral",
        "gaussian",
        "lehmer",
        "lp",
        "lse",
        "mam",
        "max_dropout",
    ),
    *("median", "min", "mixed", "mixed_random", "ordinal", "rank_avg", "rank_stochastic", "rank_weighted"),
    *("t_max_avg", "weighted"),
}
IN_ANY_DIMENSION = ("oracle", "shapes", "expectation")


def quick_checks() -> Iterator:
    """The quick checks of each method and number of dimensions as one test, or as a quick and a long one."""
    for name in list_pools():
        for part, checks in checks_of(name, QUICK).items():
            if not (part == "3d" or (part == "1d" and name in WITHOUT_AXES)):
                yield pytest.param(checks, id=f"{name}-{part}")
                continue
            here = {case: check for case, check in checks.items() if case.endswith(IN_ANY_DIMENSION)}
            yield pytest.param(here, id=f"{name}-{part}")
            rest = {case: check for case, check in checks.items() if case not in here}
            yield pytest.param(rest, id=f"{name}-{part}-rest", marks=pytest.mark.long)


def parameters(items: tuple[str, ...], here: set[str]) -> list:
    """The checks of these items as tests, for `make test-long` but for some methods in the plane."""
    return [
        pytest.param(checks, id=f"{name}-{part}", marks=[] if name in here and part == "2d" else [pytest.mark.long])
        for name in list_pools()
        for part, checks in checks_of(name, list(items)).items()
    ]


@pytest.mark.parametrize("checks", list(quick_checks()))
def test_a_pooling_conforms(checks):
    run_all(checks)


@pytest.mark.parametrize("checks", parameters(COMPILERS, COMPILED_HERE))
def test_a_pooling_compiles_and_exports(checks):
    run_all(checks)


@pytest.mark.parametrize("checks", parameters(("open_sizes",), OPEN_HERE))
def test_a_pooling_exports_for_any_size(checks):
    run_all(checks)


@pytest.mark.parametrize("checks", parameters(("onnx",), ONNX_HERE))
def test_a_pooling_is_the_same_in_onnx(checks):
    run_all(checks)


def test_no_check_of_the_suite_is_left_out():
    for name in list_pools():
        every = {case for case, _ in pooling_checks(get_pool(name), **oracle_of(name))}
        groups = QUICK, list(COMPILERS), list(EXPORTERS)
        parts = [part for items in groups for part in checks_of(name, items).values()]
        assert sorted(every) == sorted(case for part in parts for case in part)
        assert every


def test_all_faults_of_a_method_are_told_at_once():
    def fail(number):
        raise AssertionError(f"fault {number}")

    with pytest.raises(AssertionError, match=r"(?s)2d-a: fault 1.*2d-c: fault 2"):
        run_all({"2d-a": lambda: fail(1), "2d-b": lambda: None, "2d-c": lambda: fail(2)})


def possible(name: str, shape: Shape, options: dict) -> Pool:
    """The pooling, unless its options contradict each other."""
    try:
        return make(name, shape, dtype=torch.float64, **options)
    except ValueError:
        reject()


@pytest.mark.parametrize("name", ANY_GEOMETRY)
def test_a_window_method_is_its_oracle(name: str):
    @given(st.data(), fitting(), st.integers(0, 1000))
    @few(25)
    def check(data: st.DataObject, case: tuple[Shape, int, int], seed: int):
        shape, height, width = case
        x = random_map(seed, 1, channels_of(name), height, width)
        pool = possible(name, shape, data.draw(options_of(name, shape)))
        try:
            found = pool(torch.from_numpy(x)).detach().numpy()
            expected = reference(name, x, shape, pool)
        except TooCloseError:
            reject()
        except ValueError:
            if name not in CHOOSY:
                raise
            reject()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)

    check()


@pytest.mark.parametrize("name", sorted(set(list_pools()) - set(WINDOWS)))
def test_a_head_is_its_oracle(name: str):
    @given(st.data(), st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
    @few(25)
    def check(data: st.DataObject, height: int, width: int, seed: int):
        x = random_map(seed, 2, channels_of(name), height, width)
        pool = possible(name, SHAPE, data.draw(options_of(name, SHAPE)))
        try:
            found = pool(torch.from_numpy(x)).detach().numpy()
        except ValueError:
            if name not in CHOOSY:
                raise
            reject()
        np.testing.assert_allclose(found, all_oracles.HEADS[name](x, pool), rtol=1e-9, atol=1e-12)

    check()


@pytest.mark.parametrize(
    ("name", "dims"),
    [(name, dims) for dims in (1, 2, 3) for name in list_pools("window", dims) if name in all_oracles.TIES],
)
@pytest.mark.parametrize("padding", [0, 1])
def test_the_gradient_on_ties_goes_by_rank_and_the_first_comes_first(name: str, dims: int, padding: int):
    shape = Shape((3, 3, 2)[:dims], (3, 3, 2)[:dims], (padding,) * dims)
    pool = make(name, shape, dtype=torch.float64, dims=dims)
    values = np.random.default_rng(0).integers(-1, 2, (2, CHANNELS, *(9, 9, 4)[:dims])).astype(float)
    x = torch.from_numpy(values).requires_grad_()
    (gradient,) = torch.autograd.grad(pool(x).sum(), x)
    taps = each_window(values, shape, lambda taps: taps)
    found = each_window(gradient.numpy(), shape, lambda taps: taps)
    for index in np.ndindex(*taps.shape):
        np.testing.assert_allclose(found[index], all_oracles.TIES[name](taps[index], pool), atol=1e-12)


def test_every_method_has_an_oracle_and_no_oracle_lacks_its_method():
    assert sorted([*all_oracles.ORACLES, *all_oracles.POSITIONAL]) == WINDOWS
    assert sorted(all_oracles.HEADS) == sorted(set(list_pools()) - set(WINDOWS))
    assert set(all_oracles.TIES) <= set(WINDOWS)
