"""docs/ranking: its reports come out of the committed records, and its pages say what the reports say."""

import json
import re

import pytest

from poolab.cli import main
from tests.report.test_committed import assert_alike
from tests.study.test_ranking_script import ranking  # noqa: F401, a fixture

STUDIES = {"2x2": ("keras_2x2_lr_0.003", "lenet_2x2_lr_0.003", "digits"), "3x3": ("keras_3x3_lr_0.003",)}


@pytest.fixture(scope="module")
def reports(pytestconfig, tmp_path_factory):
    """What the commands of docs/ranking/README.md write today."""
    root, out = pytestconfig.rootpath, tmp_path_factory.mktemp("reports")
    for name, studies in STUDIES.items():
        files = [str(root / "sweeps" / "ranking" / f"{study}.yaml") for study in studies]
        records = str(root / "benchmarks" / "ranking.jsonl.gz")
        assert main(["report", *files, "--runs", records, "--out", str(out / name), "--formats", "svg"]) == 0
    return out


@pytest.mark.parametrize("name", STUDIES)
def test_the_reports_are_what_their_commands_write_today(name, reports, pytestconfig):
    committed = pytestconfig.rootpath / "docs" / "ranking" / name
    made, told = (json.loads((folder / name / "results.json").read_text()) for folder in (reports, committed.parent))
    assert_alike(made, told)
    before, _, _ = (committed / "report.md").read_text().partition("## Provenance")
    now, _, _ = (reports / name / "report.md").read_text().partition("## Provenance")
    assert re.sub(r"\d+\.\d+", "", now) == re.sub(r"\d+\.\d+", "", before)


def test_the_claim_is_tested_as_declared(ranking, pytestconfig):  # noqa: F811
    folder = pytestconfig.rootpath / "docs" / "ranking"
    table = ranking.claim(folder)
    assert table in (folder / "README.md").read_text()
    assert table.count("| yes |") == 6, "the pages say that the claim is excluded in every setting"
    assert "| no |" not in table
    with pytest.raises(SystemExit, match="has no report in a folder of it"):
        ranking.claim(folder / "2x2")


def test_the_table_of_robustness_comes_out_of_its_records(ranking, pytestconfig, tmp_path):  # noqa: F811
    root = pytestconfig.rootpath
    table = ranking.robustness(root / "benchmarks")
    assert table in (root / "docs" / "ranking" / "README.md").read_text()
    assert table.count("| better |") == 4, "the page names four"
    assert "| worse |" not in table
    with pytest.raises(SystemExit, match="ranking_robustness_2x2"):
        ranking.robustness(tmp_path)


def test_the_page_to_choose_by_has_the_numbers_of_the_report(pytestconfig):
    docs = pytestconfig.rootpath / "docs"
    text = " ".join((docs / "choose.md").read_text().split())
    settings = json.loads((docs / "ranking" / "2x2" / "results.json").read_text())["settings"]
    for label in ("image_folder, keras_cnn", "image_folder, lenet"):
        (arms,) = (setting["arms"] for setting in settings if setting["label"] == label)
        (avg,) = (arm for arm in arms if arm["arm"] == "avg")
        difference, low, high = (f"{100 * value:+.2f}" for value in (avg["difference"], *avg["interval"]))
        assert re.search(rf"{re.escape(difference)} (?:points )?\({re.escape(f'{low} to {high}')}", text)


@pytest.mark.parametrize("page", ["docs/ranking/README.md", "docs/claims.md", "README.md"])
def test_every_quoted_sentence_stands_in_a_report(page, pytestconfig):
    root = pytestconfig.rootpath
    told = "\n".join((root / "docs" / "ranking" / name / "report.md").read_text() for name in STUDIES)
    text = " ".join((root / page).read_text().split())
    quoted = re.findall(r"(?:avg|avg_topk k=\d) is (?:better|worse|undecided|equivalent)[^<]*?seeds?\)", text)
    assert quoted
    assert [sentence for sentence in quoted if sentence.replace(" > ", " ") not in told] == []
