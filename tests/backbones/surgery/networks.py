"""Small networks of strangers: every way in which people write a pooling down."""

import torch
from torch import nn
from torch.nn import functional as F


class Layers(nn.Module):
    """Pooling layers, a global average behind them."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.pool1 = nn.MaxPool2d(3, 2, padding=1)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.pool2 = nn.AvgPool2d(2)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = self.pool1(F.relu(self.conv1(x)))
        x = self.pool2(F.relu(self.conv2(x)))
        return self.fc(self.gap(x).flatten(1))


class Functions(nn.Module):
    """The same by functions, with a dropout that knows the mode, and a parallel pooling of stride 1."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x, scale=None):
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, stride=2, padding=1)
        if scale is not None:
            x = x * scale
        x = F.relu(self.conv2(x))
        x = x + F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        x = torch.max_pool2d(x, 2)
        x = F.dropout(x, 0.5, training=self.training)
        return self.fc(x.mean((2, 3)))


class Shared(nn.Module):
    """One pooling layer, called at maps of 8 and of 12 channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc = nn.Linear(12 * 16, 5)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        return self.fc(self.pool(F.relu(self.conv2(x))).flatten(1))


class Strided(nn.Module):
    """A residual block that halves by strided convolutions, a gate, and a global average written by hand."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.shortcut = nn.Conv2d(3, 8, 1, stride=2)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.excite = nn.Conv2d(8, 8, 1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.conv1(x)) + self.shortcut(x)
        x = x * self.excite(self.squeeze(x)).sigmoid()
        return self.fc(torch.mean(self.conv2(x), dim=[-2, -1]))


class Branching(nn.Module):
    """Its `forward` depends on the data: out of torch.fx' reach. The layer in it is not."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(self.conv(x))
        return F.max_pool2d(x, 2) if x.sum() > -1e9 else x


NETWORKS = (Layers, Functions, Shared, Strided)


def made(kind):
    """Return a network with the same weights each time, in evaluation mode."""
    torch.manual_seed(0)
    return kind().eval()
