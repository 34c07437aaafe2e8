"""The pictures beside a record: learning curves, test images with what was predicted, and the confusion matrix."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from poolab.data import IGNORED, ImageData, prepare
from poolab.text import printable

RIGHT, WRONG = "#1b6e3c", "#b3261e"
DARK = (0.16, 0.17, 0.2)
MOST_NAMED = 18
MOST_CLASSES = 60  # of which the names fit beside a matrix
LABELS = {"loss": "cross entropy", "mean_iou": "mean IoU"}


def learning_curves(history: Sequence[Mapping[str, Any]], path: Path, headline: str = "accuracy") -> None:
    """Draw loss and headline metric (accuracy, mean_iou) of training and validation over the epochs."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.4), layout="constrained", dpi=120)
    epochs = [row["epoch"] for row in history]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", headline), strict=True):
        for stage, style in (("train", "--"), ("val", "-")):
            values = [row.get(f"{stage}/{quantity}", float("nan")) for row in history]
            axes.plot(epochs, values, style, marker="o", markersize=3, label={"val": "validation"}.get(stage, stage))
        axes.set(xlabel="epoch", ylabel=LABELS.get(quantity, quantity))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path)


def sample_grid(data: ImageData, examples: Mapping[str, Tensor], path: Path, rows: int = 4, columns: int = 8) -> None:
    """Draw test images spread evenly over the test set, with the predicted class, and the true one if it differs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.35 * columns, 1.6 * rows), layout="constrained", dpi=120)
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    places = _spread(rows * columns, len(examples["index"]))
    for axes in grid:
        axes.set_axis_off()
    for axes, place in zip(grid, places, strict=False):
        index, label, predicted = (int(examples[name][place]) for name in ("index", "label", "predicted"))
        _show(axes, data.test.images_at(slice(index, index + 1))[0])
        right = label == predicted
        shown, true = (printable(data.classes[number]) for number in (predicted, label))
        title = shown if right else f"{shown}\n(is {true})"
        # parse_math=False: a class called a$b is no formula
        axes.set_title(title, fontsize=8, color=RIGHT if right else WRONG, parse_math=False)
    figure.savefig(path)


def confusion_matrix(counts: Tensor, classes: Sequence[str], path: Path) -> None:
    """Draw the share of each true class (a row) that was predicted as each class (a column); few classes get numbers.

    Args:
        counts: (classes, classes), the true class first.
    """
    from matplotlib.figure import Figure

    table = counts.double().cpu()
    shares = (table / table.sum(1, keepdim=True).clamp(min=1)).numpy()
    count = len(classes)
    side = min(9.0, 2.6 + 0.36 * count)
    figure = Figure(figsize=(side, side), layout="constrained", dpi=100)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="predicted class", ylabel="true class")
    if count <= MOST_CLASSES:
        names = [printable(name) for name in classes]
        axes.set_xticks(range(count), names, rotation=90, fontsize=8, parse_math=False)
        axes.set_yticks(range(count), names, fontsize=8, parse_math=False)
    if count <= MOST_NAMED:
        for row, column in np.ndindex(count, count):
            if shares[row, column] >= 0.005:
                colour = "white" if shares[row, column] > 0.5 else "black"
                text = f"{100 * shares[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        axes.set_title("% of each true class", fontsize=9)
    figure.savefig(path)


def mask_grid(
    data: ImageData, network: nn.Module, examples: Mapping[str, Tensor], path: Path, rows: int = 4, columns: int = 4
) -> None:
    """Draw test images spread evenly over the test set, with the mask, the predicted mask, and the image's IoU.

    Pixels that the mask ignores are white in both masks. The legend names the classes, up to `MOST_NAMED`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    places = _spread(rows * columns, len(examples["index"]))
    chosen = examples["index"][places]
    truths = data.test.labels_at(chosen)
    predictions = _predicted(data, network, chosen).where(truths != IGNORED, IGNORED)
    colours = _class_colours(data.num_classes)
    figure = Figure(figsize=(3.3 * columns, 1.35 * rows + 0.4), layout="constrained", dpi=100)
    grid = figure.subplots(rows, 3 * columns, squeeze=False)
    for axes in grid.flatten():
        axes.set_axis_off()
    shown = data.test.images_at(chosen)
    for number, place in enumerate(places):
        image, truth, prediction = grid[number // columns, 3 * (number % columns) :][:3]
        _show(image, shown[number])
        truth.imshow(colours[truths[number]], interpolation="nearest")
        prediction.imshow(colours[predictions[number]], interpolation="nearest")
        first = number < columns
        truth.set_title("true" if first else "", fontsize=8)
        prediction.set_title(f"{'predicted: ' * first}IoU {float(examples['iou'][place]):.2f}", fontsize=8)
    named = [
        Patch(
            facecolor=colour, edgecolor="gray", label=printable(name).lstrip("_")
        )  # matplotlib hides names that begin so
        for colour, name in zip(colours, data.classes[:MOST_NAMED], strict=False)
    ]
    legend = figure.legend(handles=named, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.savefig(path)


def _predicted(data: ImageData, network: nn.Module, index: Tensor) -> Tensor:
    """Return the class of each pixel of these test images, on the CPU; the network's mode is restored afterwards."""
    device = next(network.parameters()).device
    images = prepare(data.test.images_at(index).to(device), data.mean, data.std)
    training = network.training
    with torch.inference_mode():
        classes = network.eval()(images.to(next(network.parameters()).dtype)).argmax(dim=1)
    network.train(training)
    return classes.cpu()


def _class_colours(count: int) -> np.ndarray:
    """Return a colour (256, 3) for each index: class 0, mostly background, is dark, and ignored pixels are white."""
    from matplotlib import color_sequences

    colours = np.ones((256, 3))
    shades = color_sequences["tab20" if count > 11 else "tab10"]
    colours[:count] = [DARK, *(shades[i % len(shades)] for i in range(count - 1))]
    return colours


def _show(axes: Any, image: Tensor) -> None:
    axes.imshow(image.permute(1, 2, 0).squeeze(-1).numpy(), cmap="gray" if len(image) == 1 else None, vmin=0, vmax=255)


def _spread(most: int, count: int) -> list[int]:
    """Return at most this many indices, spread evenly over `count`."""
    shown = min(most, count)
    return [round(i * (count - 1) / max(1, shown - 1)) for i in range(shown)]
