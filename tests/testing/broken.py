"""Poolings that are wrong in one way each, as a first version easily is; `CAUGHT` says which items see it."""

import torch
import torch.nn.functional as F

from poolab.pooling import HeadPool2d, Subsample2d, WindowPool2d
from poolab.pooling.core.learned import logistic
from poolab.pooling.core.options import Choice, Integer, Real, flag


class Good(WindowPool2d):
    """The middle between the extremes; nothing is wrong with it."""

    @staticmethod
    def formula(windows):
        return (windows.maximum() + windows.minimum()) / 2


def running_maximum(taps, stays):
    top, *rest = taps
    for tap in rest:
        top = torch.where(top.isnan() | stays(top, tap), top, tap)
    return top.clone()  # a window of one tap would give the input itself


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


class OtherExpectation(WindowPool2d):
    """Training adds noise whose mean is not 0."""

    random = True

    @staticmethod
    def formula(windows, training=True, generator=None):
        mean = windows.mean()
        return mean + 0.1 * windows.uniform(generator) if training else mean


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


class AsksForAValue(WindowPool2d):
    """The forward looks at the data to choose its way."""

    @staticmethod
    def formula(windows):
        if windows.input.sum().item() == 0.123:
            return windows.minimum()
        return windows.maximum()


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


class WideOutput(WindowPool2d):
    """Half precision comes out as float32."""

    @classmethod
    def compute(cls, input, geometry, **arguments):
        output = super().compute(input, geometry, **arguments)
        return output.float() if output.itemsize < 4 else output

    @staticmethod
    def formula(windows):
        return windows.maximum()


class FloorOnly(WindowPool2d):
    """ceil_mode is taken and ignored."""

    @staticmethod
    def formula(windows):
        g = windows.geometry
        pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[g.dims]
        return pool(windows.input, g.kernel_size, g.stride, g.padding, g.dilation)


class DropsChannelsLast(WindowPool2d):
    """The output is contiguous whatever the input was."""

    def forward(self, input):
        return super().forward(input).contiguous()

    @staticmethod
    def formula(windows):
        return windows.maximum()


class DependsOnStrides(WindowPool2d):
    """A strided input is read as if it were contiguous."""

    def forward(self, input):
        return super().forward(torch.as_strided(input, input.shape, torch.empty(input.shape, device="meta").stride()))

    @staticmethod
    def formula(windows):
        return windows.maximum()


class Unfolds(WindowPool2d):
    """The windows are copied out of the map."""

    @staticmethod
    def formula(windows):
        return torch.stack(windows.taps(-torch.inf)).max(0).values


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


class SharedState(WindowPool2d):
    """A deep copy keeps the original's parameter."""

    learns = "always"

    def build(self):
        self.weight = torch.nn.Parameter(torch.ones(()))

    def reset_parameters(self):
        torch.nn.init.ones_(self.weight)

    def __deepcopy__(self, memo):
        twin = type(self)(*vars(self.geometry).values())
        twin.weight = self.weight
        return twin.train(self.training)

    @staticmethod
    def formula(windows, weight):
        return windows.maximum() * weight


class NeedlessExemption(WindowPool2d):
    """It keeps the padding out and says that it cannot."""

    exempt = {"padding": "its author did not try"}

    @staticmethod
    def formula(windows):
        return windows.maximum()


class SaysNotPositional(Subsample2d):
    """One tap of the window, said to be no matter of places."""

    positional = False


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


class MixesSamples(HeadPool2d):
    """The mean of the batch is taken away."""

    @staticmethod
    def formula(input):
        values = input.mean((2, 3), keepdim=True)
        return values - 1e-6 * values.mean(0, keepdim=True)


class NoSingleMap(HeadPool2d):
    """A single map is pooled over its channels too."""

    def forward(self, input):
        output = super().forward(input)
        return output.mean(0, keepdim=True).expand(output.shape) if input.dim() == 3 else output

    @staticmethod
    def formula(input):
        return input.mean((2, 3), keepdim=True)


class HalfSum(HeadPool2d):
    """The sum is made in the input's dtype before it is divided."""

    @staticmethod
    def formula(input):
        return input.sum((2, 3), keepdim=True) / (input.shape[2] * input.shape[3])


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


class LooksIntoAProxy(WindowPool2d):
    """A tracer of torch.fx gets into the formula, where a proxy has no shape."""

    def forward(self, input):
        if isinstance(input, torch.Tensor):
            return super().forward(input)
        return input[:, :, : input.shape[2] // 2]

    @staticmethod
    def formula(windows):
        return windows.maximum()


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


CAUGHT = {
    Good: set(),
    ZeroPadding: {"padding"},
    LastOfTies: {"ties"},
    Detached: {"gradient"},
    Reseeds: {"generator", "expectation"},
    OtherExpectation: {"expectation"},
    DrawsInEvaluation: {"shapes", "forward_mode"},
    OtherSizeInTraining: {"shapes"},
    WritesInput: {"purity", "strides"},
    HandsOutInput: {"purity"},
    AsksForAValue: {"host_sync", "compile", "export", "open_sizes", "onnx"},
    SwallowsNaN: {"nan"},
    Overflows: {"numbers"},
    WideOutput: {"dtypes", "numbers"},
    FloorOnly: {"geometry", "oracle"},
    DropsChannelsLast: {"channels_last", "fx"},
    DependsOnStrides: {"channels_last", "strides", "fx"},
    Unfolds: {"memory"},
    LateError: {"errors"},
    HiddenState: {"state"},
    SharedState: {"copies", "sharding"},
    SaysNotPositional: {"attributes", "oracle"},
    BreaksTheGraph: {"compile", "open_sizes"},
    FixedBatch: {"export", "open_sizes", "onnx"},
    MixesSamples: {"nan", "infinities"},
    NoSingleMap: {"unbatched", "fx"},
    HalfSum: {"numbers"},
    NoEmptyBatch: {"empty_batch"},
    TwoDimensionsOnly: {"dimensions"},
    WrongChannels: {"attributes"},
    UnstableUnderAutocast: {"autocast"},
    InfinityToZero: {"infinities"},
    LearnsAndDoesNot: {"gradient"},
    WrongChoice: {"gradient"},
    LooksIntoAProxy: {"fx"},
    FlatParameter: {"sharding"},
    DrawsInPlace: {"vmap"},
    NoTangent: {"forward_mode"},
    FixedSize: {"open_sizes", "onnx"},
    NoOnnx: {"onnx"},
}
