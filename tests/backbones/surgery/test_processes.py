"""Swapped networks in several processes: DDP and FSDP2 on gloo, and another process that loads what one saved."""

import os
import subprocess
import sys
import warnings

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from poolab.backbones import swap_pooling
from tests.backbones.surgery.networks import Layers, Shared, Strided

KINDS = {"layers": (Layers, "window"), "strided": (Strided, "strided_conv"), "shared": (Shared, "window")}


def swapped(name, images):
    torch.manual_seed(0)
    kind, slots = KINDS[name]
    net = kind()
    swap_pooling(net, "mixed", slots=slots, example_input=images, learnable=True, sharing="channel")
    return net


def batch():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def step(net, images, whole):
    """One step of SGD on the mean over the whole batch; the processes' gradients are averaged."""
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    (net(images).square().sum() * (len(whole) / len(images)) / len(whole)).backward()
    optimizer.step()


def work(rank, folder):
    """Train every network by DDP and by FSDP2 with half of the batch; the first process saves what came out."""
    from torch.distributed.fsdp import fully_shard

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    images, found = batch(), {}
    for name in KINDS:
        net = nn.parallel.DistributedDataParallel(swapped(name, images))
        step(net, images[rank::2], images)
        found[name, "DDP"] = net.module.state_dict()
        net = swapped(name, images)
        for child in net.children():
            if any(True for _ in child.parameters()):
                fully_shard(child)
        fully_shard(net)
        step(net, images[rank::2], images)
        found[name, "FSDP2"] = {key: value.full_tensor() for key, value in net.state_dict().items()}
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    mp.start_processes(work, (str(folder),), nprocs=2, start_method="spawn")
    return torch.load(folder / "found.pt")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["DDP", "FSDP2"])
@pytest.mark.parametrize("name", KINDS)
def test_a_step_of_two_processes_is_that_of_one(name, way, trained):
    net, images = swapped(name, batch()), batch()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    step(net, images, images)
    for key, value in net.state_dict().items():
        torch.testing.assert_close(trained[name, way][key], value, msg=lambda told, key=key: f"{key}: {told}")
    learned = [key for key in before if "pool" in key and not torch.equal(before[key], trained[name, way][key])]
    assert learned


@pytest.mark.slow
def test_a_whole_network_is_loaded_by_another_process(tmp_path):
    images = batch()
    for name in KINDS:
        net = swapped(name, images).eval()
        torch.save((net, images, net(images).detach()), tmp_path / f"{name}.pt")
    code = (
        "import sys, torch\n"
        "for file in sys.argv[1:]:\n"
        "    net, images, output = torch.load(file, weights_only=False)\n"
        "    assert torch.equal(net(images), output), file\n"
    )
    files = [str(tmp_path / f"{name}.pt") for name in KINDS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, os.getcwd()])}
    found = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
