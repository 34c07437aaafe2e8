"""The pictures beside a record: learning curves, test images with what was predicted, and the confusion matrix."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poolab.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIGHT, WRONG = "#1b6e3c", "#b3261e"
DARK = (0.16, 0.17, 0.2)
MOST_NAMED = 18
MOST_CLASSES = 60  # of which the names fit beside a matrix
LABELS = {"loss": "cross entropy", "mean_iou": "mean IoU"}

Box = tuple[int, int, int, int]  # left, top, width and height in pixels


def learning_curves(history: Sequence[Mapping[str, Any]], path: Path, headline: str = "accuracy") -> None:
    """Draw loss and headline metric (accuracy, mean_iou) of training and validation over the epochs."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.4), dpi=120)
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.15, top=0.96, wspace=0.2)
    epochs = [row["epoch"] for row in history]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", headline), strict=True):
        for stage, style in (("train", "--"), ("val", "-")):
            values = [row.get(f"{stage}/{quantity}", float("nan")) for row in history]
            values = [float("nan") if value is None else value for value in values]  # as history.jsonl has it
            axes.plot(epochs, values, style, marker="o", markersize=3, label={"val": "validation"}.get(stage, stage))
        axes.set(xlabel="epoch", ylabel=LABELS.get(quantity, quantity))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="best")
    _save(figure, path)


def sample_grid(
    samples: Mapping[str, np.ndarray], classes: Sequence[str], path: Path, rows: int = 4, columns: int = 8
) -> None:
    """Draw test images with the predicted class, and the true one if it differs.

    Args:
        samples: as `samples.classified` gives them.
        classes: the names of the classes.
    """
    # One picture and its words: 32 axes took 1.5 s of a run's 5.
    wide, high, title = 162, 192, 36
    figure = _figure(columns * wide, rows * high, dpi=120)
    shown = []
    for number, (label, predicted) in enumerate(zip(samples["label"], samples["predicted"], strict=True)):
        left, top = wide * (number % columns), high * (number // columns)
        shown.append((samples["image"][number], (left + 6, top + title, wide - 12, high - title - 6)))
        right = label == predicted
        said, true = (printable(classes[int(one)]) for one in (predicted, label))
        words = said if right else f"{said}\n(is {true})"
        _write(figure, words, left + wide / 2, top + title - 3, color=RIGHT if right else WRONG)
    _save(figure, path, shown)


def mask_grid(
    samples: Mapping[str, np.ndarray], classes: Sequence[str], path: Path, rows: int = 4, columns: int = 4
) -> None:
    """Draw test images with the mask, the predicted mask, and the image's IoU.

    Pixels that the mask ignores are white in both masks. The legend names the classes, up to `MOST_NAMED`.

    Args:
        samples: as `samples.segmented` gives them.
        classes: the names of the classes.
    """
    from matplotlib.patches import Patch

    wide, high, title, legend = 110, 135, 18, 40
    figure = _figure(3 * columns * wide, rows * high + legend, dpi=100)
    colours = _class_colours(len(classes))
    shown = []
    for number, image in enumerate(samples["image"]):
        left, top = 3 * wide * (number % columns), high * (number // columns)
        masks = (np.moveaxis((255 * colours[samples[name][number]]).round(), -1, 0) for name in ("label", "predicted"))
        for place, one in enumerate((image, *masks)):
            shown.append((one, (left + place * wide + 3, top + title, wide - 6, high - title - 4)))
        first = number < columns
        _write(figure, "true" if first else "", left + 1.5 * wide, top + title - 3)
        words = f"{'predicted: ' * first}IoU {float(samples['iou'][number]):.2f}"
        _write(figure, words, left + 2.5 * wide, top + title - 3)
    named = [
        # matplotlib hides names that begin with _
        Patch(facecolor=colour, edgecolor="gray", label=printable(name).lstrip("_"))
        for colour, name in zip(colours, classes[:MOST_NAMED], strict=False)
    ]
    for text in figure.legend(handles=named, loc="lower center", ncols=6, fontsize=8, frameon=False).get_texts():
        text.set_parse_math(False)
    _save(figure, path, shown)


def confusion_matrix(counts: Any, classes: Sequence[str], path: Path) -> None:
    """Draw the share of each true class (a row) that was predicted as each class (a column); few classes get numbers.

    Args:
        counts: (classes, classes), the true class first; an array, or a tensor on the CPU.
    """
    table = np.asarray(counts, dtype=np.float64)
    shares = table / table.sum(1, keepdims=True).clip(min=1)
    count = len(classes)
    side = min(9.0, 2.6 + 0.36 * count)
    names = [printable(name) for name in classes] if count <= MOST_CLASSES else []
    figure = _figure(round(100 * side), round(100 * side), dpi=100)
    axes = figure.add_axes(_beside_names(figure, names, side))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="predicted class", ylabel="true class")
    if names:
        axes.set_xticks(range(count), names, rotation=90, fontsize=8, parse_math=False)
        axes.set_yticks(range(count), names, fontsize=8, parse_math=False)
    if count <= MOST_NAMED:
        for row, column in np.ndindex(count, count):
            if shares[row, column] >= 0.005:
                colour = "white" if shares[row, column] > 0.5 else "black"
                text = f"{100 * shares[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        axes.set_title("% of each true class", fontsize=9)
    _save(figure, path)


def _beside_names(figure: "Figure", names: Sequence[str], side: float) -> tuple[float, float, float, float]:
    """Return the place of a square beside and above the names of its rows and columns, in shares of the figure.

    Found by one look at each name: matplotlib's layouts take half of the time of the whole picture.
    """
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    size = figure.dpi * side
    renderer = RendererAgg(size, size, figure.dpi)
    widths = [renderer.get_text_width_height_descent(name, FontProperties(size=8), False)[0] for name in names]
    before = min(max(widths, default=30) / size + 0.45 / side, 0.7)  # with the axis' own words
    length = 1 - before - 0.3 / side
    return before, before, length, length


def _save(figure: "Figure", path: Path, shown: Sequence[tuple[np.ndarray, Box]] = ()) -> None:
    """Write a figure as PNG, and over it images (C, h, w), 0 to 255, each in the middle of its box, as large as fits.

    As a part of the figure, Matplotlib resampled the images once more: 0.28 s for a grid, and 0.16 s without. The
    compression is low, since a high one took up to 0.4 of the time.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    whole = np.array(canvas.buffer_rgba())[..., :3]
    for pixels, (left, top) in _fitted(shown):
        whole[top : top + len(pixels), left : left + pixels.shape[1]] = pixels
    Image.fromarray(np.ascontiguousarray(whole)).save(path, compress_level=1)


def _figure(width: int, height: int, dpi: int) -> "Figure":
    """Return an empty figure of this size in pixels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / dpi, height / dpi), dpi=dpi)


def _write(figure: "Figure", words: str, x: float, y: float, color: str = "black") -> None:
    """Write words above a point, in pixels from the upper left corner."""
    width, height = figure.get_size_inches() * figure.dpi
    # parse_math=False: a class called a$b is no formula
    figure.text(x / width, 1 - y / height, words, ha="center", va="bottom", fontsize=8, color=color, parse_math=False)


def _fitted(shown: Sequence[tuple[np.ndarray, Box]]) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Yield each image (h, w, 3) at its size in the picture, and its upper left corner."""
    from PIL import Image

    for image, (left, top, width, height) in shown:
        pixels = np.moveaxis(np.asarray(image, dtype=np.uint8), 0, -1)
        pixels = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
        resized = np.asarray(Image.fromarray(pixels).resize(size, how))
        yield resized, (left + (width - size[0]) // 2, top + (height - size[1]) // 2)


def _class_colours(count: int) -> np.ndarray:
    """Return a colour (256, 3) for each index: class 0, mostly background, is dark, and ignored pixels are white."""
    from matplotlib import color_sequences

    colours = np.ones((256, 3))
    shades = color_sequences["tab20" if count > 11 else "tab10"]
    colours[:count] = [DARK, *(shades[i % len(shades)] for i in range(count - 1))]
    return colours
