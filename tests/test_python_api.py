"""`poolab.run`, `poolab.records` and `poolab.study` from Python, as a notebook uses them."""

import logging
import random
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch

import poolab
from poolab.errors import ConfigError
from poolab.records import Records
from poolab.study.run import run_study


@pytest.fixture
def settings(tiny, tmp_path):
    return [*tiny, "trainer.epochs=1", f"runs_dir={tmp_path / 'runs'}"]


def test_a_run_with_keywords_mappings_and_words(settings, tmp_path):
    record = poolab.run(*settings, pooling={"name": "avg_topk", "k": 3}, seed=np.int64(7), optim={"lr": 0.01})
    assert (record.completed, record.seed, record.folder.parent) == (True, 7, tmp_path / "runs")
    assert record.settings["pooling.name"] == "avg_topk"
    assert (record.settings["pooling.k"], record.settings["optim.lr"]) == (3, 0.01)
    assert "test/accuracy" in record._repr_html_()
    again = poolab.run(*settings, "pooling=avg_topk", "pooling.k=3", "optim.lr=0.01", seed=7)
    assert again == record
    runs = poolab.records(tmp_path / "runs")
    assert runs == [record]
    assert runs.completed[0].folder == record.folder
    assert "avg_topk" in runs._repr_html_()
    for gone in ("nix", "~nobodyhere/runs"):
        with pytest.raises(ConfigError, match=rf"{gone} does not exist: name a folder of runs"):
            poolab.records(gone)
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        poolab.records("a" * 5000)


@pytest.mark.parametrize(
    ("words", "keywords", "told"),
    [
        ([], {"pooling": "avgtopk"}, "did you mean avg_topk"),
        ([], {"optim": {"lrr": 1}}, "optim.lrr: there is no such setting"),
        (["seed"], {}, "'seed' is not a setting"),
        ([7], {}, "7 is not a setting"),
        ([], {"model": "x"}, "did you mean backbone"),
    ],
)
def test_wrong_settings(words, keywords, told):
    with pytest.raises(ConfigError, match=told):
        poolab.run(*words, **keywords)


def surroundings():
    return {
        "levels": [logging.getLogger(name).level for name in ("pytorch_lightning", "lightning_fabric", "")],
        "filters": list(warnings.filters),
        # numpy's old global state: other people's code still draws from it
        "states": (random.getstate(), torch.get_rng_state().tolist(), [str(one) for one in np.random.get_state()]),  # noqa: NPY002
        "threads": (torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()),
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)],
    }


def test_the_caller_is_left_as_it_was(settings):
    torch.manual_seed(3)
    before = surroundings()
    poolab.run(*settings, trainer={"threads": 2})
    assert surroundings() == before
    with pytest.raises(ConfigError):
        poolab.run(*settings, pooling="no")
    assert surroundings() == before


def test_a_run_in_another_thread(settings):
    found = []
    thread = threading.Thread(target=lambda: found.append(poolab.run(*settings, seed=1)))
    thread.start()
    thread.join()
    assert found[0].completed


def test_an_interrupted_run_interrupts_the_caller(settings, monkeypatch):
    from poolab.training.callbacks import History

    def asked(self, *_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(History, "on_train_epoch_start", asked, raising=False)
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGINT"):
        poolab.run(*settings)


def test_a_study_from_its_plan_to_its_table(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fixed = "\n".join(f"  {key}: {{value: {value}}}" for key, _, value in (word.partition("=") for word in tiny))
    (tmp_path / "s.yaml").write_text(
        "program: train.py\nmethod: grid\nparameters:\n  pooling: {values: [max, avg]}\n  seed: {values: [0, 1]}\n"
        + fixed
        + "\n"
    )
    study = poolab.study("s.yaml")
    with pytest.raises(ConfigError, match=r"no cell of s\.yaml is trained"):
        run_study(study.file, only_measure=True)
    plan = study.plan("trainer.epochs=1")
    assert plan.cells == 4
    assert "2: max; avg" in str(plan)
    assert "<table>" in plan._repr_html_()
    outcome = study.run("trainer.epochs=1", workers=2)
    assert (outcome.completed, outcome.code) == (4, 0)
    assert {one.state for one in study.status("trainer.epochs=1")} == {"completed"}
    assert len(study.records("trainer.epochs=1")) == 4
    table = study.table("trainer.epochs=1")
    assert table.verdict.split()
    assert "avg" in str(table)
    assert "<table>" in table._repr_html_()
    assert study.report(tmp_path / "out", "trainer.epochs=1", formats=["svg"]).is_file()
    with pytest.raises(ConfigError, match="has no record of"):
        study.table("trainer.epochs=2")


def test_tables_of_pandas(whole_run):
    pytest.importorskip("pandas")
    frame = Records([whole_run[0]]).to_frame()
    assert frame["pooling.name"].tolist() == ["max"]
    assert frame["test/accuracy"].tolist() == [whole_run[0].metrics["test/accuracy"]]


def test_the_import_is_light_and_names_come_when_they_are_used():
    code = (
        "import sys, poolab\n"
        "heavy = {'torch', 'numpy', 'hydra', 'pytorch_lightning', 'matplotlib', 'pandas'}\n"
        "assert not heavy & set(sys.modules)\n"
        "assert {'run', 'records', 'load', 'study'} <= set(dir(poolab))\n"
        "poolab.records; poolab.study\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "poolab.load, poolab.run, poolab.pooling\n"
        "assert 'pytorch_lightning' not in sys.modules\n"
        "try: poolab.nothing\n"
        "except AttributeError as fault: assert 'nothing' in str(fault)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
