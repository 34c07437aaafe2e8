"""CLIP's attention head: one query, the mean of the map, over all its positions."""

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.open_sizes import is_symbolic
from poolab.pooling.core.options import Choice, Integer, Size
from poolab.pooling.head._open_maps import resizing
from poolab.pooling.head.attention import attended, projected, tokens
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register

CHANNELS_PER_HEAD = 64  # CLIP's


class Projection(nn.Linear):
    """Project linearly, starting as CLIP does: normal weights of deviation C^-1/2, no bias."""

    def reset_parameters(self) -> None:
        """Draw the weights."""
        nn.init.normal_(self.weight, std=self.in_features**-0.5)
        nn.init.zeros_(self.bias)


@register("clip_attention")
class CLIPAttentionPool2d(HeadPool2d):
    """Apply CLIP's attention pooling: y = W_o sum_i a_i W_v t_i with a = softmax_i((W_q t_0)^T (W_k t_i) /
    sqrt(d)), by heads.

    The tokens are t_0 = mean(x) + e_0 and t_i = x_i + e_i for each position i; the query is token 0. The output is
    (N, output_dim). Any height and width will do: the learned positions e are those of a map of `size` and are resized
    to any other (by antialiased interpolation; e_0 stays). Rotary positions turn the keys by angles that depend
    on row and column, scaled so that the whole map always spans `size`.

    Args:
        channels: the number of channels.
        heads: they must divide the channels. None: one for 64 channels, as CLIP, or the nearest fewer that divide.
        output_dim: the number of features; None for `channels`.
        position: "learned", "rotary" (needs 4 channels for each head, or a multiple) or "none".
        size: the height and width that the positions are made for.
        interpolation: how learned positions are resized.

    Example:
        >>> import torch
        >>> CLIPAttentionPool2d(channels=128, output_dim=10)(torch.randn(8, 128, 5, 9)).shape
        torch.Size([8, 10])
    """

    output_shape = "(N, output_dim or C)"
    reference = Reference("Radford et al.", 2021, "arXiv:2103.00020")
    learns = "always"
    uses_channels = "always"
    positional = True
    heads: int | None
    output_dim: int | None
    position: str
    size: int | tuple[int, int]
    options = {
        "heads": Integer(None, most=1024),
        "output_dim": Integer(None, most=65536),
        "position": Choice("learned", ("learned", "rotary", "none")),
        "size": Size(7, most=1024),
        "interpolation": Choice("bicubic", ("bicubic", "bilinear")),
    }
    exempt = {
        "numbers": "the logits are products of two projections: for values of 1e4 their rounding moves the softmax",
    }
    disagreements = (
        "OpenAI's code takes one size of map only; timm's AttentionPool2d resizes the positions as here.",
        "timm's RotAttentionPool2d is position='rotary'. Both of timm's start from truncated normal weights.",
    )

    def conflicts(self) -> Iterator[str]:
        """Check that the heads share the channels out, and that rotations can turn pairs of them along two axes."""
        if self.channels is None:
            return
        heads = head_count(self.channels, self.heads)
        if self.channels % heads:
            yield f"heads={heads} must divide channels={self.channels}"
        elif self.position == "rotary" and self.channels // heads % 4:
            yield f"position='rotary' needs a multiple of 4 channels for each head, found {self.channels // heads}"

    def build(self) -> None:
        """Make the projections and the positions."""
        assert self.channels is not None
        self.query, self.key, self.value = (Projection(self.channels, self.channels) for _ in range(3))
        self.output = Projection(self.channels, self.output_dim or self.channels)
        height, width = pair(self.size)
        learned = self.position == "learned"
        self.embedding = nn.Parameter(torch.empty(1 + height * width, self.channels)) if learned else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw normal positions of deviation C^-1/2, as CLIP's."""
        if self.embedding is not None:
            nn.init.normal_(self.embedding, std=self.embedding.shape[1] ** -0.5)

    def out_channels(self, channels: int) -> int:
        """Return the number of features."""
        return self.output_dim or channels

    @staticmethod
    def formula(
        input: Tensor,
        query: Projection,
        key: Projection,
        value: Projection,
        output: Projection,
        embedding: Tensor | None,
        heads: int | None = None,
        position: str = "learned",
        size: int | tuple[int, int] = 7,
        interpolation: str = "bicubic",
    ) -> Tensor:
        """Compute the attention of token 0 over all tokens, and the output projection."""
        vectors = tokens(input)
        all_tokens = torch.cat([vectors.mean(1, keepdim=True), vectors], 1)
        if embedding is not None:
            all_tokens = all_tokens + resized(embedding.to(vectors.dtype), size, input.shape[2:], interpolation)
        count = head_count(input.shape[1], heads)
        keys = projected(key, all_tokens)
        if position == "rotary":
            turned = rotated(keys[:, 1:].unflatten(2, (count, -1)), input.shape[2:], pair(size)).flatten(2)
            keys = torch.cat([keys[:, :1], turned], 1)
        pooled = attended(projected(query, all_tokens[:, :1]), keys, projected(value, all_tokens), count)
        return projected(output, pooled)


def head_count(channels: int, heads: int | None) -> int:
    """Return the number of heads; None is one for 64 channels, or the nearest fewer that divide them."""
    if heads is not None:
        return heads
    return next(h for h in range(max(1, channels // CHANNELS_PER_HEAD), 0, -1) if channels % h == 0)


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return (height, width)."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def resized(embedding: Tensor, size: int | tuple[int, int], wanted: torch.Size, interpolation: str) -> Tensor:
    """Return the positions of a map of `size`, after that of the mean, resized to a map of `wanted`."""
    # For a size that is open torch 2.14 compiles no gradient of this resizing, and ONNX does not have it.
    open = is_symbolic(*wanted)
    if not open and pair(size) == tuple(wanted):
        return embedding
    grid = embedding[1:].unflatten(0, pair(size)).movedim(2, 0)[None]
    # One axis after the other, each as the width: torch 2.15 resizes the height of a map of width 1 wrongly on the CPU
    # (errors of the size of the values for more than one channel).
    for length in reversed(wanted):
        if open:
            grid = grid @ resizing(grid.shape[3], length, interpolation == "bicubic", grid)
        else:
            grid = F.interpolate(grid, (grid.shape[2], length), mode=interpolation, align_corners=False, antialias=True)
        grid = grid.transpose(2, 3)
    return torch.cat([embedding[:1], grid[0].flatten(1).transpose(0, 1)])


def rotated(keys: Tensor, sizes: torch.Size, spans: tuple[int, int]) -> Tensor:
    """Turn keys (N, HW, heads, d), each pair of channels: the first half of the pairs by row, the rest by column.

    The i-th of the d/4 angles along an axis is 10000^(-4i/d) times the place, where the map's length counts as `span`.
    """
    bands = keys.shape[-1] // 4
    to: dict[str, Any] = {"device": keys.device, "dtype": keys.dtype}
    speeds = torch.exp(torch.arange(bands, **to) * (-math.log(10_000) / bands))
    along = [
        torch.arange(length, **to)[:, None] * (span / length) * speeds
        for length, span in zip(sizes, spans, strict=True)
    ]
    rows = along[0][:, None].expand(-1, sizes[1], -1)
    columns = along[1][None].expand(sizes[0], -1, -1)
    angles = torch.cat([rows, columns], 2).flatten(0, 1)[:, None]  # (HW, 1, d / 2)
    even, odd = keys.unflatten(-1, (-1, 2)).unbind(-1)
    sine, cosine = angles.sin(), angles.cos()
    return torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], -1).flatten(-2)
