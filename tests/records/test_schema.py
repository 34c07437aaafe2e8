import math

import pytest

from poolab.records import FINISHED, HEADLINES, SCHEMA_VERSION, STATUSES, result_record
from poolab.records.schema import finite


@pytest.fixture
def record():
    settings = {"signature": "0123456789ab", "status": "completed", "config": {"seed": 0}, "metrics": {}}
    settings |= {"environment": {}, "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:01+00:00"}
    return lambda **changes: result_record(**{**settings, **changes})


def test_the_keys_of_the_contract(record):
    assert set(record().to_json()) == {
        *("schema_version", "signature", "status", "reason", "seed", "config"),
        *("metrics", "notes", "environment", "started", "ended"),
    }
    assert record().schema_version == SCHEMA_VERSION
    assert record(config={"seed": 7}).seed == 7


def test_figures_that_are_not_finite_are_null_and_the_names_are_sorted(record):
    figures = {"test/loss": math.nan, "cost/parameters": 3, "speed/x": math.inf}
    assert record(metrics=figures).metrics == {"cost/parameters": 3, "speed/x": None, "test/loss": None}
    assert list(record(metrics=figures).metrics) == sorted(figures)


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "completed"])
def test_an_incomplete_run_says_why(record, status):
    with pytest.raises(ValueError, match="needs its reason"):
        record(status=status)
    assert record(status=status, reason="because").reason == "because"


def test_an_unknown_status(record):
    with pytest.raises(ValueError, match=r"completed, diverged, failed, interrupted.*'done'"):
        record(status="done")


def test_the_record_has_what_it_is_given(record):
    given = {
        "status": "diverged",
        "config": {"seed": 3},
        "metrics": {"a": 1},
        "environment": {"device": "cpu"},
        "notes": {"a": "of what"},
        "reason": "the loss is nan",
    }
    found = record(**given)
    assert {name: getattr(found, name) for name in given} == given
    assert (found.seed, found.signature) == (3, "0123456789ab")


def test_the_figure_of_each_task_and_what_is_finished():
    assert HEADLINES == {"classification": "accuracy", "segmentation": "mean_iou"}
    assert FINISHED == ("completed", "diverged")
    assert STATUSES == ("completed", "diverged", "failed", "interrupted")
    assert [finite(value) for value in (0.0, -math.inf, math.nan, 3)] == [0.0, None, None, 3]
