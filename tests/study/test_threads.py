"""The runs of a study share the cores, and a plan says how."""

from types import SimpleNamespace

import pytest

from poolab.records import Record
from poolab.study.plan import threads
from poolab.study.plan.threads import cores, differing_threads, share, threads_words


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(threads, "_quota", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def planned(signature, wanted=None, had=None):
    result = None if had is None else Record(signature=signature, status="completed", environment={"threads": had})
    config = SimpleNamespace(trainer=SimpleNamespace(threads=wanted))
    return SimpleNamespace(signature=signature, config=config, folder=SimpleNamespace(result=result))


def plan(*cells):
    finished = {one.signature for one in cells if one.folder.result is not None}
    return SimpleNamespace(cells=cells, finished=finished)


def test_together_they_have_no_more_threads_than_there_are_cores(monkeypatch):
    assert [share(workers) for workers in (1, 2, 3, 4, 9)] == [4, 2, 1, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [share(workers) for workers in (1, 2, 4)] == [3, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert share(1) == 4


@pytest.mark.parametrize(("text", "expected"), [("250000 100000", 2), ("50000 100000", 1), ("max 100000", 4), ("", 4)])
def test_a_container_has_the_cores_of_its_quota(monkeypatch, tmp_path, text, expected):
    monkeypatch.undo()
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(text)
    assert cores() == expected


def test_a_plan_says_how_the_cores_are_shared(monkeypatch):
    words = threads_words(plan(planned("a"), planned("b", had=2)))
    assert words.startswith("4 of 4 cores for a run, 1 with --workers 4; trainer.threads sets another number")
    assert words.endswith("Finished runs had 2")
    assert threads_words(plan(planned("a", 2), planned("b", 3))) == "2, 3, as trainer.threads says"


def test_runs_with_another_number_of_threads_are_told():
    left, finished = [planned("a")], [planned("b", had=2), planned("c", had=2), planned("d", had=1)]
    note = differing_threads(left, finished, 1)
    assert note.startswith("2 finished runs of this study had another number of threads (2: 2) than the runs that are")
    assert note.endswith("trainer.threads=2 gives them the same")
    assert differing_threads(left, [planned("d", had=1)], 1) is None
    assert differing_threads([planned("a", 1)], finished, 1) is None  # the user has chosen
