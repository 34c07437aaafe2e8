"""The committed study: the numbers of benchmarks/pooling_cifar10.md come out of its records by a command."""

import json
import re

import pytest

from poolab.report.arm_sentences import sentences_of
from poolab.report.gathering import gather
from poolab.report.results import results
from poolab.report.tables import as_markdown
from poolab.report.verdict import verdict
from poolab.study.commands.report_verb import analysis_of, read_sources


@pytest.fixture(scope="module")
def analysis(pytestconfig):
    given = read_sources([str(pytestconfig.rootpath / "benchmarks" / "pooling_cifar10.jsonl.gz")])
    ((_, records),) = given.sources
    assert (len(records), given.errors) == (104, [])
    return analysis_of([], gather(records))


@pytest.fixture(scope="module")
def page(pytestconfig):
    text = (pytestconfig.rootpath / "benchmarks" / "pooling_cifar10.md").read_text()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_means_and_single_intervals(analysis, page):
    checked = 0
    for table, arms in zip(analysis.tables, (page[:12], page[-10:]), strict=True):
        rows = {row.label: row for row in table.rows}
        for cells in arms:
            if cells[0] not in rows:
                continue
            compared = rows[cells[0]].compared
            assert (str(compared.n), f"{compared.mean:.4f}") == (cells[1], cells[2])
            if not rows[cells[0]].is_baseline:
                low, high = compared.interval_single
                assert (f"{compared.difference:+.4f}", f"{low:+.4f} {high:+.4f}") == (cells[3], cells[4])
                checked += 1
    assert checked == 18


def test_p_values_with_holms_correction(analysis, page):
    rows = {row.label: row.compared for row in analysis.tables[0].rows}
    tests = [cells for cells in page if len(cells) == 5 and cells[0] in rows]
    assert len(tests) == 9
    for name, _, above, p, adjusted in tests:
        assert rows[name].p == pytest.approx(float(p), rel=0.05)
        assert rows[name].p_adjusted == pytest.approx(float(adjusted), rel=0.05)
        assert rows[name].p_adjusted < 0.05
        assert int(above) == (1 if name == "mixed" else 0)


def test_mixed_is_undecided_and_the_page_says_what_the_report_says(analysis, pytestconfig):
    (table, _) = analysis.tables
    verdicts = {row.label: str(row.compared.verdict) for row in table.others}
    assert verdicts.pop("mixed") == "undecided"
    assert set(verdicts.values()) == {"worse"}
    text = " ".join((pytestconfig.rootpath / "benchmarks" / "pooling_cifar10.md").read_text().split())
    sentences = {row.label: str(one) for row, one in zip(table.others, sentences_of(analysis, table), strict=False)}
    joint = re.search(r"interval (\S+ to [+-][\d.]+)", sentences["mixed"])[1]
    assert f"its interval together with the others is {joint}" in text
    needed = re.search(r"about (\d+) seeds would show that mixed is worse", sentences["mixed"])[1]
    assert f"about {needed} seeds would show that it is worse" in text
    for name in ("avg_topk k=2", "avg_topk k=3"):
        joint = re.search(r"interval (\S+ to [+-][\d.]+)", sentences[name])[1]
        assert joint in text


def test_the_claims_page_has_the_numbers_of_the_records(analysis, pytestconfig):
    text = " ".join((pytestconfig.rootpath / "docs" / "claims.md").read_text().split())
    rows = {row.label: row.compared for row in analysis.tables[0].rows}
    metric = analysis.metric
    assert f"stochastic pooling was {metric.size(-rows['stochastic'].difference)} worse" in text
    assert f"`softpool` is {metric.size(-rows['softpool'].difference)} worse" in text
    strided, mixed = rows["strided_conv"], rows["mixed"]
    assert (
        f"{metric.size(-strided.difference)} worse than max ({metric.interval(strided.interval)}, eight seeds)" in text
    )
    assert f"simultaneous interval {metric.interval(mixed.interval)}, eight seeds" in text
    assert f"{metric.signed(mixed.difference)} points to max" in text


@pytest.mark.parametrize("name", ["pooling_cifar10", "pooling_small"])
def test_the_examples_are_what_their_command_writes_today(name, pytestconfig):
    """The command: poolab report benchmarks/NAME.jsonl.gz --out docs/examples/NAME --formats svg.

    Other processors round otherwise, hence the tolerance.
    """
    root = pytestconfig.rootpath
    ((_, records),) = read_sources([str(root / "benchmarks" / f"{name}.jsonl.gz")]).sources
    made = analysis_of([], gather(records))
    committed = root / "docs" / "examples" / name
    told = json.loads((committed / "results.json").read_text())
    assert_alike(results(made), told)
    sentences = (committed / "report.md").read_text()
    for sentence in [*verdict(made), *(one for table in made.tables for one in sentences_of(made, table))]:
        assert as_markdown(str(sentence)) in sentences


def assert_alike(made, told):
    if isinstance(told, dict):
        assert made.keys() == told.keys()
        for key in told:
            assert_alike(made[key], told[key])
    elif isinstance(told, list | tuple):
        assert len(made) == len(told)
        for one, other in zip(made, told, strict=True):
            assert_alike(one, other)
    else:
        assert made == (pytest.approx(told, rel=1e-3, abs=1e-6) if isinstance(told, float) else told)
