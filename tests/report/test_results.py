"""results.json: its schema, and that its numbers are those of the comparison."""

import json

import pytest
from jsonschema import Draft202012Validator

from poolab.report.results import results
from tests.report.made import answer, drawn, record, study

MEANS = {"max": 0.8, "avg": 0.75, "lp": 0.82}


def several_settings():
    return [one for number, data in enumerate("abcde") for one in study(drawn(MEANS, 5, seed=number), data__name=data)]


STUDIES = {
    "plain": lambda: study(drawn(MEANS, 6)),
    "few seeds": lambda: study(drawn(MEANS, 3)),
    "one seed": lambda: study(drawn(MEANS, 1)),
    "one arm": lambda: study({"max": [0.5, 0.6]}),
    "no variance": lambda: study({"max": [0.5] * 3, "avg": [0.5] * 3}),
    "several settings": several_settings,
    "without the baseline": lambda: [*study({"avg": [0.5, 0.6], "lp": [0.5, 0.7]}, data__name="x"), record("max")],
    "ended badly": lambda: [*study(drawn(MEANS, 4)), record("avg", 4, status="diverged"),
                            record("lp", 4, status="failed"), record("max", 4, status="interrupted")],
    "null scores": lambda: study({"max": [0.5, 0.6, 0.7], "avg": [0.4, None, "nan"]}),
    "odd names": lambda: study(drawn({"max": 0.8, "<script>": 0.7, "a\ud800": 0.7, "\x1b[2J": 0.6}, 3)),
    "costs": lambda: study(drawn(MEANS, 4), metrics={"cost/parameters": 100.0}),
}  # fmt: skip


@pytest.fixture(scope="module")
def schema(pytestconfig):
    content = json.loads((pytestconfig.rootpath / "docs" / "report_schema.json").read_text())
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


@pytest.mark.parametrize("name", STUDIES)
def test_it_fits_its_schema(name, schema):
    analysis = answer(STUDIES[name]())
    text = json.dumps(results(analysis), allow_nan=False)
    text.encode("utf-8")
    found = [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in schema.iter_errors(json.loads(text))]
    assert found == []


def test_the_schema_refuses_what_it_does_not_know(schema):
    told = json.loads(json.dumps(results(answer(STUDIES["plain"]()))))
    told["settings"][0]["arms"][1]["verdict"] = "best"
    told["more"] = 1
    del told["margin"]
    assert len(list(schema.iter_errors(told))) == 3


def test_its_numbers_are_those_of_the_comparison_in_the_metrics_own_unit():
    analysis = answer(STUDIES["plain"](), margin=0.01)
    told = results(analysis)
    assert (told["schema"], told["baseline"], told["margin"], told["confidence"]) == (1, "max", 0.01, 0.95)
    (table,) = analysis.tables
    for arm, row in zip(told["settings"][0]["arms"], table.rows, strict=True):
        assert (arm["arm"], arm["n"], arm["mean"]) == (row.label, row.compared.n, row.compared.mean)
        if not row.is_baseline:
            assert arm["difference"] == row.compared.difference
            assert arm["interval"] == list(row.compared.interval)
            assert arm["p_adjusted"] == row.compared.p_adjusted
            assert arm["verdict"] == str(row.compared.verdict)
    assert abs(told["settings"][0]["arms"][1]["difference"]) < 1


def test_what_is_left_out_is_counted_and_named():
    told = results(answer(STUDIES["ended badly"]()))
    arms = {arm["arm"]: arm for arm in told["settings"][0]["arms"]}
    assert (arms["avg"]["diverged"], arms["lp"]["failed"], arms["max"]["stopped"]) == (1, 1, 1)
    assert sorted((one["arm"], one["reason"].split(":")[0]) for one in told["left_out"]) == [
        ("avg", "diverged"), ("lp", "failed"), ("max", "interrupted")]  # fmt: skip


def test_all_settings_and_their_average_are_there():
    told = results(answer(several_settings()))
    assert len(told["settings"]) == 5
    assert {arm["arm"]: arm["settings"] for arm in told["overall"]} == {"avg": 5, "lp": 5}
    assert all(arm["prediction"][0] <= arm["interval"][0] for arm in told["overall"])


def test_the_committed_examples_fit_the_schema(schema, pytestconfig):
    found = sorted((pytestconfig.rootpath / "docs" / "examples").glob("*/results.json"))
    assert len(found) == 2
    for path in found:
        assert [fault.message for fault in schema.iter_errors(json.loads(path.read_text()))] == []
        assert "/tmp/" not in (path.parent / "index.html").read_text()
