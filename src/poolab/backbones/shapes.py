"""The size, the parameters and the activation bytes at every slot, before anything is trained."""

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import torch

from poolab.backbones.base import Backbone
from poolab.backbones.probe import Shape, Trace, VanishError, describe_place, meta_twin, smallest_image, trace
from poolab.backbones.registry import create_backbone, image_pair
from poolab.backbones.slots import Kind

if TYPE_CHECKING:
    from rich.table import Table

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class SlotShape:
    """One slot for one image: shapes are (C, H, W), None where the map does not get that far.

    `activation_bytes` are those of the slot's output in float32; `vanishes` marks the slot at which, or on the way to
    which, the map would have no pixel left, and `note` then says where and what image size would be needed.
    """

    slot: str
    pooling: str
    kind: Kind
    input: Shape | None
    output: Shape | None
    parameters: int
    activation_bytes: int
    vanishes: bool = False
    note: str = ""


def slot_shapes(
    backbone: Backbone | str, *, image_size: int | tuple[int, int] | None = None, **build: Any
) -> list[SlotShape]:
    """Return the slots of a backbone, or of the one that `create_backbone(backbone, image_size=..., **build)` builds.

    No arithmetic is done, and an image that is too small gives rows that say so.

    >>> rows = slot_shapes("keras_cnn", image_size=32, in_channels=3, num_classes=10)
    >>> [(row.slot, row.output) for row in rows]
    [('pool1', (32, 15, 15)), ('pool2', (64, 6, 6)), ('head', (64, 6, 6))]
    >>> [row.note for row in slot_shapes("keras_cnn", image_size=5, in_channels=3, num_classes=10) if row.vanishes]
    ['the map would vanish at conv2 (Conv2d), where it is 1x1; needs images of 10x10']

    Raises:
        ConfigError: the backbone cannot be built as asked for, at any image size.
    """
    model = _shapes_only(backbone, image_size, build) if isinstance(backbone, str) else backbone
    twin = meta_twin(model)
    seen = trace(twin, model.image_size if image_size is None else image_pair(image_size))
    if seen.error is not None and seen.last == "":
        raise seen.error
    rows = [_row(twin, name, seen) for name in twin.slots]
    return rows if seen.error is None else _explain(rows, twin, seen)


def render_shapes(rows: list[SlotShape]) -> "Table":
    """Return the rows as a table of at most 80 columns; name a map that vanishes below it.

    >>> render_shapes(slot_shapes("torch_cnn", image_size=32, in_channels=3, num_classes=10)).row_count
    3
    """
    from rich import box
    from rich.table import Table

    notes = [row.note for row in rows if row.note]
    caption = "\n".join(notes) or "C x H x W and bytes of one float32 image"
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_style="bold red" if notes else "dim", width=80)
    for column in ("slot", "pooling"):
        table.add_column(column, overflow="fold")
    for column in ("input", "output", "params", "bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        output = "vanishes" if row.vanishes else _text(row.output)
        counts = f"{row.parameters:,}", f"{row.activation_bytes:,}" if row.output else "-"
        style = "bold red" if row.vanishes else None
        table.add_row(row.slot, row.pooling, _text(row.input), output, *counts, style=style)
    return table


def _shapes_only(name: str, image_size: int | tuple[int, int] | None, build: dict[str, Any]) -> Backbone:
    """Return the backbone on the meta device; if its map would vanish, the one for the smallest image that works."""
    with torch.device("meta"):
        try:
            return create_backbone(name, image_size=image_size, **build)  # type: ignore[arg-type]
        except VanishError as error:
            return create_backbone(name, image_size=error.smallest, **build)


def _row(twin: Backbone, name: str, seen: Trace) -> SlotShape:
    slot, path = twin.slots[name], twin.path_of(name)
    given, output = seen.inputs.get(path), seen.outputs.get(path)
    return SlotShape(
        slot=name,
        pooling=slot.pooling,
        kind=slot.kind,
        input=given and given[1:],
        output=output and output[1:],
        parameters=sum(parameter.numel() for parameter in twin.slot_module(name).parameters()),
        activation_bytes=FLOAT32_BYTES * prod(output) if output else 0,
    )


def _explain(rows: list[SlotShape], twin: Backbone, seen: Trace) -> list[SlotShape]:
    side = smallest_image(twin)
    needs = f"needs images of {side}x{side}" if side else str(seen.error)
    note = f"the map would vanish at {describe_place(twin, seen)}; {needs}"
    first = next(index for index, row in enumerate(rows) if row.output is None)
    return [replace(row, vanishes=True, note=note) if index == first else row for index, row in enumerate(rows)]


def _text(shape: Shape | None) -> str:
    return "x".join(map(str, shape)) if shape else "-"
