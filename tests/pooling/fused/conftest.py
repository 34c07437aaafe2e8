"""Kernels of the tests: compiled quickly rather than well, and into a folder that the tests share."""

import os
from collections import defaultdict
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def kernels(monkeypatch, tmp_path_factory):
    """Where the kernels of a test are; -O0 takes a third of the time of -O3."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = Path(shared, "kernels")
    monkeypatch.setenv("POOLAB_CACHE", str(folder))
    monkeypatch.setenv("POOLAB_CFLAGS", "-O0")
    monkeypatch.setattr("poolab.pooling.fused.backend.BLOCKS_FROM", 0)  # the maps of the tests are small
    return folder


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """As if nothing had been computed in this process, with an empty folder of kernels."""
    from poolab.pooling.fused import background, building, kernels, keys, notices

    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "_kernels", {})
    monkeypatch.setattr(keys, "_seconds", defaultdict(float))
    monkeypatch.setattr(background, "_asked", {})
    monkeypatch.setattr(notices, "_given", set())
    monkeypatch.setattr(building, "_hung", set())
    monkeypatch.setattr(building, "_lacks", {})
    return tmp_path / "kernels"
