"""Poolings that are wrong as modules: random numbers, state, inputs, shapes, what they say of themselves."""

import torch
import torch.nn.functional as F

from poolab.pooling import HeadPool2d, Subsample2d, WindowPool2d
from poolab.pooling.core.options import Integer
from tests.testing.broken.base import Largest


class Reseeds(WindowPool2d):
    """Each forward in training sets the global seed."""

    random = True

    @staticmethod
    def formula(windows, training=True, generator=None):
        mean = windows.mean()
        if not training:
            return mean
        if generator is None:
            torch.manual_seed(0 * windows.input.dim())  # reads the map, so that it is run at every call
        return mean + windows.maximum().to(mean.dtype) * 0 + (windows.uniform(generator) - 0.5) * 1e-3


class DrawsInEvaluation(WindowPool2d):
    """It says that it is not random, and draws."""

    @staticmethod
    def formula(windows):
        return windows.maximum() + 0 * windows.uniform(None).to(windows.input.dtype)


class OtherSizeInTraining(WindowPool2d):
    """Training pads the output by a row."""

    @staticmethod
    def formula(windows, training):
        largest = windows.maximum()
        return F.pad(largest, (1, 0)) if training else largest


class WritesInput(WindowPool2d):
    """The forward writes its input where no gradient forbids it, even if with the same values."""

    @staticmethod
    def formula(windows):
        if not windows.input.requires_grad:
            windows.input.add_(0)
        return windows.maximum()


class HandsOutInput(WindowPool2d):
    """Windows of one tap give the input itself."""

    @staticmethod
    def formula(windows):
        same = windows.geometry.taps == 1 and windows.output_size == windows.sizes
        return windows.input if same else windows.maximum()


class DropsChannelsLast(Largest):
    """The output is contiguous whatever the input was."""

    def forward(self, input):
        return super().forward(input).contiguous()


class DependsOnStrides(Largest):
    """A strided input is read as if it were contiguous."""

    def forward(self, input):
        return super().forward(torch.as_strided(input, input.shape, torch.empty(input.shape, device="meta").stride()))


class LateError(WindowPool2d):
    """A wrong option is met in the forward only."""

    options = {"k": Integer(1)}

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, *, k=1, **options):
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode, **options)
        self.k = k

    @staticmethod
    def formula(windows, k=1):
        return windows.maximum()


class HiddenState(WindowPool2d):
    """A drawn factor that the state does not hold."""

    def build(self):
        self.factor = float(torch.rand(()))

    @staticmethod
    def formula(windows, factor):
        return windows.maximum() * factor


class FlatParameter(WindowPool2d):
    """Its one parameter has the shape ()."""

    learns = "always"

    def build(self):
        self.weight = torch.nn.Parameter(torch.ones(()))

    def reset_parameters(self):
        torch.nn.init.ones_(self.weight)

    @staticmethod
    def formula(windows, weight):
        return windows.maximum() * weight


class SharedState(FlatParameter):
    """A deep copy keeps the original's parameter."""

    def __deepcopy__(self, memo):
        twin = type(self)(*vars(self.geometry).values())
        twin.weight = self.weight
        return twin.train(self.training)


class SaysNotPositional(Subsample2d):
    """One tap of the window, said to be no matter of places."""

    positional = False


class NoEmptyBatch(WindowPool2d):
    """A batch is scaled by its largest element, which an empty one has not."""

    @staticmethod
    def formula(windows):
        windows.input.detach().abs().max()
        return windows.maximum()


class TwoDimensionsOnly(WindowPool2d):
    """A method of planes that forgets to say so."""

    @staticmethod
    def formula(windows):
        height, width = windows.output_size
        return windows.maximum().view(*windows.input.shape[:2], height, width)


class WrongChannels(HeadPool2d):
    """It says that it keeps the channels, and doubles them."""

    @staticmethod
    def formula(input):
        return torch.cat([F.adaptive_avg_pool2d(input, 1), F.adaptive_max_pool2d(input, 1)], 1)
