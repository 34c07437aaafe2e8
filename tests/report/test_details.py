"""What lies beside a record: its history, and which test images were right; in a folder and in a saved file."""

import json

import numpy as np
import pytest

from poolab.records import RunFolder
from poolab.report.analysis import analyse
from poolab.report.details import compact_history, correct_of, history_of, packed, read_correct, unpacked
from poolab.report.gathering import gather
from poolab.study.record_file import read_records, save_records
from tests.report.made import answer, drawn, read, study

EXAMPLES = 500


@pytest.fixture
def folder(tmp_path):
    """A folder of runs with histories and outcomes, and its records."""
    random = np.random.default_rng(0)
    records = study(drawn({"max": 0.8, "avg": 0.74}, 6))
    for one in records:
        correct = random.random(EXAMPLES) < one["metrics"]["test/accuracy"]
        one["metrics"] |= {"test/accuracy": float(correct.mean()), "test/samples": EXAMPLES}
        place = RunFolder(tmp_path / "runs", one["signature"]).make()
        place.write_json("result.json", one)
        path = tmp_path / "runs" / one["signature"]
        order = random.permutation(EXAMPLES)
        label = random.integers(0, 10, EXAMPLES)
        np.savez(path / "test_examples.npz", index=order, label=label[order],
                 predicted=np.where(correct, label, label + 1)[order])  # fmt: skip
        lines = [{"epoch": i, "val/accuracy": 0.1 * i, "train/loss": 1 / i, "seconds": 3.3} for i in (1, 2, 3)]
        (path / "history.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path / "runs", records


def of(place):
    return analyse(gather(read_records(place)))


def test_a_saved_file_reports_as_its_folder_does(folder, tmp_path):
    place, _ = folder
    save_records(read_records(place), tmp_path / "saved.jsonl.gz", place)
    here, there = of(place), of(tmp_path / "saved.jsonl.gz")
    for one, other in zip(here.tables[0].rows, there.tables[0].rows, strict=True):
        assert one.compared == other.compared
        for run, saved in zip(one.arm.runs, other.arm.runs, strict=True):
            assert history_of(run) == history_of(saved) == {"train/loss": [1.0, 0.5, 0.33333],
                                                            "val/accuracy": [0.1, 0.2, 0.3]}  # fmt: skip
            assert correct_of(run).tolist() == correct_of(saved).tolist()
            assert correct_of(run).mean() == pytest.approx(run.metrics["test/accuracy"])
    assert here.tables[0].others[0].compared.interval_new_images is not None


def test_without_the_folder_a_file_has_no_details(folder, tmp_path):
    place, records = folder
    save_records(read(records), tmp_path / "saved.jsonl")
    found = of(tmp_path / "saved.jsonl")
    assert history_of(found.evidence.runs[0]) == {}
    assert found.tables[0].others[0].compared.interval_new_images is None
    assert of(place).tables[0].others[0].compared.interval == pytest.approx(found.tables[0].others[0].compared.interval)


def test_saving_twice_keeps_the_details(folder, tmp_path):
    place, _ = folder
    save_records(read_records(place), tmp_path / "one.jsonl", place)
    save_records(read_records(tmp_path / "one.jsonl"), tmp_path / "two.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_outcomes_that_are_not_the_records_are_left_out(folder):
    place, records = folder
    other = np.zeros(EXAMPLES, dtype=int)
    for one in records[:6]:
        path = place / one["signature"] / "test_examples.npz"
        np.savez(path, index=np.arange(EXAMPLES), label=other, predicted=other)
    found = of(place).tables[0].others[0].compared
    assert found.interval_new_images is None
    assert found.interval is not None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"none"])
def test_a_damaged_file_of_outcomes_is_none(tmp_path, content):
    path = tmp_path / "test_examples.npz"
    path.write_bytes(content)
    assert read_correct(path) is None
    assert read_correct(tmp_path / "missing.npz") is None


def test_outcomes_stand_in_the_order_of_the_test_set(tmp_path):
    """Whatever order they were written in: the images of two runs are to be the same ones."""
    path = tmp_path / "test_examples.npz"
    np.savez(path, index=np.array([2, 0, 1]), label=np.array([5, 6, 7]), predicted=np.array([5, 0, 7]))
    assert read_correct(path).tolist() == [False, True, True]


def test_masks_have_no_outcomes(tmp_path):
    np.savez(tmp_path / "test_examples.npz", index=np.arange(3), iou=np.ones(3))
    assert read_correct(tmp_path / "test_examples.npz") is None


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 10_000])
def test_packing_keeps_every_bit(size):
    bits = np.random.default_rng(size).random(size) < 0.5
    told = json.loads(json.dumps(packed(bits)))
    assert unpacked(told).tolist() == bits.tolist()
    assert len(told["bits"]) <= 4 * (size // 24 + 1)


@pytest.mark.parametrize("content", [{}, {"n": 3}, {"n": 100, "bits": "oA=="}, {"n": "x", "bits": "oA=="},
                                     {"n": 3, "bits": "?"}, {"n": -1, "bits": ""}, {"n": 3, "bits": 5}])  # fmt: skip
def test_a_damaged_packing_is_none(content):
    assert unpacked(content) is None


def test_a_torn_history_ends_at_its_tear(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"val/accuracy": 0.5, "train/loss": null}\n3\n{"val/accuracy": 0.6}\n{"val/acc')
    assert compact_history(path) == {"train/loss": [None, None], "val/accuracy": [0.5, 0.6]}
    path.write_bytes(b"\xff\xfe\x00")
    assert compact_history(path) == {}


def test_no_difference_in_any_seed_is_judged_by_the_images():
    """Two arms whose scores differ by nothing: the seeds say nothing, the images do."""
    random = np.random.default_rng(1)
    records = study({"max": [0.5] * 4, "avg": [0.5] * 4})
    for one in records:
        correct = random.permutation(np.arange(400) < 200)
        one["metrics"] |= {"test/samples": 400}
        one["test_correct"] = packed(correct)
    row = answer(records).tables[0].others[0].compared
    assert (row.basis, row.verdict) == ("examples", "undecided")
    assert row.interval[0] < 0 < row.interval[1]
