"""RNNPool: a small recurrent network sweeps the rows and columns of each window (Saha et al. 2020)."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window.controls import CONVOLVE
from poolab.pooling.window_pool import WindowPool2d

Step = tuple[
    Tensor, Tensor | None
]  # what a sweep sees, and in which windows (oH, oW) there is such a step; None: in all


@register("rnnpool")
class RNNPool2d(WindowPool2d):
    """Apply recurrent pooling (RNNPool): y = (R2(r), R2(r backwards), R2(c), R2(c backwards)), r_i = R1(row i) and c_j
    = R1(column j) of the window.

    R1 and R2 are two FastGRNNs, of which the last state counts: z = sigmoid(W x + U h + b_z), h' = z h + (1 - z)
    tanh(W x + U h + b_h), from h = 0 on. R1 goes along every row and every column of all channels with the same
    weights, R2 over what R1 leaves of them, both ways. Each of the four parts has `hidden2` channels; where `hidden2`
    is left out it is C / 4, rounded up, and the first C of the channels come out, so that the layer takes the place of
    a pooling. Elements beyond the map are no steps: a row that is cut has fewer. It adds hidden1 (C + hidden1 + 2) +
    hidden2 (hidden1 + hidden2 + 2) weights, whatever the window.

    W x is computed once for the map, and no copy of each window's taps is made. A window of kh x kw elements takes
    2 kh kw steps of R1 one after the other, and 2 (kh + kw) of R2.

    Args:
        channels: the number of channels of the input.
        hidden1: the channels h of R1; None is C / 4, rounded up.
        hidden2: those of R2: 4 times as many come out; None is C / 4, rounded up, and C come out.

    Example:
        >>> RNNPool2d(2, channels=8)(torch.randn(2, 8, 6, 6)).shape
        torch.Size([2, 8, 3, 3])
        >>> RNNPool2d(6, 4, channels=8, hidden1=8, hidden2=8)(torch.randn(2, 8, 14, 14)).shape
        torch.Size([2, 32, 3, 3])
    """

    reference = Reference("Saha, Kusupati, Simhadri, Varma, Jain", 2020, "arXiv:2002.11921")
    learns = "always"
    uses_channels = "always"
    positional = True
    hidden1: int | None
    hidden2: int | None
    options = {"hidden1": Integer(None, most=65536), "hidden2": Integer(None, most=65536)}
    exempt = {
        "dimensions": "the sweeps are those of rows and columns, which need two dimensions",
        "padding": "a window that the border cuts has fewer steps, and its last state is another",
        "nan": "a step mixes the channels, so NaN reaches the other channels of its window",
        "ties": "the sweeps go by place, not by value",
    }
    disagreements = (
        "The paper's algorithm draws the first state h at random; microsoft/EdgeML begins at 0, as here.",
        "microsoft/EdgeML's FastGRNN has h' = z h + (sigmoid(zeta) (1 - z) + sigmoid(nu)) tanh(...) with learned "
        "numbers that its RNNPool starts at 100 and -100: there both have a gradient of 0 in float32 and never move, "
        "and the formula is the paper's, which is this one.",
        "microsoft/EdgeML starts all biases at 1 and the weights with deviation 0.1: there (1 - z) tanh is near its "
        "maximum, and of normal values little comes out (a deviation of 0.001 to 0.006 instead of 0.10 to 0.13 here, "
        "at 32 and 64 channels). A network without normalisation behind it, keras_cnn on the digits, stayed at chance "
        "for three epochs. Here all start as in torch.nn.GRU.",
        "microsoft/EdgeML takes patches that its caller has cut out by unfold (k * k times the map at stride 1), and "
        "refuses patches that are not square: the states of its columns have the number of its rows.",
        "There is no padding in the paper nor in its code; the published networks repeat the last row and column of "
        "the output where a size does not fit.",
        "The paper takes FastGRNN; its appendix compares GRU and LSTM, which are not offered here.",
    )

    def build(self) -> None:
        """Make the two recurrent networks."""
        assert self.channels is not None
        quarter = -(-self.channels // 4)
        first, second = self.hidden1 or quarter, self.hidden2 or quarter
        self.rnn1 = FastGRNN(self.channels, first)
        self.rnn2 = FastGRNN(first, second)

    def out_channels(self, channels: int) -> int:
        """Return `channels`, or four times `hidden2`."""
        return channels if self.hidden2 is None else 4 * self.hidden2

    @staticmethod
    def formula(windows: Windows, rnn1: "FastGRNN", rnn2: "FastGRNN", hidden2: int | None = None) -> Tensor:
        """Compute (R2(r), R2(r backwards), R2(c), R2(c backwards))."""
        taps = Windows(rnn1.weighted(windows.input.to(windows.dtype)), windows.geometry).taps(0.0)
        real = windows.real() or (None,) * len(taps)
        steps: list[Step] = list(zip(taps, real, strict=True))
        height, width = windows.geometry.kernel_size
        rows = [steps[i * width : (i + 1) * width] for i in range(height)]
        columns = [steps[j::width] for j in range(width)]
        parts = []
        for lines in (rows, columns):
            summaries = [(rnn2.weighted(rnn1.swept(line)), _anywhere(line)) for line in lines]
            parts += [rnn2.swept(summaries), rnn2.swept(summaries[::-1])]
        if hidden2:
            return torch.cat(parts, 1)
        channels, second = windows.input.shape[1], parts[0].shape[1]
        sizes = [min(second, channels - start) for start in range(0, channels, second)]
        return torch.cat([part[:, :size] for part, size in zip(parts, sizes, strict=False)], 1)


class FastGRNN(nn.Module):
    """Hold the weights of a FastGRNN and apply it at every place of a map (Kusupati et al. 2018, arXiv:1901.02358).

    Weights and biases start as those of `torch.nn.GRU`, evenly between -1 / sqrt(hidden) and 1 / sqrt(hidden).

    Args:
        channels: of what it sees.
        hidden: those of its state.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(hidden, channels))
        self.weight_hh = nn.Parameter(torch.empty(hidden, hidden))
        self.bias_z = nn.Parameter(torch.empty(hidden))
        self.bias_h = nn.Parameter(torch.empty(hidden))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and biases as torch's recurrent layers do."""
        bound = len(self.bias_z) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def weighted(self, map: Tensor) -> Tensor:
        """Compute W x of a map (N, C, H, W), in its dtype."""
        return _at_every_place(self.weight_ih, map)

    def swept(self, steps: Sequence[Step]) -> Tensor:
        """Return the last state; a step sees W x, and where it is not there the state stays."""
        # One step alone starts from zeros that are there: DistributedDataParallel asks for a gradient of U.
        state = torch.zeros_like(steps[0][0]) if len(steps) == 1 else None
        for weighted, there in steps:
            state = self._next(weighted, state, there)
        assert state is not None
        return state

    def _next(self, weighted: Tensor, state: Tensor | None, there: Tensor | None) -> Tensor:
        """Compute z h + (1 - z) tanh(W x + U h + b_h); no state is a state of zeros."""
        if state is not None:
            weighted = weighted + _at_every_place(self.weight_hh, state)
        z, new = (weighted + _each(self.bias_z, weighted)).sigmoid(), (weighted + _each(self.bias_h, weighted)).tanh()
        after = (1 - z) * new
        if state is not None:
            after = after + z * state
        if there is None:
            return after
        return after.masked_fill(~there, 0.0) if state is None else torch.where(there, after, state)


def _at_every_place(weight: Tensor, map: Tensor) -> Tensor:
    return CONVOLVE[2](map, weight.to(map.dtype)[..., None, None]).to(map.dtype)  # autocast may choose another dtype


def _each(bias: Tensor, like: Tensor) -> Tensor:
    return bias.to(like.dtype).view(-1, 1, 1)


def _anywhere(line: Sequence[Step]) -> Tensor | None:
    """Return in which windows a row or column has a step on the map."""
    real = [there for _, there in line if there is not None]
    return reduce(torch.logical_or, real) if real else None
