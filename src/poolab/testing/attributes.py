"""The check of a class's attributes: they describe it, and are true."""

import inspect

import torch

from poolab.pooling import Pool, Reference
from poolab.testing.items import BREADTH, ITEMS, ROLES, expect, item
from poolab.testing.shapes import Shape
from poolab.testing.subject import Subject

SHARED = {"kernel_size", "stride", "padding", "dilation", "ceil_mode", "slots", "name", "channels", "generator"}


@item("attributes", variants="choice")
def attributes(subject: Subject) -> None:
    """Check that the class's attributes are well-formed and true: role, options, parameters, channels, positions."""
    if subject.kind == BREADTH[0]:
        _well_formed(subject.cls)
        _signature_is_true(subject.cls)
    _parameters_are_true(subject)
    if subject.is_window and subject.kind == BREADTH[0]:
        _positional_is_true(subject)


def _well_formed(cls: type[Pool]) -> None:
    name = cls.__name__
    expect(cls.role in ROLES, f"{name}: role must be one of {ROLES}, found {cls.role!r}")
    for attribute in ("random", "positional"):
        value = getattr(cls, attribute)
        expect(isinstance(value, bool), f"{name}: {attribute} must be True or False, found {value!r}")
    for attribute in ("learns", "uses_channels"):
        value = getattr(cls, attribute)
        expect(value in ("never", "option", "always"), f"{name}: {attribute} must be a word of `Use`, found {value!r}")
    unknown = set(cls.exempt) - set(ITEMS)
    expect(not unknown, f"{name}: exempt from {sorted(unknown)}, which are not items; the items are {sorted(ITEMS)}")
    short = [item for item, reason in cls.exempt.items() if len(reason) <= 10]
    expect(not short, f"{name}: exempt from {short} without a reason")
    hidden = set(cls.options) & SHARED
    expect(not hidden, f"{name}: the options {sorted(hidden)} hide arguments that every pooling has")
    reference = getattr(cls, "reference", None)
    if reference is not None:
        whole = isinstance(reference, Reference) and reference.authors and reference.source
        expect(whole, f"{name}: reference must name authors and source, found {reference!r}")
        expect(1950 <= reference.year <= 2100, f"{name}: the reference is of the year {reference.year}")


def _signature_is_true(cls: type[Pool]) -> None:
    name, parameters = cls.__name__, inspect.signature(cls).parameters
    listed = "learnable" in cls.options
    expect(not listed or cls.learns == "option", f"{name}: `learnable` is an option, and learns is {cls.learns!r}")
    for parameter, wanted in (("channels", cls.uses_channels != "never"), ("generator", cls.random)):
        found = parameter in parameters
        expect(found == wanted, f"{name}: expected `{parameter}` as a parameter: {wanted}, found: {found}")
    for option, declared in cls.options.items():
        shown = parameters[option].default if option in parameters else "nothing"
        expect(shown == declared.default, f"{name}: {option} is {declared.default!r} by default, shown is {shown!r}")


def _parameters_are_true(subject: Subject) -> None:
    module = subject.make(dtype=torch.float64)
    has = any(True for _ in module.parameters())
    learns = {"never": False, "always": True, "option": module.is_learning}[subject.cls.learns]
    if subject.kind == "choice" or (subject.cls.learns == "option" and "learnable" not in subject.cls.options):
        learns = has and subject.cls.learns != "never"  # some value of an option may bring or leave out the parameters
    expect(has == learns, f"{module}: learns is {subject.cls.learns!r}, and it has {'' if has else 'no '}parameters")
    found = module(subject.distinct(8, 8, 6)).shape[1]
    said = module.out_channels(subject.channels)
    expect(found == said, f"{module}: out_channels says {said}, the output has {found}")


def _positional_is_true(subject: Subject) -> None:
    """Check that `positional` says whether moving the taps inside the first window changes the output."""
    kernel = (3, 3, 2)[: subject.dims]
    shape = subject.shape(Shape.of(kernel, kernel))
    module = subject.make(shape, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():  # weights may start equal
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    x = subject.distinct(6, 6, 4, batch=6)
    first = (slice(None), slice(None), *(slice(0, size) for size in shape.kernel_size))
    moved = x.clone()
    moved[first] = x[first].flatten(2).roll(1, -1).view(x[first].shape)
    same = bool(torch.allclose(module(x), module(moved), rtol=1e-9, atol=1e-9))
    expect(
        same != subject.cls.positional,
        f"{module}: positional is {subject.cls.positional}, and moving the taps of a window changes"
        f" {'nothing' if same else 'the output'}",
    )
