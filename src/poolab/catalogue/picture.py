"""A picture of what one method keeps of an image: what comes out, and which pixels its gradient goes to."""

from pathlib import Path
from textwrap import fill
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from poolab.catalogue import drawing
from poolab.catalogue.chosen import geometry_of, known, make
from poolab.catalogue.cost import shown
from poolab.catalogue.kept import Kept, kept
from poolab.catalogue.photograph import features, grey, photograph
from poolab.errors import ConfigError
from poolab.pooling import Pool

LARGEST_WINDOW = 32  # pixels a side; the gradient of a window of 100 took minutes
KERNELS = (4, 2, 3)  # a window of 4x4 shows more of how it is divided than one of 2x2
DPI, WIDE, HIGH = 120, 3.3, 8.0  # inches: a column, and the picture
MAPS = 8  # the channels that heads and channel methods get
SIDES = {"global": 24, "channel": 48}  # the side of their maps
STRETCHED = "The output lies far beyond [0, 1], or in a small part of it, and is stretched to it."
GRADIENT = (
    "Gradient: the derivative of the sum of the output with respect to each input pixel. Blue is positive, red "
    "negative; the colour's depth is the square root of the absolute value, full at {full:.3g}."
)


def show(name: str, given: dict[str, Any], file: str | Path, image: str | Path | None = None) -> Path:
    """Write a picture of what the method with the given options keeps of an image; the file.

    Raises:
        ConfigError: no such method, options that it does not take, an image that cannot be read or written.
    """
    cls = known(name)
    figure = (_window_figure if cls.role == "window" else _map_figure)(cls, given, image)
    drawing.save(figure, str(file))
    return Path(file)


def _modes(cls: type[Pool]) -> list[tuple[str, bool]]:
    return [("in evaluation", False), ("of a training draw", True)] if cls.random else [("", False)]


def _figure(pool: Pool, input: Tensor, output: Tensor, columns: int, rows: int) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDE * columns, HIGH if rows == 2 else HIGH * 0.62), dpi=DPI, layout="constrained")
    title = f"{pool.name}: {shown(pool)}\n{tuple(input.shape)} becomes {(len(input), *output.shape)}"
    figure.suptitle(fill(title.split("\n")[0], 32 * columns) + "\n" + title.split("\n")[1], fontsize=11)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _caption(figure: Any, *sentences: str) -> None:
    columns = round(figure.get_figwidth() / WIDE)
    figure.supxlabel(fill(" ".join(filter(None, sentences)), 52 * columns), fontsize=8.5, color=drawing.INK)


def _start(pool: Pool) -> str:
    learns = any(True for _ in pool.parameters())
    return "It learns: shown with the weights that training starts from, drawn with seed 0." if learns else ""


# --- window methods: above the whole photograph, below a part of it where single pixels show


def _window_figure(cls: type[Pool], given: dict[str, Any], image: str | Path | None) -> Any:
    pool, _ = make(cls, given, channels=3, kernels=KERNELS)  # faults of the options come before the photograph's
    geometry: Any = pool.geometry
    if max(geometry.kernel_size) > LARGEST_WINDOW:
        raise ConfigError(f"--show draws windows of at most {LARGEST_WINDOW} pixels a side, found {geometry_of(pool)}")
    colour = photograph(image)
    single, light = _single(cls, given, pool, colour)
    passes = [(kept(pool, colour, training), kept(single, light, training)) for _, training in _modes(cls)]
    figure, grid = _figure(pool, colour, passes[0][0].output, 1 + 2 * len(passes), rows=2)
    window = part(light, single, passes[0][1])
    drawing.draw_input(grid[0, 0], colour[0])
    drawing.draw_input(grid[1, 0], grey(colour)[0])
    grid[0, 0].set_title("input", fontsize=10)
    grid[1, 0].set_title("a part of it in grey", fontsize=10)
    drawing.draw_windows(grid[1, 0], single, passes[0][1].output, passes[0][1].step)
    focused, stretched = [grid[1, 0]], False
    for index, ((mode, _), (seen, told)) in enumerate(zip(_modes(cls), passes, strict=True)):
        outputs, gradients = grid[:, 1 + 2 * index], grid[:, 2 + 2 * index]
        for axes, title in zip((outputs[0], gradients[0]), (f"output {mode}", f"gradient {mode}"), strict=True):
            axes.set_title(title.strip(), fontsize=10)
        stretched |= drawing.draw_map(outputs[0], seen.output)
        stretched |= drawing.draw_map(outputs[1], told.output, extent(single, told.output, light))
        drawing.draw_gradient(gradients[0], told.gradient)
        drawing.draw_gradient(gradients[1], told.apart)
        drawing.draw_windows(gradients[1], single, told.output, told.step)
        outputs[1].set_title("its elements there", fontsize=10)
        gradients[1].set_title(f"every {_nth(told.step)} window by itself", fontsize=10)
        focused += [gradients[1]] + [outputs[1]] * (len(told.output) == 1)
    for axes in focused:
        axes.set(xlim=window[:2], ylim=window[:1:-1])
    drawing.draw_scale(figure, grid)
    _caption(
        figure,
        GRADIENT.format(full=1.0),
        "Gradients and the lower row are those of the photograph in grey; frames are the windows.",
        _start(pool),
        STRETCHED if stretched else "",
    )
    return figure


def _single(cls: type[Pool], given: dict[str, Any], pool: Pool, colour: Tensor) -> tuple[Pool, Tensor]:
    """Return the method for one channel, which shows single pixels, unless it needs all three."""
    try:
        return make(cls, given, channels=1, kernels=KERNELS)[0], grey(colour)
    except ConfigError:
        return pool, colour


def part(light: Tensor, pool: Any, told: Kept) -> tuple[float, float, float, float]:
    """Return the limits (left, right, top, bottom) of the part that varies most inside its windows: three times three
    separate windows with a margin.
    """
    g = pool.geometry
    rows, columns = (min(step, size) for step, size in zip(g.stride, light.shape[-2:], strict=True))
    lengths = []
    for axis in (0, 1):
        margin = max(0, told.step // 2 * g.stride[axis] - g.padding[axis])
        lengths.append(min(2 * margin + 2 * told.step * g.stride[axis] + g.span(axis), light.shape[axis - 2]))
    high, wide = lengths
    mean = F.avg_pool2d(light, (rows, columns))
    spread = F.avg_pool2d(light.square(), (rows, columns)) - mean.square()
    blocks = F.avg_pool2d(spread.mean(1, keepdim=True), (max(1, high // rows), max(1, wide // columns)), told.step)
    best = int(blocks[0, 0].flatten().argmax())
    row, column = divmod(best, blocks.shape[-1])
    top, left = row * told.step * rows - 0.5, column * told.step * columns - 0.5
    return left, left + wide, top, top + high


def extent(pool: Any, output: Tensor, light: Tensor) -> tuple[float, float, float, float]:
    """Return where an output's elements lie over the input: each around the middle of its window."""
    g, sizes = pool.geometry, tuple(light.shape[-2:])
    if tuple(output.shape[-2:]) != g.output_size(*sizes):
        return -0.5, sizes[1] - 0.5, sizes[0] - 0.5, -0.5
    top, left = ((g.span(axis) - g.stride[axis]) / 2 - g.padding[axis] - 0.5 for axis in (0, 1))
    return left, left + output.shape[-1] * g.stride[1], top + output.shape[-2] * g.stride[0], top


def _nth(step: int) -> str:
    return {2: "second", 3: "third"}.get(step, f"{step}th")


# --- heads, channel and same-size methods: maps as a network has them


def _map_figure(cls: type[Pool], given: dict[str, Any], image: str | Path | None) -> Any:
    pool, _ = make(cls, given, channels=1 if cls.role == "same" else MAPS)
    colour = photograph(image)
    input = grey(colour) if cls.role == "same" else features(colour, SIDES[cls.role])
    passes = [kept(pool, input, training) for _, training in _modes(cls)]
    figure, (grid,) = _figure(pool, input, passes[0].output, 1 + 2 * len(passes), rows=1)
    full = max(max(float(one.gradient.abs().max()) for one in passes), 1e-12)
    bright = input.flatten().quantile(0.98).clamp(min=1e-12) if cls.role != "same" else 1.0
    drawing.draw_input(grid[0], (input[0] / bright).clamp(max=1.0))
    grid[0].set_title("input" if cls.role == "same" else f"input: {MAPS} maps", fontsize=10)
    stretched = False
    for index, ((mode, _), one) in enumerate(zip(_modes(cls), passes, strict=True)):
        outputs, gradient = grid[1 + 2 * index], grid[2 + 2 * index]
        outputs.set_title(f"output {mode}".strip(), fontsize=10)
        gradient.set_title(f"gradient {mode}".strip(), fontsize=10)
        stretched |= _draw_output(outputs, one.output)
        drawing.draw_gradient(gradient, one.gradient, full)
    drawing.draw_scale(figure, grid, full)
    edges = f"Input: the edges of {MAPS} directions of the photograph, negative ones cut off, as a first layer gives."
    _caption(
        figure,
        edges if cls.role != "same" else "",
        GRADIENT.format(full=full),
        _start(pool),
        STRETCHED if stretched else "",
    )
    return figure


def _draw_output(axes: Any, output: Tensor) -> bool:
    if output.dim() == 3 and output.shape[-1] * output.shape[-2] > 16:
        return drawing.draw_map(axes, output)
    drawing.draw_values(axes, output.flatten())
    return False
