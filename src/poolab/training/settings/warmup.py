"""The share of the steps over which the learning rate rises."""

import math

from poolab.run_config import OptimConfig


def warmup_share(optim: OptimConfig) -> float:
    """Return the share of the steps over which the rate rises; one-cycle cannot do without."""
    share = float(optim.warmup)
    return 0.3 if optim.schedule == "one_cycle" and math.isclose(share, 0.0) else share
