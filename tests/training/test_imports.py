"""How the large libraries are imported; what comes in with which command is held by tests/test_project.py."""

import gc
import sys

import pytest

from poolab.training.imports import import_wandb_first, without_collector


@pytest.fixture
def frozen(monkeypatch):
    """How often the collector was told to leave alone what there is; the tests' own garbage is not frozen."""
    calls = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append(gc.isenabled()))
    return calls


def test_the_collector_rests_while_a_library_comes(frozen):
    with without_collector("a_library_that_is_not_there"):
        assert not gc.isenabled()
    assert gc.isenabled()
    assert frozen == [False]


def test_the_collector_comes_back_after_a_fault(frozen):
    with pytest.raises(ModuleNotFoundError), without_collector("a_library_that_is_not_there"):
        import a_library_that_is_not_there  # noqa: F401
    assert gc.isenabled()


def test_a_library_that_is_there_changes_nothing(frozen):
    with without_collector("sys"):
        assert gc.isenabled()
    assert frozen == []


def test_who_has_no_collector_gets_none(frozen):
    gc.disable()
    try:
        with without_collector("a_library_that_is_not_there"):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert frozen == []


def test_a_wandb_that_cannot_be_imported_is_left_to_the_tracker(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    import_wandb_first("wandb")
    import_wandb_first("none")
