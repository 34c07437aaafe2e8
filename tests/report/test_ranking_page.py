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
    assert ranking.claim(folder) in (folder / "README.md").read_text()


@pytest.mark.parametrize("page", ["docs/ranking/README.md", "docs/claims.md", "README.md"])
def test_every_quoted_sentence_stands_in_a_report(page, pytestconfig):
    root = pytestconfig.rootpath
    told = "\n".join((root / "docs" / "ranking" / name / "report.md").read_text() for name in STUDIES)
    text = " ".join((root / page).read_text().split())
    quoted = re.findall(r"(?:avg|avg_topk k=\d) is (?:better|worse|undecided|equivalent)[^<]*?seeds?\)", text)
    assert quoted
    assert [sentence for sentence in quoted if sentence.replace(" > ", " ") not in told] == []
