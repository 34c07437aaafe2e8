"""Records of before a metric or a setting was renamed: they are found under the present names."""

import gzip
import json

import pytest

from poolab.records import RunFolder, current_metric, gather, read_record, with_current_names

OLD = {
    "schema_version": 1,
    "signature": "0123456789ab",
    "status": "completed",
    "started": "2026-01-01T10:00:00+00:00",
    "config": {
        "seed": 0,
        "pooling": {"name": "max"},
        "measure": {"name": "full", "footprints": False, "footprint_images": 8, "images": None},
    },
    "metrics": {
        "footprint/layer1.0.pool/kept_share": 0.25,
        "footprint/layer1.0.pool/entropy": None,
        "seconds/footprint": 1.5,
        "test/accuracy": 0.5,
    },
    "notes": {"footprint": "not measured"},
}
METRICS = {
    "gradient_support/layer1.0.pool/input_coverage": 0.25,
    "gradient_support/layer1.0.pool/entropy": None,
    "seconds/gradient_support": 1.5,
    "test/accuracy": 0.5,
}
MEASURE = {"name": "full", "gradient_support": False, "gradient_support_images": 8, "images": None}


def check(record):
    assert record["metrics"] == METRICS
    assert record["config"]["measure"] == MEASURE
    assert record["notes"] == {"gradient_support": "not measured"}


def test_a_record_of_a_run_folder(tmp_path):
    folder = RunFolder(tmp_path, "0123456789ab").make()
    (folder / "result.json").write_text(json.dumps(OLD))
    check(read_record(folder / "result.json"))
    (record,) = gather(tmp_path).records
    check(record)


def test_a_record_of_a_saved_file(tmp_path):
    path = tmp_path / "records.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(OLD).encode()))
    (record,) = gather(path).records
    check(record)


@pytest.mark.parametrize("part", [{}, {"metrics": None, "config": []}, {"config": {"measure": None}}])
def test_a_part_that_is_missing_or_no_mapping_stays_as_it_is(part):
    assert with_current_names(part) == part


def test_a_present_name_wins_over_the_old_one_and_the_given_record_is_not_changed():
    given = {"config": {"measure": {"footprints": False, "gradient_support": True}}, "metrics": dict(OLD["metrics"])}
    found = with_current_names(given)
    assert found["config"] == {"measure": {"gradient_support": True}}
    assert given["metrics"] == OLD["metrics"]


@pytest.mark.parametrize("name", ["footprints", "footprint/pool1", "x/footprint/pool1/entropy", "seconds/footprint/1"])
def test_a_name_that_only_resembles_an_old_one_stays(name):
    assert current_metric(name) == name
