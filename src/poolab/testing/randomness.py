"""Random methods, and that the others are not: modes, generators, and the expectation."""

import torch
from torch import Tensor

from poolab.testing.items import expect, item
from poolab.testing.subject import Subject, seeded

CALLS = 32  # with between-call errors: the rows of one batch may share a draw
LIMIT = 5.5  # standard errors, of about a hundred windows, estimated from `CALLS` means


@item("shapes", variants="choice")
def shapes(subject: Subject) -> None:
    """Check that training and evaluation have one shape, and that evaluation is deterministic and draws nothing."""
    for shape in subject.shapes:
        module = subject.make(shape, dtype=torch.float64)
        x = subject.distinct(7, 8, 6, batch=2)
        before = torch.get_rng_state()
        evaluated = module(x)
        expect(torch.equal(evaluated, module(x)), f"{module}: two evaluations differ")
        expect(torch.equal(before, torch.get_rng_state()), f"{module}: evaluation drew random numbers")
        trained = module.train()(x)
        expect(
            trained.shape == evaluated.shape,
            f"{module} on {list(x.shape)}: evaluation gives {list(evaluated.shape)}, training {list(trained.shape)}",
        )
        if not subject.cls.random:
            expect(
                torch.equal(before, torch.get_rng_state()),
                f"{module}: training drew random numbers, but the class says random = False",
            )


@item("generator", random_only=True, variants="choice")
def generator(subject: Subject) -> None:
    """Check that training depends only on the generator's state, the given or the global one's, and reseeds neither."""
    module = subject.make(training=True, dtype=torch.float64)
    x = subject.distinct(8, 8, 6, batch=16).abs()
    torch.manual_seed(5)
    first = [module(x) for _ in range(4)]
    expect(any(not torch.equal(first[0], y) for y in first), f"{module}: training is not random, every call is equal")
    torch.manual_seed(5)
    expect(torch.equal(first[0], module(x)), f"{module}: the same state of the global generator gives another output")
    torch.manual_seed(6)
    other = [module(x) for _ in range(4)]
    expect(any(not torch.equal(a, b) for a, b in zip(first, other, strict=True)), f"{module}: reseeds the generator")
    _own_generator(subject, x)


def _own_generator(subject: Subject, x: Tensor) -> None:
    source = torch.Generator().manual_seed(5)
    module = subject.make(training=True, dtype=torch.float64, generator=source)
    before = torch.get_rng_state()
    first = [module(x) for _ in range(4)]
    expect(any(not torch.equal(first[0], y) for y in first), f"{module}: training with a generator is not random")
    expect(torch.equal(before, torch.get_rng_state()), f"{module}: with its own generator it moves the global one")
    source.manual_seed(5)
    expect(torch.equal(first[0], module(x)), f"{module}: the same state of its generator gives another output")


@item("expectation", random_only=True, variants="choice")
def expectation(subject: Subject) -> None:
    """Check that the mean of many draws in training is the output in evaluation."""
    x = subject.distinct(6, 6, 4).abs()
    module = subject.make(dtype=torch.float64)
    evaluated = module(x)[0].detach()
    module.train()
    means = _call_means(module, x, rows=600 if subject.dims < 3 else 200)
    error = means.std(0) / len(means) ** 0.5
    apart = (means.mean(0) - evaluated).abs() / (error + 1e-10)
    expect(
        apart.max() < LIMIT,
        f"{module}: the mean of {len(means)} calls in training lies {apart.max():.1f} standard errors from evaluation",
    )


def _call_means(module: torch.nn.Module, x: Tensor, rows: int) -> Tensor:
    """Return the mean output of each of many calls; of single rows where all rows of a batch are drawn together."""
    with torch.no_grad():
        few = seeded(module, x.expand(50, *x.shape[1:]))
        if (few == few[:1]).all():
            return torch.stack([module(x)[0] for _ in range(1500)])
        return torch.stack([module(x.expand(rows, *x.shape[1:])).mean(0) for _ in range(CALLS)])
