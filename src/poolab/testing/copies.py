"""Copies of a module: deep, pickled, and by its state."""

import copy
import pickle
import sys

import torch

from poolab.pooling import Pool
from poolab.testing.items import expect, item
from poolab.testing.subject import Subject, seeded


@item("copies", variants="learned")
def copies(subject: Subject) -> str | None:
    """Check that a deep copy and a pickled one compute the same and share nothing; with their own generator too."""
    x = subject.distinct(6, 7, 5, dtype=torch.float32)
    importable = is_importable(subject.cls)
    for kind in ("deepcopy", "pickle") if importable else ("deepcopy",):
        module = subject.make(training=True)
        expected = seeded(module, x)
        twin = duplicate(module, kind)
        said = f"{module}, {kind}"
        expect(repr(twin) == repr(module), said, f": the copy shows itself as {twin}")
        expect(torch.equal(seeded(twin, x), expected), said, ": the copy computes something else")
        for parameter in twin.parameters():
            torch.nn.init.constant_(parameter, 9.0)
        expect(torch.equal(seeded(module, x), expected), said, ": the copy shares its parameters with the original")
        if subject.cls.random:
            own = subject.make(training=True, generator=torch.Generator().manual_seed(4))
            twin = duplicate(own, kind)
            expect(torch.equal(twin(x), own(x)), said, ": the copy's generator has another state")
    return None if importable else "deep copies alone: pickle cannot find a class that no module holds"


def duplicate(module: Pool, kind: str) -> Pool:
    """Return a copy by `copy.deepcopy`, or through `pickle`."""
    return copy.deepcopy(module) if kind == "deepcopy" else pickle.loads(pickle.dumps(module))


def is_importable(cls: type[Pool]) -> bool:
    """Return True if pickle finds the class by its name, which fails for classes made in a function or a doctest."""
    return getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls


@item("state", variants="choice")
def state(subject: Subject) -> None:
    """Check that the `state_dict` holds all that a module of the same arguments needs to compute the same."""
    module, other = subject.make(), subject.make(seed=1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.25)
    other.load_state_dict(module.state_dict(), strict=True)
    x = subject.distinct(6, 7, 5, dtype=torch.float32)
    expect(torch.equal(other(x), module(x)), f"{module}: a module with its state computes something else")
    held = module.state_dict()
    missing = [name for name, _ in module.named_parameters() if name not in held]
    expect(not missing, f"{module}: its state lacks {missing}")
