"""Two arms with one seed differ in their pooling and in nothing else."""

from types import SimpleNamespace

import pytest
import torch

from poolab.training.callbacks import Streams
from poolab.training.module import Classifier

ARMS = {
    "max": ["pooling=max"],
    "stochastic": ["pooling=stochastic"],
    "mixed": ["pooling=mixed", "pooling.learnable=true"],
}


def watched(launched, runs_dir, *overrides):
    """Each training batch and the initial weights of a run, with its history."""
    batches, weights = [], {}
    step = Classifier.training_step

    def recorded(module, batch, batch_idx):
        if not batches:
            weights.update({name: value.detach().clone() for name, value in module.network.named_parameters()})
        batches.append({name: value.clone() for name, value in batch.items()})
        return step(module, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", recorded)
        record, folder, _ = launched(runs_dir, "data.flip=true", *overrides)
    return SimpleNamespace(batches=batches, weights=weights, metrics=record.metrics, folder=folder)


@pytest.fixture(scope="module")
def arms(launched, tmp_path_factory):
    runs = tmp_path_factory.mktemp("arms")
    return {name: watched(launched, runs, *overrides) for name, overrides in ARMS.items()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


@pytest.mark.parametrize("other", ["stochastic", "mixed"])
def test_arms_see_the_same_batches(arms, other):
    assert len(arms["max"].batches) == 10
    assert set(arms["max"].batches[0]) == {"image", "label", "index"}
    assert all(equal(*pair) for pair in zip(arms["max"].batches, arms[other].batches, strict=True))


def test_batches_differ_from_step_to_step(arms):
    first, second = arms["max"].batches[0], arms["max"].batches[5]  # the first of each epoch
    assert not torch.equal(first["index"], second["index"])


@pytest.mark.parametrize("other", ["stochastic", "mixed"])
def test_arms_share_the_initial_weights_that_both_have(arms, other):
    common = arms["max"].weights.keys() & arms[other].weights.keys()
    assert common == arms["max"].weights.keys()
    assert all(torch.equal(arms["max"].weights[name], arms[other].weights[name]) for name in common)


def test_a_learnable_arm_has_weights_of_its_own(arms):
    assert arms["mixed"].weights.keys() - arms["max"].weights.keys()


def test_the_arms_differ_in_what_comes_out(arms):
    assert len({arm.metrics["train/loss"] for arm in arms.values()}) == 3


def test_a_random_arm_is_the_same_again(arms, launched, tmp_path, trace, same):
    again = watched(launched, tmp_path, *ARMS["stochastic"])
    assert all(equal(*pair) for pair in zip(arms["stochastic"].batches, again.batches, strict=True))
    same(trace(again.folder), trace(arms["stochastic"].folder))


def test_another_seed_differs_in_batches_and_weights(arms, launched, tmp_path):
    other = watched(launched, tmp_path, "seed=1")
    assert not any(equal(*pair) for pair in zip(arms["max"].batches, other.batches, strict=True))
    assert not torch.equal(arms["max"].weights["conv1.weight"], other.weights["conv1.weight"])
    assert other.metrics["train/loss"] != arms["max"].metrics["train/loss"]


class Drawing(torch.nn.Module):
    """A network that draws twice from the global generator, with a pooling between the draws."""

    device = torch.device("cpu")

    def __init__(self, pooling):
        super().__init__()
        from poolab.pooling import create_pool

        self.pool1 = create_pool(pooling, kernel_size=2)
        self.pool2 = create_pool(pooling, kernel_size=2)

    def forward(self, image):
        before = torch.rand(4)
        pooled = [pool(image) for pool in (self.pool1, self.pool2)]
        return torch.cat([before, torch.rand(4)]), pooled


def drawn(pooling, seed=0, step=0, rank=0, own_generators=True):
    network = Drawing(pooling)
    streams = Streams(seed, own_generators)
    trainer = SimpleNamespace(global_rank=rank, global_step=step)
    streams.on_fit_start(trainer, network)
    streams.on_train_batch_start(trainer, network, None, 0)
    image = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return network(image)


def test_a_random_pooling_does_not_change_what_dropout_draws():
    assert torch.equal(drawn("max")[0], drawn("stochastic")[0])
    assert not torch.equal(drawn("max")[0], drawn("stochastic", own_generators=False)[0])  # and the test can tell


def test_pooling_noise_depends_on_seed_slot_step_and_process():
    one, two = drawn("stochastic")[1]
    assert not torch.equal(one, two)
    for change in ({"seed": 1}, {"step": 1}, {"rank": 1}):
        assert not torch.equal(one, drawn("stochastic", **change)[1][0])
    assert torch.equal(one, drawn("stochastic")[1][0])
