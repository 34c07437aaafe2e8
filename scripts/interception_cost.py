"""Measures what surgery's interception costs: a training step of a ResNet-18 that pools by functions, and one call.

    OMP_NUM_THREADS=1 python scripts/interception_cost.py --rounds 200 --batch 2 --side 32

The networks take turns in random order; printed is the median, over the rounds, of the processor time of a step beside
that of the plain network in the same round, and, since a busy machine tells no thousandths, the processor time of one
call that pools a map of 4x4. Needs torchvision.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock

from poolab.backbones import swap_pooling
from poolab.pooling import GlobalAvgPool2d, MaxPool2d


class Functional(ResNet):
    """A ResNet-18 whose two poolings are functions."""

    def __init__(self) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=10)
        self.maxpool, self.avgpool = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the scores."""
        x = F.max_pool2d(self.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class ByHand(Functional):
    """The same with its author's calls of layers."""

    def __init__(self, pool: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.add_module("maxpool", pool)
        self.add_module("avgpool", head)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the scores."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def intercepted(images: Tensor) -> Functional:
    """Return the network with both functions replaced by poolab's layers."""
    net = Functional()
    swap_pooling(net, "max", example_input=images)
    swap_pooling(net, "global_avg", example_input=images)
    return net


def intercepted_to_torch(images: Tensor) -> Functional:
    """Return the network with both calls handed to torch's own layers: interception alone."""
    net = intercepted(images)
    net.max_pool2d_1, net.adaptive_avg_pool2d_1 = nn.MaxPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1)
    return net


def variants(images: Tensor) -> dict[str, nn.Module]:
    """Return the networks by what they are."""
    nets: dict[str, Callable[[], Any]] = {
        "plain": Functional,
        "plain again": Functional,  # what the measuring itself cannot tell apart
        "torch's layers by hand": lambda: ByHand(nn.MaxPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1)),
        "torch's layers, intercepted": lambda: intercepted_to_torch(images),
        "poolab's layers by hand": lambda: ByHand(MaxPool2d(3, 2, 1), GlobalAvgPool2d()),
        "poolab's layers, intercepted": lambda: intercepted(images),
    }
    return {name: _seeded(make) for name, make in nets.items()}


class Call(nn.Module):
    """A network that does nothing but pool once, by a function."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return F.max_pool2d(x, 2)


class LayerCall(nn.Module):
    """The same by a layer."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        pooled: Tensor = self.pool(x)
        return pooled


def calls(map_: Tensor) -> dict[str, nn.Module]:
    """Return networks of one call by what they are."""
    own, to_torch = Call(), Call()
    swap_pooling(own, "max", example_input=map_)
    swap_pooling(to_torch, "max", example_input=map_)
    to_torch.max_pool2d_1 = nn.MaxPool2d(2)
    return {
        "function": Call(),
        "torch's layer by hand": LayerCall(nn.MaxPool2d(2)),
        "torch's layer, intercepted": to_torch,
        "poolab's layer by hand": LayerCall(MaxPool2d(2)),
        "poolab's layer, intercepted": own,
    }


@torch.no_grad()
def _microseconds(rounds: int, each: int = 300) -> dict[str, float]:
    map_ = torch.randn(1, 1, 4, 4)
    nets, found = calls(map_), dict[str, list[float]]()
    for _ in range(rounds):
        for name in random.sample(list(nets), len(nets)):
            begun = time.process_time()
            for _ in range(each):
                nets[name](map_)
            found.setdefault(name, []).append(1e6 * (time.process_time() - begun) / each)
    return {name: statistics.median(found[name]) for name in nets}


def _seeded(make: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return make().train()


def _step(net: nn.Module, images: Tensor) -> float:
    net.zero_grad(set_to_none=True)
    begun = time.process_time()
    net(images).sum().backward()
    return time.process_time() - begun


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--side", type=int, default=32)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.randn(asked.batch, 3, asked.side, asked.side)
    nets = variants(images)
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    order = list(nets)
    for turn in range(asked.rounds + 10):
        random.shuffle(order)
        took = {name: _step(nets[name], images) for name in order}
        if turn >= 10:
            for name, value in took.items():
                seconds[name].append(value)
    print(f"plain: {1e3 * statistics.median(seconds['plain']):.2f} ms a step, {asked.rounds} rounds")
    for name, values in list(seconds.items())[1:]:
        ratios = [value / plain for value, plain in zip(values, seconds["plain"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name}: {middle:.4f} (half of the rounds between {low:.3f} and {high:.3f})")
    print("one call, microseconds:")
    for name, value in _microseconds(asked.rounds // 4).items():
        print(f"{name}: {value:.1f}")


if __name__ == "__main__":
    main()
