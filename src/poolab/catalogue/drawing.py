"""The tiles of the pictures: maps, outputs and gradients on matplotlib's axes, with one scale for all."""

import math
from typing import Any

from torch import Tensor

BEYOND = 0.25
DIM = 0.25  # an output whose values lie closer together would be one grey, or black
CUT = 1 / 3  # the share of values outside [0, 1] from which too little of an output would be seen
INK, PALE, BORDER = "#1f2933", "#9aa5b1", "#d5dce4"
SHARES = (
    *(("1", 1.0), ("1/2", 0.5), ("1/4", 0.25), ("1/16", 1 / 16), ("0", 0.0)),
    *(("-1/16", -1 / 16), ("-1/4", -0.25), ("-1/2", -0.5), ("-1", -1.0)),
)
PLACED = "#e8590c"  # the windows whose gradients are shown separately


def as_image(maps: Tensor) -> tuple[Any, bool]:
    """Return a map (C, h, w) as matplotlib shows it: three channels as colours, others as grey tiles side by side.

    Values in [0, 1] are shown as they are, those a little beyond (a filter's ringing) are cut; where they are far
    beyond, many beyond, or close together, as a convolution gives, all are stretched to it: the second answer.
    """
    low, high = float(maps.min()), float(maps.max())
    most = maps.flatten().quantile(maps.new_tensor([0.02, 0.98]))  # a bright corner does not lighten a black output
    close = 0 < float(most[1] - most[0]) < DIM
    cut = float(((maps < 0) | (maps > 1)).float().mean())
    stretched = low < -BEYOND or high > 1 + BEYOND or cut > CUT or close
    if stretched:
        low, high = map(float, most) if close else (low, high)
        maps = (maps - low) / max(high - low, 1e-12)
    maps = maps.clamp(0, 1)
    return (maps.permute(1, 2, 0) if len(maps) == 3 else tiled(maps)).numpy(), stretched


def tiled(maps: Tensor, empty: float = 1.0) -> Tensor:
    """Return maps (C, h, w) as one (H, W), in a grid as square as possible, with a border between them."""
    if len(maps) == 1:
        return maps[0]
    import torch.nn.functional as F

    columns = math.ceil(math.sqrt(len(maps)))
    rows = math.ceil(len(maps) / columns)
    border = max(1, maps.shape[-1] // 24)
    bordered = F.pad(maps, (0, border, 0, border), value=empty)
    filled = F.pad(bordered, (0, 0, 0, 0, 0, rows * columns - len(maps)), value=empty)
    height, width = bordered.shape[1:]
    grid = filled.view(rows, columns, height, width).transpose(1, 2).reshape(rows * height, columns * width)
    return grid[:-border, :-border]


def scale() -> Any:
    """Map a gradient to a colour value: 0 is white, positive is blue, negative is red, full at 1; by the square root.

    The root makes a sixteenth, a tap's share in the mean of a window of 4x4, a quarter of the full colour.
    """
    from matplotlib.colors import FuncNorm

    def root(value: Any) -> Any:
        import numpy as np

        return np.sign(value) * np.sqrt(np.abs(value))

    def square(value: Any) -> Any:
        import numpy as np

        return np.sign(value) * np.square(value)

    return FuncNorm((root, square), vmin=-1, vmax=1, clip=True)


def colours() -> Any:
    """Return the colour map: white in the middle, blue for positive and red for negative gradients."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = ["#7f0000", "#d7301f", "#fdbb84", "#ffffff", "#9ecae1", "#2171b5", "#08204a"]
    return LinearSegmentedColormap.from_list("gradient", stops).with_extremes(bad=BORDER)


def plain(axes: Any) -> None:
    """Draw axes without ticks, with a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set(color=PALE, linewidth=0.6)


def draw_input(axes: Any, maps: Tensor) -> None:
    """Draw an input with values in [0, 1] as it is: a dark photograph stays dark."""
    _draw(axes, (maps.permute(1, 2, 0) if len(maps) == 3 else tiled(maps)).numpy())


def draw_map(axes: Any, maps: Tensor, extent: Any = None) -> bool:
    """Draw an output; return True if its values were rescaled."""
    image, stretched = as_image(maps)
    _draw(axes, image, extent)
    return stretched


def _draw(axes: Any, image: Any, extent: Any = None) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    plain(axes)


def draw_gradient(axes: Any, gradient: Tensor, full: float = 1.0) -> None:
    """Draw a gradient; `full` is the gradient with the full colour."""
    shown = tiled(gradient / full, empty=float("nan")).numpy()  # a border must not look like an element with gradient 0
    axes.imshow(shown, cmap=colours(), norm=scale(), interpolation="nearest")
    plain(axes)


def draw_values(axes: Any, values: Tensor) -> None:
    """Draw output values that have no place: bars, or a line if there are too many."""
    count = values.numel()
    if count <= 256:
        axes.bar(range(count), values.numpy(), color="#2171b5", width=0.8)
    else:
        axes.plot(values.numpy(), color="#2171b5", linewidth=0.5)
    axes.set_xlabel("output value", fontsize=8, color=INK)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", alpha=0.3)
    axes.axhline(0, color=INK, linewidth=0.6)


def draw_windows(axes: Any, pool: Any, output: Tensor, step: int, linewidth: float = 0.9) -> None:
    """Draw frames around the windows whose gradients are shown separately; one artist, since hundreds take seconds."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    g = pool.geometry
    corners = [
        (column * g.stride[1] - g.padding[1] - 0.5, row * g.stride[0] - g.padding[0] - 0.5)
        for row in range(step // 2, output.shape[-2], step)
        for column in range(step // 2, output.shape[-1], step)
    ]
    frames = [Rectangle(corner, g.span(1), g.span(0)) for corner in corners]
    axes.add_collection(PatchCollection(frames, facecolor="none", edgecolor=PLACED, linewidth=linewidth), autolim=False)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def draw_scale(figure: Any, grid: Any, full: float = 1.0) -> None:
    """Draw the colours of gradients beside the tiles."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(scale(), colours()), ax=grid, shrink=0.7, aspect=40, pad=0.01)
    shares = [share for _, share in SHARES]
    bar.set_ticks(shares, labels=[label if full == 1 else _number(share * full) for label, share in SHARES])
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set(color=PALE, linewidth=0.6)


def save(figure: Any, file: str) -> None:
    """Write a figure.

    Raises:
        ConfigError: the file cannot be written, or matplotlib knows no such kind of picture.
    """
    from poolab.errors import ConfigError

    try:
        figure.savefig(file, facecolor="white")
    except ValueError as fault:
        raise ConfigError(f"{file}: no such kind of picture; {fault}") from None
    except OSError as fault:
        raise ConfigError(f"{file} cannot be written: {fault.strerror}; choose another file") from None
