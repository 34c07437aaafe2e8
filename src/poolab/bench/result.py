"""The types of a benchmark's result, as its JSON document has them."""

from dataclasses import asdict
from typing import NotRequired, TypedDict, cast, overload

from poolab.bench.figures import Figure


class Interval(TypedDict):
    """A `Figure` in JSON: a median of rounds, its 95 % interval, and whether it varied too much to be shown."""

    median: float
    low: float
    high: float
    iqr: float
    rounds: int
    refused: bool


@overload
def interval_of(figure: Figure) -> Interval: ...


@overload
def interval_of(figure: Figure | None) -> Interval | None: ...


def interval_of(figure: Figure | None) -> Interval | None:
    """Return a figure as JSON has it."""
    return None if figure is None else cast(Interval, asdict(figure))


class Named(TypedDict):
    """The method of a layer and how it is computed: plain, fused, or by another implementation."""

    method: str
    backend: str


class Cell(Named, total=False):
    """The measurements of one layer in one direction; a layer that cannot be measured has a `fault` alone."""

    direction: str
    seconds: Interval | None
    ratio: Interval | None
    target: float | None
    repeats: int
    fault: str
    least_bytes: int
    bandwidth_share: float | None
    outputs: int
    saved_bytes: int | None
    peak_bytes: int | None
    memory_fault: str
    times_faster_than: dict[str, Interval]


class Setting(TypedDict, total=False):
    """The benchmark setting of a group: `ops` has a kernel, `net` a network and a mode."""

    shape: str
    kernel: str
    network: str
    layout: str
    dtype: str
    device: str
    mode: str


class Group(Setting):
    """All cells of one benchmark setting."""

    cells: list[Cell]


class MadeWith(TypedDict, total=False):
    """Command, date, commit, versions, processor, threads and devices, which a figure depends on."""

    command: str
    date: str
    commit: str | None
    dirty: bool | None
    python: str
    platform: str
    processor: str
    cpus: int | None
    packages: dict[str, str]
    threads: int
    devices: dict[str, str]
    cuda: str | None
    load_average: float


class Document(TypedDict):
    """The result of `ops` or `net`; only `ops` measures the copy bandwidth."""

    benchmark: str
    format: int
    complete: bool
    made_with: MadeWith
    settings: dict[str, object]
    groups: list[Group]
    bandwidth: NotRequired[dict[str, Interval]]


class Change(Named):
    """The ratio of a layer before and after a change, with the quotient of the two and its interval."""

    direction: str
    old: Interval
    new: Interval
    quotient: float
    low: float
    high: float
    verdict: str


class Comparison(TypedDict):
    """Two results compared: the changes by setting, the ratios of only one result, and how they were made."""

    groups: dict[str, list[Change]]
    only: dict[str, dict[str, list[str]]]
    differences: dict[str, tuple[object, object]]
