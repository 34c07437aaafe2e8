"""Fixtures of the upper floor: tiny runs, and one whole run that several tests read."""

import subprocess
from pathlib import Path

import pytest

TINY = (
    "data.limit_train=200",  # 180 for training, 20 held out: five steps an epoch
    "data.limit_test=100",
    "data.image_size=16",
    "data.batch_size=32",
    "trainer.epochs=2",
    "trainer.threads=1",
    "trainer.backend=plain",  # nothing to compile
    "trainer.accelerator=cpu",
    "measure.seconds=0.01",
    "measure.throughput_batch_size=4",
    "tracker=none",
)


@pytest.fixture(scope="session", autouse=True)
def _wandb_does_not_wait_for_its_service():
    """Let W&B's own service go unwaited for, and no other process: a warning of it would fail a test by chance."""
    warn = subprocess.Popen.__del__

    def quiet(process, *rest):
        if "wandb-core" not in str(getattr(process, "args", "")):
            warn(process, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__del__", quiet)
        yield


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """No "auto" that changes its path within a test: when it does depends on the tests before, and rounding on it."""
    monkeypatch.setattr("poolab.pooling.fused.background.PAYS_FROM", float("inf"))
    monkeypatch.setattr("poolab.pooling.fused.background.LOOKS_FROM", float("inf"))


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """The overrides that make a run last less than a second."""
    return TINY


@pytest.fixture(scope="session")
def configured():
    """The resolved configuration of a tiny run."""
    from poolab.configuration import compose
    from poolab.training import with_automatic

    return lambda runs_dir, *more: with_automatic(compose([*TINY, f"runs_dir={runs_dir}", *more]))


@pytest.fixture(scope="session")
def launched(configured):
    """Launches a tiny run without its pictures, which take longer than all else: its record, folder, whether fresh."""
    from poolab.training.launcher import launch

    def make(runs_dir, *more):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("learning_curves", "sample_grid", "mask_grid", "confusion_matrix"):
                patch.setattr(f"poolab.training.pictures.{name}", lambda *_: None)
            return launch(configured(runs_dir, *more))

    return make


@pytest.fixture(scope="session")
def whole_run(configured, tmp_path_factory) -> tuple[dict, Path]:
    """The record and the folder of one completed run, for reading only."""
    from poolab.training.launcher import launch

    record, folder, fresh = launch(configured(tmp_path_factory.mktemp("whole")))
    assert fresh
    return record, folder
