"""The share of the steps over which the learning rate rises."""

import math
from collections.abc import Mapping
from typing import Any


def warmup_share(optim: Mapping[str, Any]) -> float:
    """Return the share of the steps over which the rate rises; one-cycle cannot do without."""
    share = float(optim["warmup"])
    return 0.3 if optim["schedule"] == "one_cycle" and math.isclose(share, 0.0) else share
