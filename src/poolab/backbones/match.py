"""The matched control: a network widened until it is as large as the same network with another pooling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from poolab.backbones.base import Backbone
from poolab.backbones.registry import create_backbone, list_backbones, takes_option
from poolab.backbones.request import Asked
from poolab.errors import ConfigError, nearest
from poolab.measure import multiply_adds, parameters
from poolab.per_slot import pooling_words
from poolab.run_config import GEOMETRY, OWN, PoolingConfig

LARGEST = 64  # times as wide: where the search ends

COUNTS: dict[str, Callable[[Backbone, torch.Tensor], int]] = {
    "parameters": lambda model, image: parameters(model),
    "multiply_adds": multiply_adds,
}


@dataclass(frozen=True)
class Match:
    """The width of a matched network, and the difference that remains.

    Attributes:
        by: the quantity that is matched, "parameters" or "multiply_adds".
        to: the pooling of the other arm.
        width_mult: the factor that was found.
        target: the quantity of the other arm.
        count: the quantity of the network with this factor.
        widened: True if the network was widened; False if the other arm is not larger, or no wider network is nearer.
    """

    by: str
    to: str
    width_mult: float
    target: int
    count: int
    widened: bool

    @property
    def residual(self) -> int:
        """The count minus the target."""
        return self.count - self.target

    def metrics(self) -> dict[str, float]:
        """Return the figures under the flat names of a run's record; the share is that of the target."""
        return {
            "match/width_mult": self.width_mult,
            "match/target": self.target,
            "match/count": self.count,
            "match/residual": self.residual,
            "match/residual_share": self.residual / self.target if self.target else 0.0,
        }

    def notes(self) -> dict[str, str]:
        """Return what each figure is, in words."""
        notes = {"match/target": f"{self._what} with {self.to}"}
        return notes if self.widened else {**notes, "match/width_mult": f"not widened: {self._why_not}"}

    def __str__(self) -> str:
        """Return the result in one line."""
        found = f"width_mult {self.width_mult:.5g}" if self.widened else f"not widened ({self._why_not})"
        share = self.metrics()["match/residual_share"]
        return f"{found}: {self.count:,} {self._what}, with {self.to} {self.target:,} ({share:+.2%})"

    @property
    def _what(self) -> str:
        return self.by.replace("_", "-")

    @property
    def _why_not(self) -> str:
        return f"{self.to} is not larger" if self.residual >= 0 else "no wider network is nearer"


def match_width(
    backbone: str,
    *,
    by: str,
    to: str | PoolingConfig | Mapping[str, Any],
    pooling: Asked = None,
    width_mult: float = 1.0,
    **build: Any,
) -> Match:
    """Compute the `width_mult` with which a backbone is as large as the same backbone with the pooling `to`.

    The factor is searched from `width_mult` upwards, by bisection over all widths that differ, for the count that is
    nearest to the other arm's (the smaller of two that are equally near). Nothing is computed: networks are built on
    torch's meta device. If the other arm is not larger, the width does not change.

    Args:
        backbone: a name of `create_backbone`, with a `width_mult`.
        by: "parameters" (all of them, those of poolings too) or "multiply_adds" (of one image).
        to: the other arm's pooling, its name or `{"name": ..., ...options}`; slots, geometry and poolings of
            single slots (`at`) are those of `pooling` unless it says otherwise.
        pooling: the pooling of the network that is widened, as `create_backbone` takes it.
        width_mult: the width at which the two arms are compared, and from which the search starts.
        build: what else `create_backbone` takes.

    Raises:
        ConfigError: a backbone without `width_mult`, an unknown pooling, or what `create_backbone` says of the network.

    >>> size = {"in_channels": 3, "num_classes": 10, "image_size": 32}
    >>> found = match_width("keras_cnn", by="parameters", to="lip", pooling={"name": "max"}, **size)
    >>> found.target, found.count, found.width_mult
    (213834, 211834, 1.1328125)
    """
    if by not in COUNTS:
        raise ConfigError(f"match={by!r}: {nearest(str(by), list(COUNTS))}Allowed: {', '.join(COUNTS)}.")
    if not takes_option(backbone, "width_mult"):
        able = [name for name in list_backbones() if takes_option(name, "width_mult")]
        raise ConfigError(
            f"backbone {backbone} has no width_mult and cannot be widened: match is for {', '.join(able)}."
        )
    other = _other_arm(to, pooling)
    own = _on_meta(backbone, pooling, width_mult, build)
    try:
        target = _count(_on_meta(backbone, other, width_mult, build), by)
    except ConfigError as error:
        raise ConfigError(f"match_to, the pooling that the network is to be matched to: {error}") from error
    start = _count(own, by)
    if target <= start:
        return Match(by, pooling_words(other), width_mult, target, start, widened=False)
    step = width_mult / _steps(own)
    steps, found = _nearest_count(
        lambda steps: _count(_on_meta(backbone, pooling, width_mult + steps * step, build), by),
        start,
        target,
        _steps(own),
    )
    widened = found > start
    return Match(by, pooling_words(other), width_mult + widened * steps * step, target, found, widened)


def _on_meta(name: str, pooling: Asked, width_mult: float, build: Mapping[str, Any]) -> Backbone:
    with torch.device("meta"):
        return create_backbone(name, pooling=pooling, width_mult=width_mult, **build)


def _count(model: Backbone, by: str) -> int:
    return COUNTS[by](model, torch.empty(1, model.in_channels, *model.image_size, device="meta"))


def _steps(model: Backbone) -> int:
    """Return the widths between a width and its double at which the network changes.

    A layer of c channels grows by one at factors (k + 1/2) / c; beside layers of c/2, c/4, ... channels the next
    network is never nearer than 1 / 2c, and a step of 1 / 4c falls between any two.
    """
    return 4 * max(weight.shape[0] for weight in model.parameters() if weight.ndim > 1)


def _other_arm(to: str | PoolingConfig | Mapping[str, Any], pooling: Asked) -> dict[str, Any]:
    to = to.tree() if isinstance(to, PoolingConfig) else to
    pooling = pooling.tree() if isinstance(pooling, PoolingConfig) else pooling
    if not isinstance(to, str | Mapping):
        raise ConfigError(f"match_to={to!r} is neither the name of a pooling nor a mapping with a name and options.")
    arm = {"name": to} if isinstance(to, str) else dict(to)
    if "name" not in arm:
        raise ConfigError(f"match_to={arm} has no name of a pooling: write e.g. {{name: lip, logit: bottleneck}}.")
    if arm["name"] == OWN:
        return arm
    return {**{key: pooling[key] for key in ("slots", "at", *GEOMETRY) if pooling and key in pooling}, **arm}


def _nearest_count(count: Callable[[int], int], start: int, target: int, steps: int) -> tuple[int, int]:
    """Return the step above step 0 whose count is nearest to a target, and this count. Counts never decrease."""
    low, high, below, above = 0, steps, start, count(steps)
    while above < target:
        if high >= LARGEST * steps:
            raise ConfigError(f"{high // steps + 1} times as wide, the network has {above:,} of {target:,}: no match.")
        low, below, high = high, above, 2 * high
        above = count(high)
    while high - low > 1:
        middle = (low + high) // 2
        found = count(middle)
        low, below, high, above = (middle, found, high, above) if found < target else (low, below, middle, found)
    return (low, below) if target - below <= above - target else (high, above)
