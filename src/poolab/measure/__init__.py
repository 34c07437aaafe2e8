"""What a network costs: its size, its operations, what its poolings keep for backward, its memory, its speed."""

from poolab.measure.costs import run_costs
from poolab.measure.memory import PeakMemory
from poolab.measure.saved import pooling_saved_bytes
from poolab.measure.size import multiply_adds, parameters
from poolab.measure.speed import inference_speed

__all__ = [
    "PeakMemory",
    "inference_speed",
    "multiply_adds",
    "parameters",
    "pooling_saved_bytes",
    "run_costs",
]
