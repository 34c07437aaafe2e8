"""Attention: the whole map to one vector by weights that the map itself decides."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Integer, Real, flag
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register

MIXES = "the weight of a position depends on all its channels, so NaN reaches the other channels of its sample"


@register("attention")
class AttentionPool2d(HeadPool2d):
    """Apply attention pooling: y = sum_i a_i x_i over all positions i of the map, a = softmax_i(w^T tanh(V x_i + b)).

    Gated: a = softmax_i(w^T (tanh(V x_i + b) * sigmoid(U x_i + d))). w starts at zero, so that the layer starts as
    global average pooling; V and U start as torch's linear layers do.

    Args:
        channels: the number of channels.
        hidden: the rows of V (and U).
        gated: whether there is the gate U.

    Example:
        >>> import torch
        >>> AttentionPool2d(channels=1)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()  # the mean, at the start
        2.5
    """

    reference = Reference("Ilse, Tomczak, Welling", 2018, "arXiv:1802.04712")
    learns = "always"
    uses_channels = "always"
    hidden: int
    gated: bool
    options = {"hidden": Integer(128, most=65536), "gated": flag(False)}
    exempt = {"nan": MIXES}
    disagreements = (
        "The paper writes V and U without a bias; the authors' code (AMLab-Amsterdam/AttentionDeepMIL) and this have "
        "one. A bias of w would not change the softmax.",
    )

    def build(self) -> None:
        """Make V, U and w."""
        assert self.channels is not None
        self.projection = nn.Linear(self.channels, self.hidden)
        self.gate = nn.Linear(self.channels, self.hidden) if self.gated else None
        self.score = nn.Parameter(torch.empty(self.hidden))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the parameters so that no position is preferred."""
        nn.init.zeros_(self.score)

    @staticmethod
    def formula(input: Tensor, projection: nn.Linear, gate: nn.Linear | None, score: Tensor) -> Tensor:
        """Compute sum_i softmax_i(score) x_i."""
        vectors = tokens(input)
        hidden = projected(projection, vectors).tanh()
        if gate is not None:
            hidden = hidden * projected(gate, vectors).sigmoid()
        weights = F.linear(hidden, score.to(hidden.dtype)[None]).to(vectors.dtype).softmax(1)
        return (weights * vectors).sum(1)[..., None, None]


@register("simpool")
class SimPool2d(HeadPool2d):
    """Apply SimPool attention pooling: y = sum_i a_i v_i, a = softmax_i(q . k_i / sqrt(d)), q = W_q mean(x), k_i =
    W_k v_i, v_i = LN(x_i).

    One output (N, C, 1, 1); the values are the normalised vectors themselves, without a projection of theirs or of the
    output. With `gamma`, a power mean of the values above their least one, y = (sum_i a_i (v_i - min v + 1e-6)^gamma)
    ^(1/gamma).

    Args:
        channels: the number of channels, C = heads * d.
        heads: how many parts of the channels have weights of their own; they must divide the channels.
        gamma: the exponent; None for the plain mean. In the paper 2 for convolutional networks, 1.25
            for transformers.

    Example:
        >>> import torch
        >>> SimPool2d(channels=4, heads=2)(torch.randn(8, 4, 6, 6)).shape
        torch.Size([8, 4, 1, 1])
    """

    reference = Reference("Psomas et al.", 2023, "arXiv:2309.06891")
    learns = "always"
    uses_channels = "always"
    heads: int
    options = {"heads": Integer(1, most=1024), "gamma": Real(None, least=0.01, most=1e6)}
    exempt = {"nan": MIXES}
    disagreements = ("timm's SimPool2d gives (N, C) instead of (N, C, 1, 1); the numbers are the same.",)

    def conflicts(self) -> Iterator[str]:
        """Check that the heads share the channels out."""
        if self.channels and self.channels % self.heads:
            yield f"heads={self.heads} must divide channels={self.channels}"

    def build(self) -> None:
        """Make the normalisation and the projections of query and key."""
        assert self.channels is not None
        self.norm = nn.LayerNorm(self.channels)
        self.query = nn.Linear(self.channels, self.channels, bias=False)
        self.key = nn.Linear(self.channels, self.channels, bias=False)

    @staticmethod
    def formula(
        input: Tensor, norm: nn.LayerNorm, query: nn.Linear, key: nn.Linear, heads: int = 1, gamma: float | None = None
    ) -> Tensor:
        """Compute sum_i softmax_i(q . k_i / sqrt(d)) v_i for each head."""
        vectors = tokens(input)
        values = _normalised(norm, vectors)
        asked, keys = projected(query, vectors.mean(1, keepdim=True)), projected(key, values)
        if gamma is None:
            return attended(asked, keys, values, heads)[..., None, None]
        lowest = values.amin(1, keepdim=True)
        sizes = (values - lowest + 1e-6).log().unflatten(2, (heads, -1))
        # log(a v^gamma), of which logsumexp factors out the largest: 1e-6^gamma alone is 0 from gamma = 8 on
        logs = attention_logits(asked, keys, heads).log_softmax(1) + gamma * sizes
        return (logs.logsumexp(1) / gamma).exp().flatten(1)[..., None, None]


def tokens(input: Tensor) -> Tensor:
    """Return the vectors of the positions of a map, (N, HW, C), in float32 at least."""
    return input.to(compute_dtype(input.dtype)).flatten(2).transpose(1, 2)


def projected(layer: nn.Linear, vectors: Tensor) -> Tensor:
    """Apply the layer in the vectors' dtype (autocast may choose another), and return to it."""
    bias = None if layer.bias is None else layer.bias.to(vectors.dtype)
    return F.linear(vectors, layer.weight.to(vectors.dtype), bias).to(vectors.dtype)


def attended(query: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Return the values (N, n, C) weighted by one query (N, 1, C), each head on its part of the channels, as (N, C)."""
    weights = attention_logits(query, keys, heads).softmax(1)
    return (weights * values.unflatten(2, (heads, -1))).sum(1).flatten(1)


def attention_logits(query: Tensor, keys: Tensor, heads: int) -> Tensor:
    """Return q . k / sqrt(d) of each head, as (N, n, heads, 1)."""
    query, keys = (part.unflatten(2, (heads, -1)) for part in (query, keys))
    return (query * (1 / math.sqrt(query.shape[-1])) * keys).sum(3, keepdim=True)


def _normalised(norm: nn.LayerNorm, vectors: Tensor) -> Tensor:
    return F.layer_norm(
        vectors, norm.normalized_shape, norm.weight.to(vectors.dtype), norm.bias.to(vectors.dtype), norm.eps
    ).to(vectors.dtype)
