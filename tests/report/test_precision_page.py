"""docs/fast.md: the table of the study of precision comes out of its records."""

import re

import numpy as np
import pytest
from scipy import stats

from poolab.study.record_file import read_records

SEEDS = range(10)


@pytest.fixture(scope="module")
def accuracies(pytestconfig):
    """Test accuracy in points by precision, pooling and seed."""
    records = read_records(pytestconfig.rootpath / "benchmarks" / "precision.jsonl.gz")
    found = {
        (record.config["trainer"]["precision"], record.config["pooling"]["name"], record.config["seed"]):
        100 * record.metrics["test/accuracy"]
        for record in records
    }  # fmt: skip
    assert len(records) == len(found) == 80
    assert {record.metrics["test/samples"] for record in records} == {10_000}
    return found


@pytest.mark.parametrize("pooling", ["max", "avg_topk", "softpool", "avg"])
def test_the_table_is_that_of_the_records(pooling, accuracies, pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "fast.md").read_text()
    (row,) = re.findall(rf"^\| {pooling} \|.*$", text.partition("## Does bfloat16 move")[2], re.MULTILINE)
    own, base = (
        {kind: np.array([accuracies[kind, name, seed] for seed in SEEDS]) for kind in ("32-true", "bf16-mixed")}
        for name in (pooling, "max")
    )
    for kind in own:
        assert f" {own[kind].mean():.2f} |" in row
    if pooling == "max":
        return
    differences = {kind: own[kind] - base[kind] for kind in own}
    assert [f"{each.mean():+.2f} (" in row for each in differences.values()] == [True, True]
    moved = differences["bf16-mixed"] - differences["32-true"]
    reach = stats.t.ppf(1 - 0.05 / 6, len(SEEDS) - 1) * moved.std(ddof=1) / len(SEEDS) ** 0.5
    assert row.endswith(f"| {moved.mean():+.2f} ({moved.mean() - reach:+.2f} to {moved.mean() + reach:+.2f}) |")


def test_what_single_runs_move_is_that_of_the_records(accuracies, pytestconfig):
    text = " ".join((pytestconfig.rootpath / "docs" / "fast.md").read_text().split())
    moved = {
        pooling: np.array(
            [accuracies["bf16-mixed", pooling, seed] - accuracies["32-true", pooling, seed] for seed in SEEDS]
        )
        for pooling in ("max", "avg_topk", "softpool", "avg")
    }
    largest = max(abs(each).max() for each in moved.values())
    means = [each.mean() for each in moved.values()]
    assert f"single runs up to {largest:.1f} points more or less in bf16-mixed" in text
    assert f"(mean over ten seeds: {min(means):+.2f} to {max(means):+.2f})" in text
