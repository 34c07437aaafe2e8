"""Poolings whose values or gradients are wrong."""

import torch
import torch.nn.functional as F

from poolab.pooling import HeadPool2d, WindowPool2d
from poolab.pooling.core.learned import logistic
from poolab.pooling.core.options import Choice, Real, flag
from tests.testing.broken.base import Largest, Mean, running_maximum


class ZeroPadding(WindowPool2d):
    """Padded zeros take part in the maximum."""

    @staticmethod
    def formula(windows):
        return running_maximum(windows.taps(0.0), torch.ge)


class LastOfTies(WindowPool2d):
    """Of equal taps the last one takes the gradient."""

    @staticmethod
    def formula(windows):
        return running_maximum(windows.taps(-torch.inf), torch.gt)


class Detached(WindowPool2d):
    """The weights count as constants, as in SoftPool's CUDA code."""

    @staticmethod
    def formula(windows):
        largest = windows.maximum()
        return largest * torch.sigmoid(largest.detach().float()).to(largest.dtype)


class OtherExpectation(WindowPool2d):
    """Training adds noise whose mean is not 0."""

    random = True

    @staticmethod
    def formula(windows, training=True, generator=None):
        mean = windows.mean()
        return mean + 0.1 * windows.uniform(generator) if training else mean


class SwallowsNaN(WindowPool2d):
    """The running maximum drops a NaN."""

    @staticmethod
    def formula(windows):
        top = torch.full_like(windows.taps(0.0)[0], -torch.inf)
        for tap in windows.taps(-torch.inf):
            top = torch.where(tap > top, tap, top)
        return top


class Overflows(WindowPool2d):
    """Log-mean-exp without the shift by the maximum."""

    @staticmethod
    def formula(windows):
        return (sum(tap.exp() for tap in windows.taps(-torch.inf)) / windows.counts()).log()


class WideOutput(Largest):
    """Half precision comes out as float32."""

    @classmethod
    def compute(cls, input, geometry, **arguments):
        output = super().compute(input, geometry, **arguments)
        return output.float() if output.itemsize < 4 else output


class FloorOnly(WindowPool2d):
    """ceil_mode is taken and ignored."""

    @staticmethod
    def formula(windows):
        g = windows.geometry
        pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[g.dims]
        return pool(windows.input, g.kernel_size, g.stride, g.padding, g.dilation)


class Unfolds(WindowPool2d):
    """The windows are copied out of the map."""

    @staticmethod
    def formula(windows):
        return torch.stack(windows.taps(-torch.inf)).max(0).values


class MixesSamples(HeadPool2d):
    """The mean of the batch is taken away."""

    @staticmethod
    def formula(input):
        values = input.mean((2, 3), keepdim=True)
        return values - 1e-6 * values.mean(0, keepdim=True)


class NoSingleMap(Mean):
    """A single map is pooled over its channels too."""

    def forward(self, input):
        output = super().forward(input)
        return output.mean(0, keepdim=True).expand(output.shape) if input.dim() == 3 else output


class HalfSum(HeadPool2d):
    """The sum is made in the input's dtype before it is divided."""

    @staticmethod
    def formula(input):
        return input.sum((2, 3), keepdim=True) / (input.shape[2] * input.shape[3])


class UnstableUnderAutocast(WindowPool2d):
    """Under autocast another formula."""

    @staticmethod
    def formula(windows):
        _ = windows.input  # reads the map, so that it is run at every call
        return windows.maximum() * (2.0 if torch.is_autocast_enabled("cpu") else 1.0)


class InfinityToZero(WindowPool2d):
    """What is not finite counts as 0, but for NaN."""

    @staticmethod
    def formula(windows):
        largest = windows.maximum()
        return torch.where(largest.isinf(), 0.0, largest)


class LearnsAndDoesNot(WindowPool2d):
    """The learned value is not used."""

    learns = "option"
    learned = logistic("alpha")
    options = {"alpha": Real(0.5, least=0.0, most=1.0), "learnable": flag(False)}

    @staticmethod
    def formula(windows, alpha=0.5):
        return windows.maximum()


class WrongChoice(WindowPool2d):
    """One value of an option gives the gradient of another."""

    options = {"rule": Choice("all", ("all", "cut"))}

    @staticmethod
    def formula(windows, rule="all"):
        largest = windows.maximum()
        return largest + (0.1 * largest).detach() if rule == "cut" else largest
