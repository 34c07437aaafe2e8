"""Attention heads: where they start, what they are where their weights say so, and any size of map."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.pooling import create_pool
from poolab.pooling import functional as P
from tests.pooling.support import distinct, few, random_map


def zeroed(*layers: nn.Module) -> None:
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


@given(st.integers(0, 1000), st.integers(1, 7), st.integers(1, 7), st.booleans())
@few(20)
def test_a_score_of_zero_is_global_average_pooling_and_the_start(seed: int, height: int, width: int, gated: bool):
    x = torch.from_numpy(random_map(seed, 2, 3, height, width))
    pool = create_pool("attention", channels=3, hidden=4, gated=gated).double()
    assert_close(pool(x), P.global_avg_pool2d(x))
    (gradient,) = torch.autograd.grad(pool(x).square().sum(), pool.score)
    assert height * width == 1 or gradient.abs().sum() > 0, "it learns from its start on"


def test_a_steep_score_picks_one_position():
    pool = create_pool("attention", channels=2, hidden=2).double()
    with torch.no_grad():
        pool.projection.weight.copy_(torch.eye(2))
        pool.projection.bias.zero_()
        pool.score.copy_(torch.tensor([1e4, 0.0]))
    x = distinct(1, 2, 4, 4)
    best = x[0, 0].flatten().argmax()
    assert_close(pool(x).flatten(), x[0].flatten(1)[:, best])


def test_a_closed_gate_is_the_mean():
    """sigmoid(-inf) = 0 leaves every position the same score."""
    torch.manual_seed(0)
    pool = create_pool("attention", channels=3, gated=True).double()
    nn.init.normal_(pool.score)
    x = distinct(1, 3, 4, 4)
    assert (pool(x) - P.global_avg_pool2d(x)).abs().max() > 1e-3
    zeroed(pool.gate)
    nn.init.constant_(pool.gate.bias, -1e4)
    assert_close(pool(x), P.global_avg_pool2d(x))


def normalised(x: Tensor, pool: nn.Module) -> Tensor:
    return pool.norm(x.flatten(2).transpose(1, 2)).transpose(1, 2).view_as(x)


@pytest.mark.parametrize("layer", ["query", "key"])
def test_simpool_without_a_query_or_keys_averages_the_normalised_vectors(layer: str):
    x, pool = distinct(2, 4, 5, 3), create_pool("simpool", channels=4, heads=2).double()
    zeroed(getattr(pool, layer))
    assert_close(pool(x), P.global_avg_pool2d(normalised(x, pool)))


@pytest.mark.parametrize("gamma", [1.0, 1.25, 2.0])
def test_simpools_gamma_is_a_power_mean_above_the_least_value(gamma: float):
    x, pool = distinct(2, 4, 5, 3), create_pool("simpool", channels=4, gamma=gamma).double()
    zeroed(pool.query)
    values = normalised(x, pool)
    shifted = values - values.amin((2, 3), keepdim=True) + 1e-6
    assert_close(pool(x), P.global_lp_pool2d(shifted, p=gamma))


def test_clip_without_keys_is_a_projection_of_the_mean():
    """Equal logits over n positions and their mean give the mean again."""
    x, pool = distinct(2, 4, 5, 3), create_pool("clip_attention", channels=4, position="none", output_dim=7).double()
    zeroed(pool.key)
    assert_close(pool(x), pool.output(pool.value(x.mean((2, 3)))))


@pytest.mark.parametrize("position", ["learned", "rotary", "none"])
def test_clip_takes_any_height_and_width(position: str):
    pool = create_pool("clip_attention", channels=8, heads=2, position=position, size=(4, 6), output_dim=5)
    for size in ((4, 6), (1, 1), (9, 2), (6, 4), (30, 31)):
        x = torch.randn(2, 8, *size, requires_grad=True)
        y = pool(x)
        assert y.shape == (2, 5)
        assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()


@pytest.mark.parametrize(("position", "moves"), [("learned", True), ("rotary", True), ("none", False)])
def test_only_positions_tell_places_apart(position: str, moves: bool):
    torch.manual_seed(0)
    pool = create_pool("clip_attention", channels=8, heads=2, position=position).double()
    x = distinct(1, 8, 5, 5)
    assert ((pool(x) - pool(x.flip(3))).abs().max() > 1e-6) == moves


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(3, 5), (8, 8), (12, 16), (7, 7)])
def test_positions_that_are_all_the_same_are_the_same_on_any_map(size: tuple[int, int], interpolation: str):
    """A resizing whose weights do not add up to 1 at the borders would change them."""
    pool = create_pool("clip_attention", channels=4, interpolation=interpolation).double()
    plain = create_pool("clip_attention", channels=4, position="none").double()
    place = distinct(4)
    with torch.no_grad():
        pool.embedding.copy_(place.expand_as(pool.embedding))
    plain.load_state_dict({name: value for name, value in pool.state_dict().items() if name != "embedding"})
    x = distinct(1, 4, *size)
    assert_close(pool(x), plain(x + place[:, None, None]))


def test_rotary_positions_do_not_depend_on_the_resolution():
    """Each row and column twice is the same map at twice the size, as the angles scale with it, half a step apart."""
    pool = create_pool("clip_attention", channels=8, heads=2, position="rotary").double()
    torch.manual_seed(0)
    for layer in (pool.query, pool.key, pool.value, pool.output):
        layer.reset_parameters()
    x = distinct(1, 8, 16, 16)
    twice = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (pool(x) - pool(twice)).abs().max() < 0.05 * pool(x).abs().max()


def test_a_rotation_keeps_lengths_and_turns_by_the_difference_of_places():
    from poolab.pooling.head.clip_attention import rotated

    keys = distinct(1, 1, 2, 8).expand(1, 12, 2, 8)
    turned = rotated(keys, torch.Size((3, 4)), (3, 4)).view(3, 4, 2, 8)
    assert_close(turned.norm(dim=-1), keys.view(3, 4, 2, 8).norm(dim=-1))
    products = (turned[:, :, None, None] * turned).sum(-1)  # (row, column, row, column, head)
    assert_close(products[0, 0, 1, 2], products[1, 1, 2, 3])
    assert not torch.allclose(products[0, 0, 1, 2], products[0, 0, 2, 2])


@pytest.mark.parametrize(
    ("channels", "heads"), [(1, 1), (64, 1), (127, 1), (128, 2), (2048, 32), (200, 2), (192, 3), (193, 1)]
)
def test_without_a_number_there_is_a_head_for_64_channels(channels: int, heads: int):
    from poolab.pooling.head.clip_attention import head_count

    assert head_count(channels, None) == heads
    create_pool("clip_attention", channels=channels, position="none")


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("clip_attention", {"heads": 3}, "heads=3 must divide channels=8"),
        ("clip_attention", {"heads": 4, "position": "rotary"}, "needs a multiple of 4 channels for each head, found 2"),
        ("clip_attention", {"size": 0}, "size must be an int from 1 to 1024 or a pair"),
        ("simpool", {"heads": 3}, "heads=3 must divide channels=8"),
        ("simpool", {"gamma": 0.0}, "gamma must be a number >= 0.01"),
    ],
)
def test_options_that_do_not_go_together_are_told(name: str, options: dict, told: str):
    with pytest.raises(ValueError, match=told):
        create_pool(name, channels=8, **options)


@pytest.mark.parametrize("name", ["attention", "simpool", "clip_attention"])
def test_other_channels_are_told(name: str):
    with pytest.raises(ValueError, match=r"made for channels=8, found 4 channels in \(2, 4, 5, 5\)"):
        create_pool(name, channels=8)(torch.ones(2, 4, 5, 5))
    with pytest.raises(ValueError, match="needs channels"):
        create_pool(name)


def test_the_start_is_the_documented_one():
    torch.manual_seed(0)
    pool = create_pool("clip_attention", channels=1024, heads=16)
    for weight in (pool.query.weight, pool.key.weight, pool.value.weight, pool.output.weight, pool.embedding):
        assert weight.std().item() == pytest.approx(1 / 32, rel=0.02)
    before = pool.embedding.clone()
    pool.reset_parameters()
    assert not torch.equal(before, pool.embedding)


@pytest.mark.parametrize("name", ["attention", "simpool", "clip_attention"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_summed_in_float32(name: str, dtype: torch.dtype):
    """The mean of 4096 elements of 100 is 100; their sum overflows float16."""
    torch.manual_seed(0)
    x = (100 + distinct(1, 4, 64, 64)).to(dtype)
    pool = create_pool(name, channels=4).to(dtype)
    wide = create_pool(name, channels=4).double()
    wide.load_state_dict(pool.state_dict())
    eps = torch.finfo(dtype).eps
    assert_close(pool(x).double(), wide(x.double()), rtol=4 * eps, atol=eps)
