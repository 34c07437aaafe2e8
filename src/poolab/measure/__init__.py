"""Measures of a network: size, operations, memory, speed, robustness (shifts, corruptions, scale), calibration, and the
gradient support of its poolings.
"""

from poolab.measure.corruptions import CORRUPTIONS, SEVERITIES, corrupted, corruption_accuracy
from poolab.measure.costs import run_costs
from poolab.measure.diagram import reliability_diagram
from poolab.measure.full_report import ROBUSTNESS, run_full
from poolab.measure.gradients import GradientSupport, gradient_at, gradient_support
from poolab.measure.memory import PeakMemory
from poolab.measure.module_state import device_of, preserve_state, uncompiled
from poolab.measure.other_load import OtherLoad
from poolab.measure.parts import in_parts
from poolab.measure.predictions import Predict
from poolab.measure.probabilities import calibration, example_scores, reliability
from poolab.measure.saved import SavedStorages, pooling_saved_bytes
from poolab.measure.scales import SCALE_MODES, SCALES, rescaled, scale_accuracy
from poolab.measure.shifts import SHIFT_PADDINGS, checked_max_shift, shift_accuracy, shift_consistency, shifted
from poolab.measure.size import multiply_adds, parameters
from poolab.measure.speed import inference_speed, synchronise
from poolab.measure.style import default_style

__all__ = [
    "CORRUPTIONS",
    "ROBUSTNESS",
    "SCALES",
    "SCALE_MODES",
    "SEVERITIES",
    "SHIFT_PADDINGS",
    "GradientSupport",
    "OtherLoad",
    "PeakMemory",
    "Predict",
    "SavedStorages",
    "calibration",
    "checked_max_shift",
    "corrupted",
    "corruption_accuracy",
    "default_style",
    "device_of",
    "example_scores",
    "gradient_at",
    "gradient_support",
    "in_parts",
    "inference_speed",
    "multiply_adds",
    "parameters",
    "pooling_saved_bytes",
    "preserve_state",
    "reliability",
    "reliability_diagram",
    "rescaled",
    "run_costs",
    "run_full",
    "scale_accuracy",
    "shift_accuracy",
    "shift_consistency",
    "shifted",
    "synchronise",
    "uncompiled",
]
