"""Poolings that are wrong only where torch traces, compiles, exports or transforms them."""

import torch

from poolab.pooling import HeadPool2d, WindowPool2d
from tests.testing.broken.base import Largest


class AsksForAValue(WindowPool2d):
    """The forward looks at the data to choose its way."""

    @staticmethod
    def formula(windows):
        if windows.input.sum().item() == 0.123:
            return windows.minimum()
        return windows.maximum()


class BreaksTheGraph(WindowPool2d):
    """A call that no graph holds."""

    @staticmethod
    def formula(windows):
        _ = windows.input  # reads the map, so that compilers see the formula
        torch._dynamo.graph_break()
        return windows.maximum()


class FixedBatch(HeadPool2d):
    """The batch is turned into a number while exporting."""

    @staticmethod
    def formula(input):
        ones = torch.ones(int(str(int(input.shape[0]))), 1, 1, 1, dtype=input.dtype, device=input.device)
        return input.mean((2, 3), keepdim=True) * ones


class LooksIntoAProxy(Largest):
    """A tracer of torch.fx gets into the formula, where a proxy has no shape."""

    def forward(self, input):
        if isinstance(input, torch.Tensor):
            return super().forward(input)
        return input[:, :, : input.shape[2] // 2]


class DrawsInPlace(WindowPool2d):
    """Under vmap(randomness="different") a tensor of one call cannot take in place what all calls drew."""

    random = True

    @staticmethod
    def formula(windows, training=True, generator=None):
        mean = windows.mean()
        if not training:
            return mean
        drawn = torch.rand(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean * (torch.zeros(mean.shape, dtype=mean.dtype, device=mean.device).add_(drawn) + 0.5)


class NoTangent(WindowPool2d):
    """An autograd function without a derivative in forward mode."""

    class Double(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * 2

    @staticmethod
    def formula(windows):
        return NoTangent.Double.apply(windows.maximum())


class FixedSize(WindowPool2d):
    """The number of rows becomes a number of the graph."""

    @staticmethod
    def formula(windows):
        return windows.maximum() * min(1.0, int(windows.input.shape[2]))


class NoOnnx(WindowPool2d):
    """An operation that ONNX does not have."""

    @staticmethod
    def formula(windows):
        largest = windows.maximum()
        return largest + 0 * largest.detach().float().frexp().exponent
