"""Robustness of a run (`measure=full`): on its test split, with the trained network in the run's precision."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from poolab.data import ImageData, apportion, pick, prepare
from poolab.errors import ConfigError
from poolab.measure import Predict, checked_max_shift, device_of, preserve_state, run_full
from poolab.run_config import FullMeasureConfig, RunConfig
from poolab.streams import derive_seed
from poolab.training.components import RunComponents

# What goes to run_full under its own name; the rest of `measure` says what is measured and on how many images.
PASSED = (
    *("robustness", "max_shift", "shift_padding", "corruptions", "severities"),
    *("scales", "scale_mode", "gradient_support_images"),
)


def check_full(config: RunConfig, data: ImageData) -> None:
    """Check the settings that depend on the data, before a run starts.

    Raises:
        ConfigError: more images than the test split has, too few for its classes, or a shift beyond the picture.
    """
    if is_segmentation(config):
        return
    measure = config.measure
    assert isinstance(measure, FullMeasureConfig)
    images = measure.images
    if images is not None and not data.num_classes <= images <= len(data.test):
        raise ConfigError(
            f"measure.images={images} is not possible: choose from {data.num_classes} (one image for each class) "
            f"to {len(data.test)} (the test split), or null for all"
        )
    checked_max_shift(measure.max_shift, data.test.images_at(slice(1)))


def measure_full(
    config: RunConfig,
    parts: RunComponents,
    test_examples: Mapping[str, Tensor],
    autocast: torch.dtype | None,
    report: Callable[[str, float], None],
) -> tuple[dict[str, float], dict[str, str]]:
    """Measure the robustness, calibration and gradient support of a run's network.

    Calibration is computed from `test_examples`.
    """
    measure, test = config.measure, parts.data.test
    assert isinstance(measure, FullMeasureConfig)
    segments = is_segmentation(config)
    notes = {}
    if segments:
        why = "left out: it takes one class for each image, and this task has one for each pixel"
        notes = dict.fromkeys(("robust", "calibration"), why)
    kept = slice(None) if segments or measure.images is None else stratified(parts.data, measure.images)
    network = parts.network  # not its compiled twin, which would not run the hooks and compile for each new size
    with preserve_state(network):
        found, more = run_full(
            normalised(network.eval(), parts, autocast),
            test.images_at(kept),
            None if segments else test.labels_at(kept),
            model=network if measure.gradient_support else None,
            examples=test_examples if measure.calibration and not segments else None,
            batch_size=config.data.eval_batch_size,
            device=device_of(network),
            report=report,
            tolerant=True,
            **{name: getattr(measure, name) for name in PASSED},
        )
    return found, notes | more


def normalised(network: nn.Module, parts: RunComponents, autocast: torch.dtype | None) -> Predict:
    """Return the network as a function of uint8 images, prepared as for the test, in the run's precision."""
    device = device_of(network)
    dtype = next((weight.dtype for weight in network.parameters() if weight.is_floating_point()), torch.float32)

    def predict(images: Tensor) -> Tensor:
        batch = prepare(images, parts.data.mean, parts.data.std, memory_format=parts.loaders.memory_format)
        with torch.autocast(device.type, autocast, enabled=autocast is not None):
            logits: Tensor = network(batch.to(dtype))
        return logits

    return predict


def stratified(data: ImageData, images: int) -> Tensor:
    """Return the indices of a stratified sample of test images; the same for every seed and arm."""
    counts = torch.bincount(data.test.labels, minlength=data.num_classes).tolist()
    return pick(data.test.labels, apportion(counts, images), derive_seed(0, "measure"))


def is_segmentation(config: RunConfig) -> bool:
    """Return True if the task has a class for each pixel instead of one for each image."""
    return config.task == "segmentation"
