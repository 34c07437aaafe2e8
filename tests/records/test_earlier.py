"""What the code of before records had a type has written is read to the same figures: folder, journal, saved file."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from poolab.records import SCHEMA_VERSION, gather, scan_results
from poolab.records.table import arms
from poolab.records.table_page import markdown
from poolab.report import analyse, csv_tables
from poolab.report import gather as evidence_of
from poolab.report.results import results
from poolab.study import read_study
from poolab.study.evidence import study_evidence
from poolab.study.record_file import save_records
from poolab.study.runner.attempts import last_attempts
from poolab.study.status import status

EARLIER = Path(__file__).parent / "earlier"
FULL, DIVERGED = "0943128344ac", "2d00a35d1387"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def study():
    return read_study(EARLIER / "earlier.yaml")


NEW = {"stopping", "ranked_by", "validation_mean", "seeds_for_half"}  # what results.json says since then


def alike(found, expected):
    """Compare trees; numbers may differ by the last digits of other versions of numpy and scipy."""
    if isinstance(expected, dict):
        assert found.keys() - NEW == expected.keys()
        for key, value in expected.items():
            alike(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            alike(one, other)
    else:
        assert found == (pytest.approx(expected) if isinstance(expected, float) else expected)


def rows_of(page):
    """Rows of a Markdown table: the figures behind an arm's name, and the words of the name in any order."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()[2:]]
    return [(sorted(name.split()), figures) for name, *figures in cells]


def test_the_table_of_the_folder():
    assert rows_of(markdown(arms(EARLIER / "folder"))) == rows_of((EARLIER / "table.md").read_text())


def test_the_report_of_the_saved_file():
    records, faults = gather(EARLIER / "saved.jsonl.gz")
    found = json.loads(json.dumps(results(analyse(evidence_of(records, faults=faults)))))
    alike(found, json.loads((EARLIER / "results.json").read_text()))


@pytest.mark.parametrize("place", ["folder", "saved.jsonl.gz"])
def test_the_table_of_the_study(study, place):
    evidence, own = study_evidence(study, EARLIER / place)
    assert len(own) == 6
    found = list(csv.DictReader(io.StringIO(csv_tables(analyse(evidence)))))
    expected = list(csv.DictReader(io.StringIO((EARLIER / "study_table.csv").read_text())))
    if place == "folder":  # only the saved file has the outcomes of single test images, which this column needs
        for row in expected:
            del row["images"]
    alike([numbers(row) for row in found], [numbers(row) for row in expected])


def numbers(row):
    def number(text):
        try:
            return float(text)
        except ValueError:
            return text

    return {name: number(text) for name, text in row.items()}


def test_the_saved_file_has_the_records_of_the_folder():
    saved, _ = gather(EARLIER / "saved.jsonl.gz")
    found, faults = scan_results(EARLIER / "folder")
    assert (len(saved), len(found), faults) == (6, 8, [])
    by_name = {record.signature: record for record in found}
    for record in saved:
        own = by_name[record.signature]
        assert (record.metrics, record.notes, record.seed) == (own.metrics, own.notes, own.seed)
        assert (record.started, record.ended, record.environment) == (own.started, own.ended, own.environment)
        assert record.history.keys() >= {"val/accuracy", "train/loss"}
        assert record.test_correct["n"] == record.metrics["test/samples"] == 100


def test_saved_again_the_file_is_the_same_but_for_its_version(tmp_path):
    save_records(gather(EARLIER / "saved.jsonl.gz").records, tmp_path / "again.jsonl.gz")
    again, earlier = (gather(path).records for path in (tmp_path / "again.jsonl.gz", EARLIER / "saved.jsonl.gz"))
    assert again == earlier
    assert {record.schema_version for record in earlier} == {SCHEMA_VERSION}


def test_the_journal_and_the_state_of_the_study(study, tmp_path):
    folder = tmp_path / "runs"
    shutil.copytree(EARLIER / "folder", folder)
    attempts = last_attempts(study, folder)
    states = status(study, folder)
    assert [one.state for one in states] == ["completed"] * 6
    assert {attempt.outcome for attempt in attempts.values()} == {"completed"}
    assert attempts.keys() == {path.name for path in folder.glob("[0-9a-f]*")} - {FULL, DIVERGED}


def test_a_run_that_diverged_and_one_that_was_measured_in_full():
    found = {record.signature: record for record in scan_results(EARLIER / "folder")[0]}
    diverged, full = found[DIVERGED], found[FULL]
    assert (diverged.status, diverged.finished, diverged.completed) == ("diverged", True, False)
    assert diverged.reason.startswith("the training loss became ")
    assert diverged.value("speed/train_images_per_s") is None
    assert full.value("calibration/ece") == pytest.approx(0.06515820324420929)
    assert full.value("test/accuracy") == pytest.approx(0.21)
    assert full.value("gradient_support/pool1/input_coverage") == 0.25  # it was footprint/pool1/kept_share
    assert full.config["measure"]["gradient_support"] is True
    assert not any("footprint" in name for name in (*full.metrics, *full.notes, *full.settings))
