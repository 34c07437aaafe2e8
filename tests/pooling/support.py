"""What the tests of the poolings share: the registry's names and variants, random geometries, options and maps."""

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from poolab.pooling import Pool, create_pool, get_pool, list_pools
from poolab.pooling.core.options import Choice, Integer, Integers, Option, Real, Size
from tests.pooling.oracles import Shape

torch.set_num_threads(1)

WINDOWS = list_pools("window")
HEADS = list_pools("global")
RANDOM = [name for name in WINDOWS if get_pool(name).random]
CHANNELS = 2
SHAPE = Shape((3, 3), (2, 2), (1, 1))  # overlapping windows, cut at every border


def few(examples: int) -> settings:
    """The same examples on every machine; the first torch call of a process is slow, so no deadline."""
    return settings(max_examples=examples, derandomize=True, deadline=None, database=None)


def label(value: object) -> str:
    """A test's name for a set of options."""
    return "-".join(f"{k}={v}" for k, v in value.items()) or "default" if isinstance(value, dict) else str(value)


def channels_of(name: str) -> int:
    """The channels of a method's test maps: as many as its trial options ask for."""
    return get_pool(name).trial.get("channels", CHANNELS)


def make(
    name: str,
    shape: Shape = SHAPE,
    *,
    dtype: torch.dtype = torch.float32,
    channels: int | None = None,
    dims: int = 2,
    **options,
) -> Pool:
    """The method in eval mode, its parameters at their start values in `dtype`; its trial options under `options`."""
    torch.manual_seed(0)
    cls = get_pool(name, dims)
    geometry = shape.arguments if cls.role == "window" else {}
    arguments = {"channels": CHANNELS, **geometry, **cls.trial, **options}
    arguments |= {} if channels is None else {"channels": channels}
    module = create_pool(name, dims=dims, **arguments).to(dtype)
    module.reset_parameters()  # a start value such as 0.7 in float32 and then in float64 is another number
    return module.eval()


def distinct(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    """Values in (-2, 2) in random order, clearly apart from each other, from minus each other and from 0."""
    count = int(np.prod(shape))
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    return ((order + 0.3) / count * 4 - 2).reshape(shape).to(dtype)


def random_map(seed: int, *shape: int) -> np.ndarray:
    """Normal values; every second seed rounds them, so that taps tie and zeros occur."""
    values = np.random.default_rng(seed).normal(scale=2.0, size=shape)
    return np.round(values) if seed % 2 else values


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Any geometry that torch's constructor takes."""
    pair = lambda least, most: st.tuples(st.integers(least, most), st.integers(least, most))  # noqa: E731
    kernel, stride, dilation = draw(pair(1, 4)), draw(pair(1, 4)), draw(pair(1, 3))
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    return Shape(kernel, stride, padding, dilation, draw(st.booleans()))


def fits(shape: Shape, *sizes: int) -> bool:
    """Whether there is a window, and a real tap in every window."""
    for axis, length in enumerate(sizes):
        windows = shape.places(axis, length)
        if not windows or not all(any(0 <= place < length for place in window) for window in windows):
            return False
    return True


@st.composite
def fitting(draw: st.DrawFn) -> tuple[Shape, int, int]:
    """A geometry and the height and width of a map that it fits on."""
    size = st.integers(1, 12)
    return draw(st.tuples(shapes(), size, size).filter(lambda case: fits(*case)))


def values(option: Option, taps: int) -> st.SearchStrategy:
    """What an option may be, away from its bounds (the bounds are in test_identities)."""
    match option:
        case Choice():
            return st.sampled_from(option.allowed)
        case Integer():
            usual = (option.default or option.least) + 1
            # A bound of thousands is there to refuse nonsense: most draws from it would not fit a small map.
            most = taps if option.within_window else usual if (option.most or 100) >= 100 else option.most
            return st.integers(option.least, min(most, option.least + 20))
        case Real():
            return st.floats(max(option.least, -4.0) + 0.05, min(option.most, 8.0) - 0.05)
        case Size():
            return st.one_of(st.integers(1, 5), st.tuples(st.integers(1, 5), st.integers(1, 5)))
        case Integers():
            return st.lists(st.integers(option.least, option.least + 3), min_size=1, max_size=3)
    raise TypeError(f"say here what to draw for an option of class {type(option).__name__}")


def options_of(name: str, shape: Shape) -> st.SearchStrategy[dict]:
    """A value for each option of a method."""
    taps = shape.kernel_size[0] * shape.kernel_size[1]
    options = get_pool(name).options.items()
    # What may be left open mostly is, since some options exclude each other.
    return st.fixed_dictionaries(
        {n: st.none() | values(o, taps) if o.is_open(None) else values(o, taps) for n, o in options}
    )
