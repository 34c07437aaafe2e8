"""scripts/ranking.py: runs that were saved come back, and of equal learning rates the smaller is taken."""

import importlib.util

import pytest

from poolab.records import read_results
from poolab.study.record_file import read_records


@pytest.fixture
def ranking(pytestconfig):
    spec = importlib.util.spec_from_file_location("ranking", pytestconfig.rootpath / "scripts" / "ranking.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_saved_records_come_back_as_folders_that_a_study_takes_for_finished(ranking, pytestconfig, tmp_path, capsys):
    file = pytestconfig.rootpath / "benchmarks" / "pooling_small.jsonl.gz"
    saved = {record.signature: record.to_json() for record in read_records(file)}
    ranking.restore(file, tmp_path)
    assert {record.signature: record.to_json() for record in read_results(tmp_path)} == saved
    assert capsys.readouterr().out.count("restored ") == len(saved)
    ranking.restore(file, tmp_path)
    assert capsys.readouterr().out == "", "a run that is there is left as it is"


def test_no_saved_run_is_lost_and_a_missing_file_is_told(ranking, pytestconfig, tmp_path):
    file = tmp_path / "kept.jsonl.gz"
    file.write_bytes((pytestconfig.rootpath / "benchmarks" / "pooling_small.jsonl.gz").read_bytes())
    before = file.read_bytes()
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit, match=r"lacks 65 of the 65 runs of .*: restore them first"):
        ranking.save(tmp_path / "runs", file)
    assert file.read_bytes() == before
    ranking.restore(file, tmp_path / "runs")
    ranking.save(tmp_path / "runs", file)
    assert len(read_records(file)) == 65
    with pytest.raises(SystemExit, match=r"none\.jsonl\.gz does not exist"):
        ranking.restore(tmp_path / "none.jsonl.gz", tmp_path / "runs")


def test_the_best_rate_is_taken_and_of_equal_ones_the_smaller(ranking):
    assert ranking._best({0.003: 0.6, 0.001: 0.6, 0.0003: 0.5}, [0.0003, 0.001, 0.003]) == 0.001
    with pytest.raises(SystemExit, match=r"no finished run with optim\.lr=0\.01"):
        ranking._best({0.003: 0.6}, [0.003, 0.01])


def test_the_committed_study_files_are_those_of_the_plan(ranking, pytestconfig, tmp_path, monkeypatch):
    own = pytestconfig.rootpath / "sweeps" / "ranking"
    for file in own.glob("tune_*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    monkeypatch.setattr(ranking, "SWEEPS", tmp_path)
    ranking.rates(pytestconfig.rootpath / "benchmarks" / "ranking.jsonl.gz", True)
    for file in own.glob("*_lr_*.yaml"):
        assert (tmp_path / file.name).read_text() == file.read_text()
