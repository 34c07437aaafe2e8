"""The two pictures beside a record: the learning curves, and test images with true and predicted class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from poolab.data import ImageData

RIGHT, WRONG = "#1b6e3c", "#b3261e"


def learning_curves(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Loss and accuracy of training and validation over the epochs."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.4), layout="constrained", dpi=120)
    epochs = [row["epoch"] for row in history]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for stage, style in (("train", "--"), ("val", "-")):
            values = [row.get(f"{stage}/{quantity}", float("nan")) for row in history]
            axes.plot(epochs, values, style, marker="o", markersize=3, label={"val": "validation"}.get(stage, stage))
        axes.set(xlabel="epoch", ylabel={"loss": "cross entropy"}.get(quantity, quantity))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path)


def sample_grid(data: ImageData, examples: Mapping[str, Tensor], path: Path, rows: int = 4, columns: int = 8) -> None:
    """Test images spread evenly over the test set, each with its predicted class, and the true one where it differs."""
    from matplotlib.figure import Figure

    count = min(rows * columns, len(examples["index"]))
    figure = Figure(figsize=(1.35 * columns, 1.6 * rows), layout="constrained", dpi=120)
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    places = [round(i * (len(examples["index"]) - 1) / max(1, count - 1)) for i in range(count)]
    for axes in grid:
        axes.set_axis_off()
    for axes, place in zip(grid, places, strict=False):
        index, label, predicted = (int(examples[name][place]) for name in ("index", "label", "predicted"))
        image = data.test.images[index].permute(1, 2, 0).numpy()
        axes.imshow(image.squeeze(), cmap="gray" if data.channels == 1 else None, vmin=0, vmax=255)
        right = label == predicted
        title = data.classes[predicted] if right else f"{data.classes[predicted]}\n(is {data.classes[label]})"
        # parse_math=False: a class called a$b is no formula
        axes.set_title(title, fontsize=8, color=RIGHT if right else WRONG, parse_math=False)
    figure.savefig(path)
