"""What a network costs (size, operations, memory, speed), what it withstands (shifts, corruptions, scale), how far its
probabilities can be trusted, and what its poolings keep.
"""

from poolab.measure.corruptions import corrupted, corruption_accuracy
from poolab.measure.costs import run_costs
from poolab.measure.diagram import reliability_diagram
from poolab.measure.full_report import run_full
from poolab.measure.gradients import GradientSupport, gradient_support
from poolab.measure.memory import PeakMemory
from poolab.measure.probabilities import calibration, reliability
from poolab.measure.saved import pooling_saved_bytes
from poolab.measure.scales import rescaled, scale_accuracy
from poolab.measure.shifts import shift_accuracy, shift_consistency, shifted
from poolab.measure.size import multiply_adds, parameters
from poolab.measure.speed import inference_speed

__all__ = [
    "GradientSupport",
    "PeakMemory",
    "calibration",
    "corrupted",
    "corruption_accuracy",
    "gradient_support",
    "inference_speed",
    "multiply_adds",
    "parameters",
    "pooling_saved_bytes",
    "reliability",
    "reliability_diagram",
    "rescaled",
    "run_costs",
    "run_full",
    "scale_accuracy",
    "shift_accuracy",
    "shift_consistency",
    "shifted",
]
