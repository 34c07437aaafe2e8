"""Sizes of the maps, networks and loops of the GPU benchmark."""

from dataclasses import dataclass

from poolab.bench.choices import Shape
from poolab.bench.interleaved import Plan

METHODS = ("max", "min", "avg_topk", "rank_weighted", "ordinal", "gem", "softpool", "stochastic")
LARGE_PLAN = Plan(rounds=9, extra_rounds=0, seconds=1.0, sample_seconds=5e-3)


@dataclass(frozen=True)
class Sizes:
    """Hold the sizes of one benchmark.

    Attributes:
        shape: the map of the operators.
        batch_size, width: of the networks; the width is that of ResNet-18's first stage.
        dtypes, methods: of the operators.
        networks, modes: of the networks, eager or compiled.
        plan: how many rounds.
        steps: of Lightning's loop.
    """

    shape: Shape = (128, 64, 56, 56)
    batch_size: int = 512
    width: int = 64
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    methods: tuple[str, ...] = METHODS
    networks: tuple[str, ...] = ("resnet18_cifar", "airbench94")
    modes: tuple[str, ...] = ("eager", "compile")
    plan: Plan = LARGE_PLAN
    steps: int = 200


# To try the script on any machine.
SMALL = Sizes(
    shape=(2, 3, 8, 8),
    batch_size=2,
    width=8,
    dtypes=("float32",),
    methods=("max", "avg_topk"),
    networks=("airbench94",),
    modes=("eager",),
    plan=Plan(rounds=5, extra_rounds=0, seconds=0.01, sample_seconds=1e-4),
    steps=3,
)
