"""The share of the training steps in which the learning rate rises."""

import math

from poolab.run_config import OptimConfig


def warmup_share(optim: OptimConfig) -> float:
    """Return the share of the steps in which the rate rises; the one-cycle schedule needs one."""
    share = float(optim.warmup)
    return 0.3 if optim.schedule == "one_cycle" and math.isclose(share, 0.0) else share
