"""Errors come early and are complete: the class, its arguments, the shape, and what would be allowed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from poolab.pooling.core import Choice, Integer, Integers, Option, Real, Size
from poolab.testing.items import expect, expect_refusal, item
from poolab.testing.shapes import Shape
from poolab.testing.subject import Subject

LAYOUTS = {1: "(N, C, L) or (C, L)", 2: "(N, C, H, W) or (C, H, W)", 3: "(N, C, D, H, W) or (C, D, H, W)"}
FIRST_AXIS = {1: "length", 2: "height", 3: "depth"}
WRONG_GEOMETRY: dict[str, tuple[object, ...]] = {
    "kernel_size": (0, 2.0, (2, 3, 4, 5)),
    "stride": (0, "2"),
    "padding": (-1, 2),
    "dilation": (0,),
    "ceil_mode": (1,),
}


@item("errors")
def errors(subject: Subject) -> None:
    """Check that a wrong option, geometry, map or dtype is refused at once, with what is wrong and what is allowed."""
    checks: list[Callable[[Subject], None]] = [_wrong_options, _unknown_options, _wrong_inputs, _other_channels]
    checks += (
        [_wrong_geometries, _all_at_once, _too_small_maps, _missing_channels] if subject.is_window else [_empty_maps]
    )
    for check in checks:
        check(subject)


def _built(subject: Subject, **arguments: Any) -> Callable[[], Any]:
    """Return a call of the constructor with small geometry and the subject's options below `arguments`."""
    geometry = {"kernel_size": 2, **subject.fixed} if subject.is_window else {}
    return lambda: subject.build(**{**geometry, **subject.options, **arguments})


def wrong(option: Option) -> list[object]:
    """Yield values that an option must refuse."""
    none = [] if option.is_open(None) else [None]
    match option:
        case Integer():
            most = 10_000 if option.within_window else option.most
            return [option.least - 1, 1.5, True, "2", *none, *([] if most is None else [most + 1])]
        case Real():
            beyond = [v for v in (option.least - 1, option.most + 1) if abs(v) != float("inf")]
            return [*beyond, float("nan"), -float("inf"), True, "2", *none]
        case Choice():
            return [value for value in (None, 2, "laier") if value not in option.allowed]
        case Size():
            beyond_size: list[object] = [] if option.most is None else [option.most + 1, (1, option.most + 1)]
            return [0, -1, (1, 2, 3), (1, 0), 1.5, *none, *beyond_size]
        case Integers():
            too_large: list[object] = [] if option.most is None else [[option.most + 1]]
            too_long: list[object] = [] if option.longest is None else [[1] * (option.longest + 1)]
            return [[], [option.least - 1], [1.5], "2", 1, *none, *too_large, *too_long]
    return [object()]


def _wrong_options(subject: Subject) -> None:
    name = subject.cls.__name__
    for option, declared in subject.cls.options.items():
        for value in wrong(declared):
            parts = [name, f"{option} must be", f"found {value!r}"]
            expect_refusal(ValueError, _built(subject, **{option: value}), parts, f"{name} with {option}={value!r}")


def _unknown_options(subject: Subject) -> None:
    name = subject.cls.__name__
    expect_refusal(ValueError, _built(subject, bogus=1), [f"{name}: no option bogus"], f"{name} with bogus=1")
    for option in subject.cls.options:
        parts = [f"no option {option}s (did you mean", option]
        expect_refusal(ValueError, _built(subject, **{f"{option}s": 1}), parts, f"{name} with {option}s=1")


def _wrong_geometries(subject: Subject) -> None:
    name = subject.cls.__name__
    for argument, values in WRONG_GEOMETRY.items():
        for value in values:
            parts = [f"{name}(kernel_size=", f"{argument} must be", f"found {value!r}"]
            call = _built(subject, **{"kernel_size": 2, argument: value})
            expect_refusal(ValueError, call, parts, f"{name} with {argument}={value!r}")


def _all_at_once(subject: Subject) -> None:
    name = subject.cls.__name__
    faulty: dict[str, Any] = dict.fromkeys(subject.cls.options, "nonsense")
    arguments = {"kernel_size": 0, "stride": -1, "padding": 0, "dilation": 0, "ceil_mode": 3, "bogus": 1, **faulty}
    parts = ["kernel_size must", "stride must", "dilation must", "ceil_mode must", "no option bogus"]
    parts += [f"{option} must" for option in faulty]
    expect_refusal(ValueError, lambda: subject.build(**arguments), parts, f"{name} with every argument wrong")


def _too_small_maps(subject: Subject) -> None:
    dims, channels = subject.dims, subject.channels
    shape = Shape.of(subject.sizes(4, 3, 3), (1,) * dims, subject.sizes(1, 0, 0))
    module = subject.make(subject.shape(shape))
    g = module.geometry
    least = tuple(max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(g.kernel_size, g.dilation, g.padding, strict=True))
    needed = "x".join(map(str, least))
    for axis in range(dims):
        if least[axis] == 1:
            continue
        sizes = [9] * dims
        sizes[axis] = least[axis] - 1
        for x in (torch.zeros(2, channels, *sizes), torch.zeros(channels, *sizes)):
            parts = [
                f"{subject.cls.__name__}(kernel_size=",
                f"input {tuple(x.shape)}",
                f"at least {needed}",
            ]
            expect_refusal(ValueError, partial(module, x), parts, f"{module} on {list(x.shape)}")
    expect_refusal(ValueError, lambda: module(torch.zeros(2, channels, 0, *[9] * (dims - 1))), ["input (2,"], module)
    found = module(torch.zeros(1, channels, *least)).shape
    expect(found[2:] == (1,) * dims, f"{module} on the smallest map it allows, {least}: found shape {list(found)}")
    _padding_alone(subject)


def _padding_alone(subject: Subject) -> None:
    """Check a dilated window that steps over a tiny map and holds nothing but padding."""
    if subject.fixed or "geometry" in subject.cls.exempt:
        return
    dims = subject.dims
    module = subject.make(Shape.even(dims, 2, 1, 1, 3))
    x = torch.zeros(1, subject.channels, 2, *[5] * (dims - 1))
    part = f"window 0 along {FIRST_AXIS[dims]} of input {tuple(x.shape)} lies in the padding alone"
    expect_refusal(ValueError, lambda: module(x), [part], f"{module} on {list(x.shape)}")


def _empty_maps(subject: Subject) -> None:
    module, x = subject.make(), torch.zeros(1, subject.channels, 0, *[5] * (subject.dims - 1))
    parts = [f"{subject.cls.__name__}: the map of input {tuple(x.shape)} is empty", "at least 1x1"]
    expect_refusal(ValueError, lambda: module(x), parts, f"{module} on {list(x.shape)}")


def _wrong_inputs(subject: Subject) -> None:
    name, dims, module = subject.cls.__name__, subject.dims, subject.make()
    sizes = subject.sizes(6, 6, 6)
    for dtype in (torch.int64, torch.uint8, torch.bool, torch.complex64):
        x = torch.zeros(1, subject.channels, *sizes, dtype=dtype)
        parts = [f"{name}: ", f"floating dtype, found {dtype}"]
        expect_refusal(TypeError, partial(module, x), parts, f"{module} on {dtype}")
    for shape in (sizes, (1, 1, subject.channels, *sizes)):
        parts = [f"must be {LAYOUTS[dims]}, found shape"]
        expect_refusal(ValueError, partial(module, torch.zeros(shape)), parts, f"{module} on {list(shape)}")


def _other_channels(subject: Subject) -> None:
    """Check that a layer whose parameters are for one number of channels refuses a map of another."""
    module = subject.make()
    if module.is_bound_to_channels:
        x = torch.zeros(1, subject.channels + 1, *subject.sizes(6, 6, 6))
        parts = [f"made for channels={subject.channels}", f"found {subject.channels + 1} channels"]
        expect_refusal(ValueError, partial(module, x), parts, f"{module} on {list(x.shape)}")


def _missing_channels(subject: Subject) -> None:
    name, geometry = subject.cls.__name__, {"kernel_size": 2, **subject.fixed}
    if subject.cls.uses_channels == "always":
        call = lambda: subject.cls(**geometry, **subject.options)  # noqa: E731
        expect_refusal(ValueError, call, [f"{name}: ", "needs channels"], f"{name} without channels")
    elif subject.cls.uses_channels == "option" and "sharing" in subject.cls.options:
        learning = {"learnable": True} if "learnable" in subject.cls.options else {}  # else there is nothing to share
        arguments = {**geometry, **subject.options, **learning, "sharing": "channel"}
        call = lambda: subject.cls(**arguments)  # noqa: E731
        expect_refusal(ValueError, call, ["sharing='channel' needs channels"], f"{name} shared by channel")
