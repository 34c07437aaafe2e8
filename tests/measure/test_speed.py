import time

import pytest
import torch
from torch import nn

from poolab.backbones import create_backbone
from poolab.measure import inference_speed, run_costs, synchronise


class Sleeper(nn.Module):
    """Each call takes as long as the list says, then as long as its last entry."""

    def __init__(self, *seconds):
        super().__init__()
        self.seconds = list(seconds)
        self.calls = []
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        self.calls.append(images)
        assert not self.training
        assert torch.is_inference_mode_enabled()
        time.sleep(self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0])
        return images


def test_latency_and_throughput_are_those_of_the_calls():
    speed = inference_speed(Sleeper(0.02), (3, 4, 4), batch_size=8, warmup=1, rounds=10)
    assert speed["rounds"] == 10
    assert 20 <= speed["latency_ms_median"] < 40
    assert speed["images_per_s"] == pytest.approx(8 / (speed["latency_ms_median"] / 1e3))


def test_the_warm_up_is_not_timed_and_p95_sees_the_tail():
    model = Sleeper(0.2, 0.2, *[0.03] * 2, *[0.001] * 10)
    speed = inference_speed(model, (3, 4, 4), warmup=2, rounds=12)
    assert len(model.calls) == 14
    assert 1 <= speed["latency_ms_median"] < 20 <= speed["latency_ms_p95"] < 150


def test_median_and_p95_are_those_of_the_sorted_times(monkeypatch):
    """On a clock that the model sets: 1, 2, ... 20 ms, of which 95 % lie below 19.05 and 90 % below 18.1."""
    now = [0.0]
    monkeypatch.setattr("poolab.measure.speed.perf_counter", lambda: now[0])

    class Ticking(nn.Flatten):
        calls = 0

        def forward(self, images):
            now[0] += 1e-3 * ((8 * self.calls) % 21 or 500)  # 500 in the warm-up, then each of 1 to 20 once
            self.calls += 1
            return super().forward(images)

    speed = inference_speed(Ticking(), (3, 4, 4), batch_size=3, warmup=0, rounds=20)
    assert speed["rounds"] == 20
    assert speed["latency_ms_median"] == pytest.approx(10.5)
    assert speed["latency_ms_p95"] == pytest.approx(19.05)
    assert speed["images_per_s"] == pytest.approx(3 / 10.5e-3)


@pytest.fixture
def clocked(monkeypatch):
    """A network of 1 ms a call, or what is told, by a clock of its own."""
    now = [0.0]
    monkeypatch.setattr("poolab.measure.speed.perf_counter", lambda: now[0])

    def make(seconds=1e-3):
        network = nn.Flatten()
        network.calls = []

        def tick(_, args, __):
            now[0] += seconds
            network.calls.append(args[0])

        network.register_forward_hook(tick)
        return network

    return make


def test_three_calls_to_warm_up_and_fifty_that_count(clocked):
    network = clocked()
    speed = inference_speed(network, (3, 4, 4))
    assert (len(network.calls), speed["rounds"], speed["batch_size"]) == (53, 50, 1)
    assert {tuple(images.shape) for images in network.calls} == {(1, 3, 4, 4)}
    assert network.calls[0].is_contiguous()
    assert speed["latency_ms_median"] == pytest.approx(1.0)


@pytest.mark.parametrize(("each", "warm", "counted"), [(0.5, 3, 4), (1.1, 2, 3), (2.5, 1, 3)])
def test_two_seconds_each_for_warming_up_and_counting(clocked, each, warm, counted):
    network = clocked(each)
    speed = inference_speed(network, (3, 4, 4))
    assert (len(network.calls) - speed["rounds"], speed["rounds"]) == (warm, counted)


def test_the_images_are_the_same_each_time_and_the_training_goes_on(clocked):
    first, second = clocked(), clocked()
    for network in (first, second):
        inference_speed(network, (3, 4, 4), rounds=3)
    assert torch.equal(first.calls[0], second.calls[0])
    assert 0.5 < first.calls[0].std() < 1.5
    assert first.training


def test_run_costs_times_small_and_large_batches_as_it_is_told(clocked):
    network = clocked(0.01)
    costs = run_costs(network, (3, 4, 4), train_batch_size=2, rounds=5)
    sizes = [len(images) for images in network.calls]
    assert [sizes.count(size) for size in (1, 256)] == [8 + 1, 8]  # one image for the multiply-adds
    assert costs["speed/infer_latency_ms_median"] == pytest.approx(10)
    assert costs["speed/infer_latency_ms_p95"] == pytest.approx(10)
    assert costs["speed/infer_images_per_s"] == pytest.approx(25_600)
    assert all(images.is_contiguous() for images in network.calls)
    network = clocked(0.01)
    run_costs(network, (3, 4, 4), channels_last=True, seconds=0.055)
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in network.calls)
    assert [len(images) for images in network.calls].count(256) == 3 + 6
    assert 128 in [len(images) for images in network.calls]


def test_run_costs_in_mixed_precision():
    seen = []
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(2))
    network[1].register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    run_costs(network, (3, 4, 4), train_batch_size=2, throughput_batch_size=2, rounds=3, autocast=torch.bfloat16)
    assert seen.count(torch.float32) == 1, "the multiply-adds are counted without"
    assert set(seen) == {torch.float32, torch.bfloat16}


def test_the_time_is_bounded_but_some_calls_are_made():
    model = Sleeper(0.05)
    start = time.perf_counter()
    speed = inference_speed(model, (3, 4, 4), warmup=100, rounds=100, seconds=0.1)
    assert time.perf_counter() - start < 2  # 200 calls would take 10
    assert 3 <= speed["rounds"] < 10
    assert inference_speed(model, (3, 4, 4), seconds=0)["rounds"] == 3
    assert inference_speed(model, (3, 4, 4), rounds=0, warmup=0, seconds=0)["rounds"] == 3


def test_images_are_as_asked():
    model = Sleeper(0)
    inference_speed(model, (3, 4, 5), batch_size=7, rounds=1, channels_last=True)
    assert model.calls[0].shape == (7, 3, 4, 5)
    assert model.calls[0].is_contiguous(memory_format=torch.channels_last)


def test_mixed_precision():
    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    model[0].register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    inference_speed(model, (3, 4, 4), rounds=1, autocast=torch.bfloat16)
    inference_speed(model, (3, 4, 4), rounds=1)
    assert set(seen[: len(seen) // 2]) == {torch.bfloat16}
    assert set(seen[len(seen) // 2 :]) == {torch.float32}


def test_run_costs_has_the_flat_names_and_leaves_the_model_as_it_was(untouched):
    model = create_backbone(
        "keras_cnn", in_channels=1, num_classes=10, image_size=16, pooling={"name": "strided_conv", "slots": ["pool2"]}
    )
    model.pool1.eval()
    with untouched(model):
        costs = run_costs(model, (1, 16, 16), train_batch_size=3, throughput_batch_size=4, rounds=3)
    assert costs["cost/parameters"] == sum(weight.numel() for weight in model.parameters())
    assert costs["cost/pooling_saved_bytes"] == 8 * 3 * 32 * 49
    assert costs["cost/multiply_adds"] == 9 * 32 * 196 + 288 * 64 * 25 + 256 * 64 * 4 + 256 * 64 + 640
    assert set(costs) - {"cost/parameters", "cost/multiply_adds", "cost/pooling_saved_bytes"} == {
        "speed/infer_latency_ms_median",
        "speed/infer_latency_ms_p95",
        "speed/infer_images_per_s",
    }
    assert all(value > 0 for value in costs.values())
    model(torch.zeros(2, 1, 16, 16)).sum().backward()  # it can still be trained


def test_latency_and_throughput_have_their_own_batch_sizes():
    sizes = set()
    model = nn.Conv2d(3, 4, 1)
    model.register_forward_hook(lambda module, args, output: sizes.add(len(args[0])))
    run_costs(model, (3, 4, 4), train_batch_size=2, latency_batch_size=3, throughput_batch_size=5, rounds=3)
    assert sizes == {1, 2, 3, 5}  # one image for the multiply-adds


def test_an_accelerator_is_waited_for_and_the_cpu_is_not(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append(device))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: calls.append("mps"))
    for name in ("cuda:1", "mps", "cpu"):
        synchronise(torch.device(name))
    assert calls == [torch.device("cuda:1"), "mps"]


def test_a_model_goes_to_the_device_and_back():
    places, moved = [], []
    model = nn.Flatten()
    model.register_forward_hook(lambda module, args, output: places.append(args[0].device.type))
    model.to = lambda place: moved.append(place.type)
    inference_speed(model, (3, 4, 4), rounds=3, device="meta")
    assert (moved, set(places)) == (["meta", "cpu"], {"meta"})
    places.clear()
    inference_speed(model, (3, 4, 4), rounds=3)
    assert (moved[2:], set(places)) == (["cpu", "cpu"], {"cpu"})
