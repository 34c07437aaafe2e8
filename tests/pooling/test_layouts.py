"""The contract of every pooling, item 6 without the compilers: dtypes, memory formats, batches, copies, autocast."""

import copy
import pickle

import pytest
import torch

from poolab.pooling import Pool, get_pool
from tests.pooling.support import ALL_VARIANTS, CHANNELS, HEADS, RANDOM, WINDOWS, distinct, label, make

NAMES = WINDOWS + HEADS


def called(pool: Pool, x: torch.Tensor) -> torch.Tensor:
    """The output with the random numbers of one fixed seed."""
    torch.manual_seed(1)
    return pool(x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_the_dtype_is_kept(name: str, dtype: torch.dtype, training: bool):
    x = distinct(2, CHANNELS, 6, 7, dtype=dtype).requires_grad_()
    output = make(name, dtype=dtype).train(training)(x)
    assert output.dtype == dtype
    (gradient,) = torch.autograd.grad(output.sum(), x)
    assert gradient.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [False, True])
def test_channels_last_is_kept_and_changes_no_value(name: str, training: bool):
    options = {"output_size": 3} if "output_size" in get_pool(name).options else {}
    x, pool = distinct(2, CHANNELS, 9, 8, dtype=torch.float32), make(name, **options).train(training)
    expected = called(pool, x)
    output = called(pool, x.contiguous(memory_format=torch.channels_last))
    assert expected.is_contiguous()
    assert output.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(output.contiguous(), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [False, True])
def test_a_strided_input_gives_what_its_copy_gives(name: str, training: bool):
    pool = make(name).train(training)
    whole = distinct(2, 2 * CHANNELS, 12, 9, dtype=torch.float32)
    for x in (whole[:, ::2, ::2], whole[:, :CHANNELS].transpose(2, 3), whole[:1, :1].expand(2, CHANNELS, 12, 9)):
        assert not x.is_contiguous()
        torch.testing.assert_close(called(pool, x), called(pool, x.contiguous()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [False, True])
def test_an_empty_batch_gives_an_empty_batch_with_a_gradient(name: str, training: bool):
    pool = make(name).train(training)
    x = torch.zeros(0, CHANNELS, 6, 6, requires_grad=True)
    output = pool(x)
    assert output.shape == (0, *pool(torch.zeros(1, CHANNELS, 6, 6)).shape[1:])
    assert torch.autograd.grad(output.sum(), x)[0].shape == x.shape


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [False, True])
def test_an_unbatched_map_is_a_batch_of_one(name: str, training: bool):
    x, pool = distinct(CHANNELS, 6, 7), make(name, dtype=torch.float64).train(training)
    assert torch.equal(called(pool, x), called(pool, x.unsqueeze(0)).squeeze(0))


@pytest.mark.parametrize(("name", "options"), ALL_VARIANTS, ids=label)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pool: pickle.loads(pickle.dumps(pool))])
def test_a_copy_computes_the_same_and_shares_nothing(name: str, options: dict, duplicate):
    x, pool = distinct(1, CHANNELS, 6, 7, dtype=torch.float32), make(name, **options)
    expected = called(pool.train(), x)
    twin = duplicate(pool)
    assert repr(twin) == repr(pool)
    assert torch.equal(called(twin, x), expected)
    for parameter in twin.parameters():
        torch.nn.init.constant_(parameter, 9.0)
    assert torch.equal(called(pool, x), expected)


@pytest.mark.parametrize("name", RANDOM)
def test_a_pooling_with_a_generator_can_be_copied_and_pickled(name: str):
    x, pool = distinct(1, CHANNELS, 6, 7).abs(), make(name, generator=torch.Generator().manual_seed(4)).train()
    twins = [copy.deepcopy(pool), pickle.loads(pickle.dumps(pool))]
    expected = pool(x)
    assert all(torch.equal(twin(x), expected) for twin in twins)


@pytest.mark.parametrize(("name", "options"), ALL_VARIANTS, ids=label)
def test_the_state_makes_a_round_trip(name: str, options: dict):
    x, pool = distinct(1, CHANNELS, 6, 7, dtype=torch.float32), make(name, **options)
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter.add_(0.25)
    other = make(name, **options)
    other.load_state_dict(pool.state_dict(), strict=True)
    assert torch.equal(other(x), pool(x))
    learned = get_pool(name).learns == "always" or bool(options.get("learnable"))
    assert bool(pool.state_dict()) == learned


@pytest.mark.parametrize(("name", "options"), ALL_VARIANTS, ids=label)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_autocast_gives_the_same_values_to_bfloat16(name: str, options: dict, dtype: torch.dtype):
    x = distinct(1, CHANNELS, 6, 7, dtype=torch.float32).requires_grad_()
    pool = make(name, **options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = pool(x.to(dtype))
    torch.testing.assert_close(output.float(), pool(x), rtol=0.03, atol=0.03)
    assert torch.autograd.grad(output.sum(), x)[0].isfinite().all()
