"""The heads beside timm's and torch's, with the weights copied over."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.pooling import create_pool
from poolab.pooling import functional as P
from tests.pooling.support import distinct

pytest.importorskip("timm")

from timm.layers import SelectAdaptivePool2d, adaptive_avgmax_pool2d, resample_abs_pos_embed
from timm.layers.attention_pool2d import AttentionPool2d, RotAttentionPool2d
from timm.layers.other_pool import LsePlus2d, SimPool2d

C = 8


def slope(pool: object, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(pool(x).sum(), x)[0]


@pytest.mark.parametrize("size", [(7, 7), (5, 6), (1, 1)])
def test_mean_and_maximum_are_timms(size: tuple[int, int]):
    x = distinct(2, C, *size)
    assert_close(P.global_avgmax_pool2d(x), adaptive_avgmax_pool2d(x))
    for kind in ("catavgmax", "fastcatavgmax"):
        assert_close(P.global_avgmax_pool2d(x, mode="cat"), SelectAdaptivePool2d(pool_type=kind)(x), rtol=0, atol=1e-12)
    assert (
        create_pool("global_avgmax", mode="cat").out_channels(C) == C * SelectAdaptivePool2d(1, "catavgmax").feat_mult()
    )


@pytest.mark.parametrize(
    ("fast", "slow", "ours"), [("fastmax", "max", "global_max"), ("fastavgmax", "avgmax", "global_avgmax")]
)
def test_timms_fast_maximum_splits_a_tie_that_adaptive_pooling_gives_to_the_first(fast: str, slow: str, ours: str):
    """timm's 'fast' poolings take amax: a quarter for each element of a 2x2 map of zeros; nn.AdaptiveMaxPool2d, timm's
    other poolings and ours give it all to the first, so that the two train differently after a ReLU."""
    zeros = torch.zeros(1, 1, 2, 2)
    assert_close(slope(create_pool(ours), zeros), slope(SelectAdaptivePool2d(pool_type=slow), zeros))
    assert slope(SelectAdaptivePool2d(pool_type=fast), zeros).flatten().tolist() == [0.25] * 4
    assert slope(create_pool(ours), zeros).flatten()[0] > 0.5
    assert slope(create_pool("global_max"), zeros).flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    assert slope(nn.AdaptiveMaxPool2d(1), zeros).flatten().tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("r", [0.5, 10.0, 50.0])
def test_the_log_mean_exponential_is_timms(r: float):
    x = distinct(2, C, 5, 6)
    theirs = LsePlus2d(r=r, flatten=False).double()
    assert_close(P.global_lse_pool2d(x, r=r), theirs(x))
    assert_close(slope(create_pool("global_lse", r=r), x), slope(theirs, x))


def test_timms_learned_r_can_reach_zero_and_ours_cannot():
    """One step of an optimizer takes LsePlus2d's parameter to 0, where its output is NaN (VChristlein/dgmp#1)."""
    x, theirs, ours = distinct(1, C, 4, 4), LsePlus2d(r=1.0), create_pool("global_lse", r=1.0, learnable=True).double()
    with torch.no_grad():
        theirs.r -= 1.0
        ours.log_r -= 1.0
    assert theirs(x).isnan().all()
    assert ours(x).isfinite().all()


def test_timms_form_loses_the_digits_of_a_small_r():
    """(1/r) log of a mean of exponentials that all round to 1: in float32 at r = 1e-8 it gives the maximum."""
    x = distinct(1, C, 5, 5, dtype=torch.float32)
    mean, top = P.global_avg_pool2d(x), P.global_max_pool2d(x)
    assert_close(LsePlus2d(r=1e-8, flatten=False)(x), top, rtol=0, atol=1e-5)
    assert_close(P.global_lse_pool2d(x, r=1e-8), mean, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("heads", "gamma"), [(1, None), (2, None), (1, 1.25), (4, 2.0)])
@pytest.mark.parametrize("size", [(7, 7), (3, 5)])
def test_simpool_is_timms(heads: int, gamma: float | None, size: tuple[int, int]):
    """theirs is (N, C), ours (N, C, 1, 1)."""
    torch.manual_seed(0)
    theirs, ours = (
        SimPool2d(C, num_heads=heads, gamma=gamma).double(),
        create_pool("simpool", channels=C, heads=heads, gamma=gamma).double(),
    )
    nn.init.normal_(theirs.norm.weight)
    nn.init.normal_(theirs.norm.bias)
    ours.load_state_dict({k.replace("q.", "query.").replace("k.", "key."): v for k, v in theirs.state_dict().items()})
    x = distinct(2, C, *size)
    assert_close(ours(x), theirs(x)[..., None, None])
    assert_close(slope(ours, x), slope(theirs, x))


def copied(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    """Timm's packed projections in ours."""
    weights, biases = theirs.qkv.weight.chunk(3), theirs.qkv.bias.chunk(3)
    with torch.no_grad():
        for layer, weight, bias in zip((ours.query, ours.key, ours.value), weights, biases, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        ours.output.load_state_dict(theirs.proj.state_dict())
        if ours.embedding is not None:
            ours.embedding.copy_(theirs.pos_embed)
    return ours


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("size", [(4, 6), (4, 4), (9, 2), (1, 1), (12, 13)])
def test_learned_positions_are_timms_on_any_map(heads: int, size: tuple[int, int]):
    torch.manual_seed(0)
    theirs = AttentionPool2d(C, feat_size=(4, 6), out_features=5, num_heads=heads, head_dim=None)
    nn.init.normal_(theirs.qkv.bias)
    ours = copied(theirs, create_pool("clip_attention", channels=C, heads=heads, output_dim=5, size=(4, 6)))
    x = distinct(2, C, *size, dtype=torch.float32)
    assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    assert_close(slope(ours, x), slope(theirs, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("size", [(4, 6), (4, 4), (9, 2), (1, 1)])
def test_rotary_positions_are_timms(heads: int, size: tuple[int, int]):
    """The query is the mean's, which neither of the two turns."""
    torch.manual_seed(0)
    theirs = RotAttentionPool2d(C, ref_feat_size=(4, 6), out_features=5, num_heads=heads, head_dim=None)
    ours = create_pool("clip_attention", channels=C, heads=heads, output_dim=5, size=(4, 6), position="rotary")
    x = distinct(2, C, *size, dtype=torch.float32)
    assert_close(copied(theirs, ours)(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_timm_starts_from_truncated_normal_weights_and_torchs_output_layer():
    """Ours start as OpenAI's: normal, the output projection too, of deviation C^-1/2."""
    torch.manual_seed(0)
    theirs, ours = AttentionPool2d(1024, num_heads=16, head_dim=None), create_pool("clip_attention", channels=1024)
    assert ours.output.weight.std().item() == pytest.approx(1 / 32, rel=0.02)
    assert theirs.proj.weight.std().item() == pytest.approx(1 / 32 / 3**0.5, rel=0.02)
    assert theirs.qkv.weight.std().item() == pytest.approx(1 / 32, rel=0.02)
    assert theirs.proj.bias.abs().max() > 0
    assert ours.output.bias.abs().max() == 0


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(3, 3), (9, 5), (14, 14)])
def test_resized_positions_are_timms(mode: str, size: tuple[int, int]):
    from poolab.pooling.head.clip_attention import resized

    embedding = distinct(1 + 49, C, dtype=torch.float32)
    theirs = resample_abs_pos_embed(embedding[None], list(size), [7, 7], interpolation=mode)
    assert_close(resized(embedding, 7, torch.Size(size), mode), theirs[0])


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("position", ["learned", "none"])
def test_clips_attention_is_torchs_multihead_attention(heads: int, position: str):
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(C, heads, batch_first=True).double()
    ours = create_pool("clip_attention", channels=C, heads=heads, size=(4, 5), position=position).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        for bias in (ours.query.bias, ours.key.bias, ours.value.bias, ours.output.bias):
            nn.init.normal_(bias)
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    x = distinct(2, C, 4, 5)
    vectors = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([vectors.mean(1, keepdim=True), vectors], 1)
    if position == "learned":
        tokens = tokens + ours.embedding
    expected, _ = theirs(tokens[:, :1], tokens, tokens)
    assert_close(ours(x), expected[:, 0])


def test_torchs_lp_pooling_takes_the_power_of_signed_values():
    """pytorch/pytorch#184037: NaN for a negative element and p = 2.5; on positive elements it is the sum form."""
    x = distinct(1, C, 4, 4)
    assert nn.LPPool2d(2.5, 4)(x).isnan().any()
    assert P.global_lp_pool2d(x, p=2.5).isfinite().all()
    assert_close(P.global_lp_pool2d(x.abs(), p=2.5, norm="sum"), nn.LPPool2d(2.5, 4)(x.abs()))


def test_grouped_maxima_are_torchs_maximum_over_channels():
    """nn.functional.max_pool3d with the channels as depth is the same function."""
    x = distinct(2, C, 4, 5)
    assert torch.equal(P.inter_map_pool2d(x, groups=4), nn.functional.max_pool3d(x[:, None], (4, 1, 1))[:, 0])
