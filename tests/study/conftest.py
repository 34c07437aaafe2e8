"""Studies of two poolings and some seeds, and records of their cells."""

import pytest

from poolab.records import signature
from poolab.study import grid_cells, read_study
from poolab.study.sweep.composition import Composer
from poolab.training import with_automatic

COMMAND = '["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]'


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def written(tmp_path):
    """Writes a study file and reads it."""

    def write(parameters, method="grid", more="", program="train.py"):
        path = tmp_path / "study.yaml"
        lines = [f"program: {program}", f"method: {method}", f"parameters: {parameters}", f"command: {COMMAND}", more]
        path.write_text("\n".join(lines) + "\n")
        return read_study(path)

    return write


@pytest.fixture
def two_arms(written):
    """Two poolings and three seeds."""
    return written("{pooling: {values: [max, avg]}, seed: {values: [0, 1, 2]}}")


@pytest.fixture
def recorded():
    """Records of a study's cells, with the scores that a function gives for their configuration (None: it failed)."""

    def make(study, score, extra=()):
        composer = Composer()
        configs = [with_automatic(composer(cell)) for cell in grid_cells(study, extra)]
        return [record_of(config, score(config)) for config in configs]

    return make


def record_of(config, score):
    failed = score is None
    return {
        "schema_version": 1,
        "signature": signature(config, "digits-1"),
        "status": "failed" if failed else "completed",
        "reason": "ValueError: no" if failed else None,
        "seed": config["seed"],
        "config": config,
        "metrics": {} if failed else {"test/accuracy": score, "speed/train_images_per_s": 1000.0, "cost/parameters": 9},
        "environment": {"commit": "abc", "dirty": False, "packages": {"torch": "2.15.0"}},
        "started": "2026-01-01T10:00:00+00:00",
        "ended": "2026-01-01T10:00:30+00:00",
    }
