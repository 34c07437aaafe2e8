"""The report of a swap: the replaced places, those that were not reached, and the costs."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from poolab.backbones.surgery.calls import Shape

if TYPE_CHECKING:
    from rich.table import Table


class Change(NamedTuple):
    """A count before and after."""

    before: int
    after: int

    def __str__(self) -> str:
        """Return both values and the difference, as text.

        >>> str(Change(1000, 1200))
        '1,000 -> 1,200 (+200)'
        """
        return f"{self.before:,} -> {self.after:,} ({self.after - self.before:+,})"


@dataclass(frozen=True)
class Replacement:
    """One place: the layer's qualified name, its old and its new pooling.

    `input` and `output` are the shapes (C, H, W) of one example; the bytes are those that the place saves for the
    backward of the whole example batch beyond the map that it is given.
    """

    name: str
    kind: str
    was: str
    now: str
    input: Shape | None
    output: Shape | None
    parameters: int
    saved_bytes: Change | None


@dataclass(frozen=True)
class Unreachable:
    """A place that pools and was left as it is, with the reason."""

    name: str
    was: str
    reason: str


@dataclass(frozen=True)
class SwapReport:
    """The result of `swap_pooling`.

    Attributes:
        pooling: the method.
        replaced: every place that changed, in the order of the forward pass.
        unreachable: the places of the same kind that could not be changed.
        parameters: of the whole network.
        multiply_adds: of the whole network for one example, as `poolab.measure.multiply_adds` counts; None without one,
            or where `forward` takes gradients.
        saved_bytes: what the places save for backward, for the example batch; None without one.
        notes: what else a user must know.
    """

    pooling: str
    replaced: tuple[Replacement, ...]
    unreachable: tuple[Unreachable, ...]
    parameters: Change
    multiply_adds: Change | None
    saved_bytes: Change | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, for JSON."""
        return asdict(self)

    def table(self) -> "Table":
        """Return the places as a table of at most 80 columns."""
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, width=80, caption="\n".join(self._lines()), caption_justify="left")
        for column in ("place", "was", "now"):
            table.add_column(column, overflow="fold")
        table.add_column("map", justify="right", overflow="fold")
        for place in self.replaced:
            table.add_row(place.name, place.was, place.now, _maps(place))
        return table

    def __str__(self) -> str:
        """Return the table as text."""
        from rich.console import Console

        console = Console(width=80, highlight=False, color_system=None, force_terminal=False)
        with console.capture() as capture:
            console.print(self.table())
        return capture.get().rstrip()

    def _lines(self) -> list[str]:
        lines = [f"parameters {self.parameters}"]
        if self.multiply_adds is not None:
            lines.append(f"multiply-adds {self.multiply_adds}")
        if self.saved_bytes is not None:
            lines.append(f"saved for backward by these places, bytes {self.saved_bytes}")
        lines += [f"not reached: {left.name} ({left.was}): {left.reason}" for left in self.unreachable]
        return [*lines, *self.notes]


def _maps(place: Replacement) -> str:
    return " -> ".join("x".join(map(str, shape)) for shape in (place.input, place.output) if shape)
