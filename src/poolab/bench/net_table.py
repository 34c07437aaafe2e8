"""The network benchmark's tables: one for each group, the same for the terminal and for Markdown."""

from poolab.bench.ops_table import milliseconds, name_of, ratio, style_of
from poolab.bench.result import Group
from poolab.bench.sheet import Sheet


def group_table(group: Group, full: bool) -> Sheet:
    """Time of a step and its ratio to the step with `nn.MaxPool2d`."""
    cells = group["cells"]
    title = (
        f"{group['network']} {group['shape']} {group['dtype']} {group['layout']}, {group['mode']}, {group['device']}"
    )
    rows = [
        [
            name_of(cell),
            milliseconds(cell["seconds"]),
            ratio(cell["ratio"]) if cell["backend"] != "nn.MaxPool2d" else "1",
            f"{cell['target']:g}" if cell["target"] else "",
            str(cell["seconds"]["rounds"]) if cell["seconds"] else "",
        ]
        for cell in cells
    ]
    faults = [f"not measured: {name_of(cell)}: {cell['fault']}" for cell in cells if "fault" in cell]
    heads = ["pooling in every slot", "ms a step, 95 %", "ratio, 95 %", "goal", "rounds"]
    return Sheet(f"Training step, {title}", heads, rows, faults, [style_of(cell) for cell in cells])
