"""Holds the settings of what is measured on a trained network."""

from dataclasses import dataclass

from poolab.run_config.group import Group


@dataclass(frozen=True)
class MeasureConfig(Group):
    """The measures of a trained network: its costs."""

    name: str
    latency_batch_size: int
    throughput_batch_size: int
    seconds: float


@dataclass(frozen=True)
class FullMeasureConfig(MeasureConfig):
    """The measures of a trained network: costs, robustness, calibration and gradient support."""

    robustness: tuple[str, ...]
    calibration: bool
    gradient_support: bool
    images: int | None
    max_shift: int | None
    shift_padding: str
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    scales: tuple[float, ...]
    scale_mode: str
    gradient_support_images: int


MEASURES: dict[str, type[MeasureConfig]] = {"costs": MeasureConfig, "full": FullMeasureConfig}
