"""Runs the items on a class in all its dimensions and variants."""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest import SkipTest

import torch

from poolab.errors import nearest
from poolab.pooling import Pool, WindowPool2d
from poolab.pooling.registry import SIBLINGS
from poolab.pooling.window_pool import siblings
from poolab.testing.items import ITEMS, Item, Unavailable
from poolab.testing.oracle import BY_ITSELF, NOTHING
from poolab.testing.report import Report, Row
from poolab.testing.subject import Oracle, Reference, Subject


class PoolingFailure(AssertionError):
    """A pooling failed a check; `report` has all results."""

    def __init__(self, report: Report):
        super().__init__(f"\n{report}")
        self.report = report


def check_pooling(
    cls: type[Pool],
    *,
    options: Mapping[str, Any] | None = None,
    channels: int = 2,
    oracle: Oracle | None = None,
    reference: Reference | None = None,
    items: Iterable[str] | None = None,
    raise_failures: bool = True,
) -> Report:
    """Run the whole suite on a pooling class: all items, in all dimensions and variants that it has.

    The class need not be registered. Nothing is random from call to call, and torch's generators stay where they are.

    Args:
        cls: a subclass of `WindowPool2d`, `HeadPool2d` or `MapPool2d`.
        options: the method's options, over those of `cls.trial`.
        channels: the channels of the maps, where `cls.trial` does not say.
        oracle: (real taps of a window, 1-d float64 in raster order; module) -> number, for a window method. Without
            it each window is compared with the method on that window alone, which proves the geometry but no formula;
            the report then says "no oracle given" and never "ok".
        reference: (x in float64, geometry or None, module) -> y, for a head or a method of positions; None for maps
            that it says nothing about.
        items: the names of the items to run; None for all.
        raise_failures: raise them; False gives the report with them.

    Raises:
        PoolingFailure: an AssertionError that lists everything that failed.
        ValueError: an item that there is not.

    >>> class MidrangePool2d(WindowPool2d):
    ...     "The middle between the extremes, y = (max_i x_i + min_i x_i) / 2."
    ...     formula = staticmethod(lambda windows: (windows.maximum() + windows.minimum()) / 2)
    >>> oracle = lambda taps, module: (taps.max() + taps.min()) / 2
    >>> report = check_pooling(MidrangePool2d, oracle=oracle, items=["oracle", "gradient"])  # without `items`: all
    >>> report.passed, report.mark("gradient", dims=3)
    (True, 'ok')
    """
    chosen, report = _chosen(items), Report(_name(cls))
    for subject in _subjects(cls, options, channels, oracle, reference):
        report.rows.extend(run(item, subject) for item in chosen if item.applies(subject))
    needless = [name for name in cls.exempt if name in {i.name for i in chosen} and _needless(name, report.rows)]
    for name in needless:
        row = next(row for row in report.rows if row.item == name)
        report.rows.append(replace(row, status="failed", reason=_needless_reason(cls, name), seconds=0.0))
    if raise_failures and not report.passed:
        raise PoolingFailure(report)
    return report


def pooling_checks(
    cls: type[Pool],
    *,
    options: Mapping[str, Any] | None = None,
    channels: int = 2,
    oracle: Oracle | None = None,
    reference: Reference | None = None,
    items: Iterable[str] | None = None,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Return the suite's checks one by one, each with an id, for `pytest.mark.parametrize`; arguments as
    `check_pooling`.

    An item that the class is exempt from is one check, which fails where the exemption is needless.

    >>> [name for name, check in pooling_checks(WindowPool2d, items=["channels_last"])]
    ['2d-default-channels_last', '3d-default-channels_last']
    """
    subjects = list(_subjects(cls, options, channels, oracle, reference))
    for item in _chosen(items):
        concerned = [subject for subject in subjects if item.applies(subject)]
        if item.name in cls.exempt and concerned:
            yield f"{item.name}-exempt", _exemption_check(item, concerned)
        else:
            for subject in concerned:
                yield f"{subject.dims}d-{subject.label}-{item.name}", _check(item, subject)


def run(item: Item, subject: Subject) -> Row:
    """Run one item on one subject, and restore torch's generator afterwards."""
    start = time.perf_counter()
    try:
        remark, fault = _outcome(item, subject)
    except Unavailable as missing:
        return Row(item.name, subject.dims, subject.label, "not run", str(missing))
    row = Row(item.name, subject.dims, subject.label, "passed", remark or "", time.perf_counter() - start)
    if fault is not None and item.name in subject.cls.exempt:
        return replace(row, status="exempt", reason=subject.cls.exempt[item.name])
    if fault is not None:
        return replace(row, status="failed", reason=fault)
    without = item.name == "oracle" and remark in (NOTHING, BY_ITSELF)
    return replace(row, status="not given") if without else row


def _outcome(item: Item, subject: Subject) -> tuple[str | None, str | None]:
    """Return the check's remark, and what is wrong or None."""
    with torch.random.fork_rng(devices=[]):
        try:
            return item.check(subject), None
        except Unavailable:
            raise
        except AssertionError as fault:
            return None, str(fault)
        except Exception as fault:  # the pooling under test may raise anything
            last = traceback.extract_tb(fault.__traceback__)[-1]
            raised = f"raised {type(fault).__name__}: {fault} ({last.filename}, line {last.lineno})"
            return None, f"{subject.cls.__name__}, {subject.label}: {raised}"


def _check(item: Item, subject: Subject) -> Callable[[], None]:
    def check() -> None:
        _, fault = _outcome_or_skip(item, subject)
        if fault is not None:
            raise AssertionError(f"{item.name}: {item.says}\n{fault}")

    return check


def _exemption_check(item: Item, subjects: list[Subject]) -> Callable[[], None]:
    def check() -> None:
        if all(_outcome_or_skip(item, subject)[1] is None for subject in subjects):
            raise AssertionError(_needless_reason(subjects[0].cls, item.name))

    return check


def _outcome_or_skip(item: Item, subject: Subject) -> tuple[str | None, str | None]:
    """Return the outcome; a check that cannot run is skipped, as unittest and pytest say it."""
    try:
        return _outcome(item, subject)
    except Unavailable as missing:
        raise SkipTest(f"{item.name}: {missing}") from missing


def _needless(name: str, rows: list[Row]) -> bool:
    found = {row.status for row in rows if row.item == name}
    return bool(found) and not found & {"exempt", "not run"}


def _needless_reason(cls: type[Pool], name: str) -> str:
    return f"{cls.__name__} is exempt from {name} ({cls.exempt[name]}), but it passes: take the exemption away"


def _chosen(items: Iterable[str] | None) -> list[Item]:
    names = list(ITEMS) if items is None else list(items)
    unknown = [f"{name!r} ({nearest(name, list(ITEMS))}items: {', '.join(ITEMS)})" for name in {*names} - {*ITEMS}]
    if unknown:
        raise ValueError(f"no item {'; '.join(unknown)}")
    return [ITEMS[name] for name in names]


def _subjects(
    cls: type[Pool],
    options: Mapping[str, Any] | None,
    channels: int,
    oracle: Oracle | None,
    reference: Reference | None,
) -> Iterator[Subject]:
    for one in _classes(cls):
        yield from Subject.of(one, options, channels, oracle, reference).variants()


def _classes(cls: type[Pool]) -> list[type[Pool]]:
    """Return the class and its siblings of other dimensions, the given ones first."""
    if not issubclass(cls, WindowPool2d) or cls.dims != 2 or "dimensions" in cls.exempt:
        return [cls]
    known = [SIBLINGS.get((getattr(cls, "name", ""), dims)) for dims in (1, 3)]
    low, high = (s if s is not None and issubclass(s, cls) else None for s in known)
    if low is None or high is None:
        low, high = siblings(cls)
    return [low, cls, high]


def _name(cls: type[Pool]) -> str:
    return getattr(cls, "name", cls.__name__)
