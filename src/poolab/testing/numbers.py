"""Hard numbers: large, tiny, equal and zero elements in every precision, NaN and infinities."""

import torch
from torch import Tensor

from poolab.pooling import Pool
from poolab.testing.items import expect, expect_close, item
from poolab.testing.oracle import BY_ITSELF, expected_of
from poolab.testing.shapes import each_window
from poolab.testing.subject import Subject, mode

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
SIZES = (6, 6, 4)


def hard(subject: Subject, dtype: torch.dtype) -> dict[str, Tensor]:
    """Yield maps that break a careless formula, by what they hold."""
    generator = torch.Generator().manual_seed(0)
    sizes = subject.sizes(*SIZES)
    uniform = torch.rand(sizes, generator=generator, dtype=torch.float64)
    choices = torch.tensor([1e4, -1e4, 1e-4, 0.0, 1.0], dtype=torch.float64)
    whole = torch.randint(-4, 5, sizes, generator=generator).double()
    cases = {
        "large": (0.9 + 0.2 * uniform) * 1e4,
        "large negative": -(0.9 + 0.2 * uniform) * 1e4,
        "small": (0.9 + 0.2 * uniform) * 1e-4,
        "subnormal": whole * torch.finfo(dtype).tiny / 8,
        "mixed sizes": choices[torch.randint(0, 5, sizes, generator=generator)],
        "equal": torch.full(sizes, 3.0, dtype=torch.float64),
        "equal negative": torch.full(sizes, -3.0, dtype=torch.float64),
        "zero": torch.zeros(sizes, dtype=torch.float64),
        "negative zero": -torch.zeros(sizes, dtype=torch.float64),
    }
    return {name: values.to(dtype) for name, values in cases.items()}


@item("numbers", variants="learned")
def numbers(subject: Subject) -> str | None:
    """Check that large, tiny, subnormal, equal and zero elements give finite, precise values and gradients."""
    for dtype in DTYPES:
        maps = hard(subject, dtype)
        module = subject.make(dtype=dtype)
        x = torch.stack(list(maps.values())).unsqueeze(1).expand(-1, subject.channels, *subject.sizes(*SIZES))
        x = x.contiguous().requires_grad_()
        for training in (True, False):
            output = module.train(training)(x)
            said = f"{module} {mode(training)} in {dtype}"
            expect(output.dtype == dtype, said, f": expected {dtype}, found {output.dtype}")
            _all_finite(output, list(maps), said, "values")
            leaves = [x, *module.parameters()]
            slopes = torch.autograd.grad(output.float().mean(), leaves, allow_unused=True)
            _all_finite(slopes[0], list(maps), said, "gradients")
            for slope in slopes[1:]:
                expect(slope is None or slope.isfinite().all(), said, ": a parameter's gradient is not finite")
        _right(subject, module, x.detach(), output.detach(), list(maps))
    return None if subject.oracle or subject.reference else BY_ITSELF


def _all_finite(values: Tensor, names: list[str], said: str, what: str) -> None:
    for name, row in zip(names, values, strict=True):
        expect(row.isfinite().all(), said, f"on {name} elements: {what} that are not finite")


def _right(subject: Subject, module: Pool, x: Tensor, output: Tensor, names: list[str]) -> None:
    """Check each map's values, to the precision of the largest element or, where a sum cancels, of its terms."""
    exact = x.double()
    expected = expected_of(subject, exact, subject.usual, module)
    if expected is None:
        wide = subject.make(dtype=torch.float64)
        wide.load_state_dict(module.state_dict())
        expected = wide(exact).detach()
    limits = torch.finfo(x.dtype)
    for row, name in enumerate(names):
        atol = 2 * limits.eps * exact[row].abs().max().item() + limits.tiny * limits.eps
        said = f"{module} in {x.dtype} on {name} elements"
        expect_close(output[row].double(), expected[row], said, rtol=4 * limits.eps, atol=atol)


@item("nan", variants="learned")
def nan(subject: Subject) -> None:
    """Check that one NaN comes out of all windows that hold it and of nothing else."""
    for training in subject.modes:
        for shape in subject.shapes:
            module = subject.make(shape, training=training)
            x = subject.normal(2, 8, 8, 6, batch=2).float()
            x[(1, 0, *subject.sizes(2, 3, 3))] = torch.nan
            found = module(x).isnan()
            said = f"{module} {mode(training)}"
            if subject.is_window:
                holds = each_window(x, shape, lambda taps: bool(taps.isnan().any())).bool()
                expect(
                    found.shape == holds.shape and torch.equal(found, holds),
                    said,
                    f": {int(holds.sum())} windows hold the NaN, found {int(found.sum())} NaN in the output",
                )
            else:
                _map_nan(found, subject, said)


def _map_nan(found: Tensor, subject: Subject, said: str) -> None:
    """Check a method without windows: the sample comes out NaN, or one channel where each is pooled separately."""
    expect(not found[0].any(), said, ": the NaN of one sample reaches another")
    expect(found[1].any(), said, ": the NaN is swallowed")
    if subject.cls.role == "global" and found.dim() > 2 and found.shape[1] == subject.channels:
        expect(found[1, 0].any() and not found[1, 1:].any(), said, ": the NaN of one channel reaches another")


@item("infinities", variants="learned")
def infinities(subject: Subject) -> str | None:
    """Check that infinite elements give the limit of the formula, and spoil the gradient of their own windows alone."""
    if not subject.is_window:
        _map_infinities(subject)
        return None
    for dtype in (torch.float64, *DTYPES):
        module = subject.make(dtype=dtype)
        x = torch.cat([_infinite(subject, infinity) for infinity in (torch.inf, -torch.inf)]).to(dtype)
        # The limit: what the formula gives for a number so large that the rest of the window does not count.
        large = x.double().nan_to_num(posinf=1e30, neginf=-1e30)
        limit = expected_of(subject, large, subject.usual, module)
        if limit is None:
            limit = subject.make(dtype=torch.float64)(large).detach()
        expected = torch.where(limit.abs() > 1e15, torch.copysign(torch.tensor(torch.inf), limit), limit)
        said = f"{module} in {dtype} on infinite elements"
        expect_close(module(x).detach().double(), expected, said, rtol=0.03, atol=0.03)
    _gradient_stays(subject)
    return None if subject.oracle or subject.reference else BY_ITSELF


def _infinite(subject: Subject, infinity: float) -> Tensor:
    """Return a map with one infinite element in channel 0 and whole infinite windows in channel 1, unless channels are
    mixed.
    """
    x = subject.normal(4, 8, 8, 5).mul(10).round().div(10)
    x[(0, 0, *subject.sizes(2, 3, 2))] = infinity
    if "nan" not in subject.cls.exempt:  # a filter's signs would make inf - inf of them
        x[0, 1, 4:7] = infinity
    return x


def _gradient_stays(subject: Subject) -> None:
    x = subject.normal(4, 8, 8, 5).float()
    x[(0, 0, *subject.sizes(0, 0, 0))] = torch.inf  # in the first window alone, with other real taps
    module = subject.make()
    (slope,) = torch.autograd.grad(module(x.requires_grad_()).sum(), x)
    corner = torch.zeros(slope.shape[2:], dtype=torch.bool)
    g = subject.usual
    reach = [d * (k - 1) + 1 - p for k, p, d in zip(g.kernel_size, g.padding, g.dilation, strict=True)]
    corner[tuple(slice(0, size) for size in reach)] = True
    first = corner.expand(slope.shape)
    expect(slope[~first].isfinite().all(), f"{module}: an infinity in the first window spoils other windows' gradients")


def _map_infinities(subject: Subject) -> None:
    """Check a method without windows: the infinity of one sample does not reach another."""
    module = subject.make()
    x = subject.normal(4, 8, 8, 5, batch=2).float()
    alone = module(x[:1])
    for infinity in (torch.inf, -torch.inf):
        x[(1, 0, *subject.sizes(2, 3, 2))] = infinity
        said = f"{module} with {infinity} in another sample"
        expect_close(module(x)[:1].detach(), alone.detach(), said, rtol=1e-5, atol=1e-6)
    return
