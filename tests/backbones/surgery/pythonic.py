"""Networks whose `forward` is more than a graph: what Python decides while it runs."""

import functools
import random

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def down(x):
    return F.max_pool2d(x, 2)


class _Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 5)

    def finish(self, x):
        return self.fc(x.flatten(2).amax(2))


class NoGrad(_Base):
    """Pools without gradients in three ways."""

    def forward(self, x):
        with torch.no_grad():
            x = F.max_pool2d(self.conv1(x), 2)
        with torch.set_grad_enabled(False):
            y = F.max_pool2d(x, 2)
        return self.finish(self.conv2(x)) + y.mean()


class Decorated(_Base):
    """Its `forward` is wrapped twice."""

    @torch.no_grad()
    @torch.autocast("cpu", enabled=False)
    def forward(self, x):
        """Pool."""
        return self.finish(F.max_pool2d(self.conv1(x), 2))


class Noisy(_Base):
    """Draws from torch's generator in training."""

    def forward(self, x):
        if self.training:
            x = x + torch.randn(1)
        return self.finish(F.max_pool2d(F.dropout(self.conv1(x), 0.3, self.training), 2))


class Chance(_Base):
    """Leaves a pooling out by Python's generator, and by an attribute."""

    p = 1.0
    mode = "deep"

    def forward(self, x):
        x = self.conv1(x)
        if random.random() < self.p:
            x = F.max_pool2d(x, 2)
        x = self.conv2(x)
        if self.mode == "deep":
            x = F.max_pool2d(x, 2)
        return self.finish(x)


class Writes(_Base):
    """Counts its calls, and keeps what it saw."""

    def __init__(self):
        super().__init__()
        self.n = 0
        self.last = None

    def forward(self, x):
        self.n += 1
        self.last = x
        return self.finish(F.max_pool2d(self.conv1(x), 2))


class Flags(_Base):
    """Takes a flag, and names."""

    def forward(self, x, pooled: bool = True, **more):
        x = self.conv1(x)
        if pooled:
            x = F.max_pool2d(x, 2)
        return {"scores": self.finish(x), **more}


class Loop(_Base):
    """One call for all stages; how many there are is an attribute."""

    depth = 3

    def forward(self, x):
        x = self.conv1(x)
        for _ in range(self.depth):
            x = F.max_pool2d(x, 2)
        return self.finish(x)


class Helpers(_Base):
    """Pools by a method, by a function of the module, by a static method, a partial, and within a comprehension."""

    halve = functools.partial(F.max_pool2d, kernel_size=2)

    def _down(self, x, size):
        return F.max_pool2d(x, size)

    @staticmethod
    def _static(x):
        return F.max_pool2d(x, 2)

    def forward(self, x):
        x = self._down(self.conv1(x), 2)
        x = self._down(x, 2)
        x = down(down(x))
        x = self._static(F.interpolate(x, scale_factor=8.0))
        x = self.halve(x)
        return self.finish(sum([F.max_pool2d(self.conv2(y), 2) for y in (x, -x)]))


class Inherited(NoGrad):
    """Calls the `forward` that it inherits."""

    def forward(self, x):
        return super().forward(F.max_pool2d(x, 2))


class Checkpointed(_Base):
    """Runs a part again in the backward, in training."""

    def _body(self, x):
        return F.max_pool2d(torch.tanh(self.conv2(x)), 2)

    def forward(self, x):
        x = self.conv1(x)

        def first(y):
            return F.max_pool2d(torch.sigmoid(y), 2)

        if self.training:
            x = checkpoint(first, x, use_reentrant=False)
            x = checkpoint(self._body, x, use_reentrant=False)
        else:
            x = self._body(first(x))
        return self.finish(x)


class Recursive(_Base):
    """Calls itself."""

    def forward(self, x, depth=2):
        if depth == 0:
            return self.finish(F.max_pool2d(self.conv1(x), 2))
        return self(F.max_pool2d(x, 2), depth - 1)


class Child(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        return F.avg_pool2d(self.conv(x), 2)


class Nested(_Base):
    """Pools itself, and has a child that does."""

    def __init__(self):
        super().__init__()
        self.child = Child()

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        x = self.child(x)
        return self.finish(F.max_pool2d(x, 2))


class Raises(_Base):
    """Fails after a pooling, when told to."""

    fails = False

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        if self.fails:
            raise KeyError("as told")
        return self.finish(F.max_pool2d(x, 2))


EVERY = (
    NoGrad, Decorated, Noisy, Chance, Writes, Flags, Loop, Helpers, Inherited, Checkpointed, Recursive, Nested, Raises,
)  # fmt: skip
