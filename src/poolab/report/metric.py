"""The metric that arms are compared by: its unit, its direction, and how its numbers are written."""

from __future__ import annotations

from dataclasses import dataclass

SHARES = ("accuracy", "accuracy_top5", "mean_iou", "dice", "pixel_accuracy")
# Parts of names of metrics of which less is better.
LESS = ("loss", "error", "nll", "brier", "seconds", "bytes", "latency", "ms", "flip", "parameters", "multiply_adds")
POINTS = 0.5  # the default margin of a share, in points


@dataclass(frozen=True)
class Metric:
    """A metric by its name in the records, e.g. test/accuracy.

    >>> metric = Metric("test/accuracy")
    >>> metric.value(0.5624), metric.difference(-0.0112), metric.title
    ('56.24 %', '-1.12 points', 'test accuracy')
    """

    name: str

    @property
    def is_share(self) -> bool:
        """True if the metric is a share in [0, 1], shown in per cent, its differences in percentage points."""
        return any(part in SHARES or part.endswith("_accuracy") for part in self.name.split("/"))

    @property
    def higher_is_better(self) -> bool:
        """False for losses, errors, times and sizes."""
        words = set(self.name.replace("/", "_").split("_"))
        return self.is_share or not any(word in words or word in self.name.split("/") for word in LESS)

    @property
    def validation(self) -> str | None:
        """The same metric on the validation split, by which arms are ranked; None of what is not a test metric.

        >>> Metric("test/accuracy").validation, Metric("cost/parameters").validation
        ('val/accuracy', None)
        """
        return f"val/{self.name.removeprefix('test/')}" if self.name.startswith("test/") else None

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("/", " ").replace("_", " ").replace("mean iou", "mean IoU")

    @property
    def unit(self) -> str:
        """The unit of differences: "points" for shares, else empty."""
        return "points" if self.is_share else ""

    @property
    def scale(self) -> float:
        """The factor from the metric's own unit to what is shown."""
        return 100.0 if self.is_share else 1.0

    @property
    def default_margin(self) -> float | None:
        """Half a point for a share; other metrics have no default."""
        return POINTS / self.scale if self.is_share else None

    def value(self, number: float | None) -> str:
        """Write a value."""
        if number is None:
            return "-"
        return f"{100 * number:.2f} %" if self.is_share else f"{number:.4g}"

    def bare(self, number: float | None) -> str:
        """Write a value without its unit."""
        return self.value(number).removesuffix(" %")

    def signed(self, number: float | None) -> str:
        """Write a difference with its sign, without its unit."""
        if number is None:
            return "-"
        return _positive_zero(f"{100 * number:+.2f}" if self.is_share else f"{number:+.4g}")

    def difference(self, number: float | None) -> str:
        """Write a difference with sign and unit."""
        return f"{self.signed(number)} {self.unit}".strip()

    def size(self, number: float) -> str:
        """Write the size of a difference, without a sign."""
        text = f"{100 * abs(number):.2f}" if self.is_share else f"{abs(number):.4g}"
        return f"{text} {self.unit}".strip()

    def possible(self, ends: tuple[float, float]) -> tuple[float, float]:
        """Return the part of an interval of differences that is possible: between -1 and 1 for a share.

        What is cut off cannot be true, so that the interval holds the true difference as often as before.

        >>> Metric("test/accuracy").possible((-1.27, 0.9)), Metric("test/loss").possible((-1.27, 0.9))
        ((-1.0, 0.9), (-1.27, 0.9))
        """
        return (max(ends[0], -1.0), min(ends[1], 1.0)) if self.is_share else ends

    def interval(self, ends: tuple[float, float] | None) -> str:
        """Write an interval of differences, as far as it is possible.

        >>> Metric("test/accuracy").interval((-0.019, 0.0007)), Metric("test/accuracy").interval((-1.27, 0.9))
        ('-1.90 to +0.07', '-100.00 to +90.00')
        """
        return "-" if ends is None else " to ".join(map(self.signed, self.possible(ends)))


def _positive_zero(text: str) -> str:
    return text.replace("-", "+", 1) if float(text) == 0 else text
