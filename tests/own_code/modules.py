"""Modules of a user: poolings, a network and data, some of them as they may not be."""

POOL = """
from poolab.pooling import HeadPool2d, WindowPool2d
from poolab.pooling.core import Integer, Real
import torch
from torch import nn

class MyPool(WindowPool2d):
    "Something between maximum and minimum."
    options = {"share": Real(0.7, least=0.0, most=1.0), "times": Integer(2)}
    formula = staticmethod(lambda windows, share, times: share * windows.maximum() + (1 - share) * windows.minimum())

class MyHead(HeadPool2d):
    formula = staticmethod(lambda map: map.amax((2, 3), keepdim=True))

class Own(WindowPool2d):
    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, *, rate=0.5, kind=nn.ReLU):
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.rate = rate
    formula = staticmethod(lambda windows, rate: windows.maximum() * rate)

class Needs(WindowPool2d):
    def __init__(self, *geometry, rate, **more):
        super().__init__(*geometry, **more)
        self.rate = rate
    formula = staticmethod(lambda windows, rate: windows.maximum() * rate)

class Bare(nn.Module):
    pass
class Empty(WindowPool2d):
    pass
class NotEvenAModule:
    pass
short = lambda windows: windows.maximum()
def long(windows):
    return windows.maximum()
made = MyPool(2)
"""
NET = """
from torch import nn
from poolab.backbones import Backbone

class MyNet(Backbone):
    def __init__(self, slots, *, in_channels, num_classes, image_size, width=8):
        super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1)
        self.pool = slots.fill("pool", channels=width, own="max", kernel_size=2)
        self.head = slots.fill_head(channels=width)
        self.classifier = nn.Linear(self.close(slots), num_classes)
    def features(self, images):
        return self.pool(self.conv(images))
class Bare(nn.Module):
    pass
"""
DATA = """
import torch
from poolab.data import DataSource, Raw
images = torch.arange(40, dtype=torch.uint8).repeat_interleave(64).reshape(40, 1, 8, 8)
labels = torch.arange(40) % 2
def right(request, level=0):
    return Raw(images[:30] + level, labels[:30], images[30:], labels[30:], ("even", "odd"))
def other(request):
    return right(request, 1)
def floats(request):
    return right(request)._replace(train_images=images[:30] / 255)
def last(request):
    return right(request)._replace(test_images=images[30:].permute(0, 2, 3, 1))
def many(request):
    return right(request)._replace(train_labels=torch.arange(30), test_labels=labels[:3])
def pair(request):
    return images, labels
def drawn(request):
    return right(request)._replace(train_images=torch.randint(0, 255, (30, 1, 8, 8), dtype=torch.uint8))
named = DataSource(load=right, identify=lambda root: f"mine-{root}")
class Loader:
    pass
"""
