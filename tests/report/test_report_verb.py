"""`poolab report` from the command line: studies, folders, files, two versions beside each other."""

import json
import subprocess
import sys

import pytest

from poolab.cli import main
from poolab.errors import ConfigError
from poolab.records import RunFolder
from poolab.study.commands.report_verb import formats_of, read_sources, report
from poolab.study.evidence import study_evidence
from poolab.study.sweep.composition import Composer
from poolab.study.sweep.report_keys import answer_errors
from poolab.study.sweep.sweep_file import read_study
from poolab.training import with_automatic
from tests.report.made import drawn, record, saved, study

STUDY = """
program: train.py
method: grid
command: ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]
parameters:
  pooling: {values: [max, avg]}
  seed: {values: [0, 1, 2, 3]}
"""


@pytest.fixture(autouse=True)
def _svg_alone(monkeypatch):
    """The other formats are made elsewhere, and take their time."""
    monkeypatch.setattr("poolab.report.write.FORMATS", ("svg",))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def records():
    return study(drawn({"max": 0.80, "avg": 0.75, "lp": 0.80}, 6))


@pytest.fixture
def study_folder(tmp_path):
    """A study of eight cells, of which seven have a record in a folder of runs."""
    (tmp_path / "s.yaml").write_text(STUDY)
    from poolab.study import grid_cells

    composer = Composer()
    scores = drawn({"max": 0.8, "avg": 0.7}, 4)
    for cell in list(grid_cells(read_study(tmp_path / "s.yaml")))[:7]:
        config = with_automatic(composer(cell))
        name, seed = config["pooling"]["name"], config["seed"]
        one = {**record(name, seed, scores[name][seed]), "config": config}
        one["signature"] = f"{name}{seed}".ljust(12, "0")
        RunFolder(tmp_path / "runs", one["signature"]).make().write_json("result.json", one)
    return tmp_path


def told(folder):
    return json.loads((folder / "results.json").read_text())


def test_a_file_of_records(records, tmp_path, capsys):
    assert main(["report", str(saved(records, tmp_path / "r.jsonl")), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "digits, keras_cnn: test accuracy, baseline max, differences in points" in text
    assert f"report: {tmp_path}/out/index.html" in text.replace("\n", "")
    assert told(tmp_path / "out")["baseline"] == "max"
    assert {path.suffix for path in (tmp_path / "out" / "figures").iterdir()} == {".svg"}


def test_a_study_with_its_folder_names_what_is_missing(study_folder, capsys, monkeypatch):
    monkeypatch.chdir(study_folder)
    assert main(["report", "s.yaml", "--out", "out"]) == 0
    text = capsys.readouterr().out
    assert "not in the report: digits, keras_cnn, avg: no run of seed 3" in text
    arms = {arm["arm"]: arm for arm in told(study_folder / "out")["settings"][0]["arms"]}
    assert (arms["max"]["n"], arms["avg"]["n"], arms["avg"]["missing"]) == (4, 3, 1)


def test_records_of_other_cells_are_no_part_of_a_study(study_folder, records):
    saved(records, study_folder / "others.jsonl")
    given = read_sources([str(study_folder / name) for name in ("s.yaml", "others.jsonl", "runs")])
    assert [len(records) for _, records in given.sources] == [0, 7]
    narrow = read_sources([str(study_folder / "s.yaml"), "seed=0"], str(study_folder / "runs"))
    assert [len(records) for _, records in narrow.sources] == [2]


def test_several_studies_are_joined(study_folder):
    (study_folder / "t.yaml").write_text(STUDY.replace("[max, avg]", "[max, lp]"))
    given = read_sources([str(study_folder / "s.yaml"), str(study_folder / "t.yaml")], str(study_folder / "runs"))
    assert [len(records) for _, records in given.sources] == [7]
    assert len({str(config) for config in given.cells.expected}) == 12
    assert given.title == "s, t"


def test_a_search_is_one_table_of_its_own(study_folder, capsys):
    (study_folder / "b.yaml").write_text(STUDY.replace("grid", "bayes") + "metric: {name: val/accuracy}\n")
    words = [str(study_folder / "b.yaml"), "--runs", str(study_folder / "runs"), "--out", str(study_folder / "out")]
    assert report(words) == 0
    assert "drawn by a search" in " ".join(capsys.readouterr().out.split())
    assert told(study_folder / "out")["searched"] is True


def test_margin_metric_and_baseline(records, tmp_path):
    for one in records:
        one["metrics"]["test/loss"] = 1 - one["metrics"]["test/accuracy"]
    file = str(saved(records, tmp_path / "r.jsonl"))
    report([file, "--margin", "2", "--baseline", "lp", "--out", str(tmp_path / "a")])
    assert (told(tmp_path / "a")["margin"], told(tmp_path / "a")["baseline"]) == (0.02, "lp")
    report([file, "--metric", "test/loss", "--margin", "0.02", "--out", str(tmp_path / "b")])
    assert (told(tmp_path / "b")["margin"], told(tmp_path / "b")["metric"]) == (0.02, "test/loss")
    report([file, "--metric", "test/loss", "--out", str(tmp_path / "c")])
    assert told(tmp_path / "c")["margin"] is None
    assert "equivalent" not in {arm["verdict"] for arm in told(tmp_path / "c")["settings"][0]["arms"]}


def test_a_study_declares_margin_and_looks_beside_its_file(study_folder):
    words = [str(study_folder / "s.yaml"), "--runs", str(study_folder / "runs"), "--out", str(study_folder / "out")]
    (study_folder / "s.report.yaml").write_text("margin: 1.5\nlooks: [2, 4]\n")
    report(words)
    found = told(study_folder / "out")
    assert (found["margin"], found["settings"][0]["method"], found["settings"][0]["looks"]) == (0.015, "look", [2, 4])
    assert found["settings"][0]["family_confidence"] == pytest.approx(0.975)
    report([*words, "--margin", "3"])  # what is typed counts more
    assert told(study_folder / "out")["margin"] == 0.03
    (study_folder / "s.report.yaml").write_text("looks: []\n")
    report(words)
    assert told(study_folder / "out")["settings"][0]["method"] == "e_process"


def test_what_was_tuned_is_declared_beside_the_study_or_typed(study_folder):
    words = [str(study_folder / "s.yaml"), "--runs", str(study_folder / "runs"), "--out", str(study_folder / "out")]

    def tuned():
        return [
            set(arm["settings"]) & {"optim.lr", "trainer.epochs"}
            for arm in told(study_folder / "out")["settings"][0]["arms"]
        ]

    report(words)
    assert tuned() == [set(), set()]
    (study_folder / "s.report.yaml").write_text("tuned: [optim.lr]\n")
    report(words)
    assert tuned() == [{"optim.lr"}, {"optim.lr"}]
    assert "Tuned for each arm: optim.lr" in (study_folder / "out" / "methods.txt").read_text()
    study = read_study(study_folder / "s.yaml")
    assert study_evidence(study, study_folder / "runs")[0].tuned == ("optim.lr",)
    report([*words, "--tuned", "trainer.epochs", "--tuned", "optim.lr"])  # what is typed counts more
    assert tuned() == [{"optim.lr", "trainer.epochs"}] * 2
    with pytest.raises(ConfigError, match=r"tuned optim.rl: no run has this setting; did you mean optim.lr"):
        report([*words, "--tuned", "optim.rl"])


@pytest.mark.parametrize(("content", "said"), [
    ("margin: 0", "margin must be a number above 0"),
    ("margin: much", "margin must be a number above 0"),
    ("margin: .nan", "margin must be a number above 0"),
    ("margin: true", "margin must be a number above 0"),
    ("looks: [5, 3]", "looks must be a list of ascending numbers"),
    ("looks: [1, 3]", "looks must be a list of ascending numbers"),
    ("looks: 5", "looks must be a list of ascending numbers"),
    ("looks: [2.5]", "looks must be a list of ascending numbers"),
    ("tuned: optim.lr", "tuned must be a list of settings"),
    ("tuned: [1]", "tuned must be a list of settings"),
    ("margins: 1", "did you mean margin"),
    ("- margin", "must be a mapping"),
    ("margin: [", "cannot be read"),
])  # fmt: skip
def test_what_is_wrong_beside_a_study_is_one_of_its_faults(study_folder, content, said):
    (study_folder / "s.report.yaml").write_text(content)
    with pytest.raises(ConfigError, match="is not a valid study") as fault:
        read_study(study_folder / "s.yaml")
    assert said in str(fault.value)


def test_a_margin_in_the_study_itself_says_where_it_belongs(study_folder):
    (study_folder / "s.yaml").write_text(STUDY + "margin: 1\n")
    with pytest.raises(ConfigError, match=r"write it into NAME\.report\.yaml beside it"):
        read_study(study_folder / "s.yaml")
    assert list(answer_errors({"margin": 0.5, "looks": [3, 5]})) == []


def test_two_versions_beside_each_other(tmp_path, capsys):
    old = study(drawn({"max": 0.8, "avg": 0.7}, 6))
    new = study(drawn({"max": 0.8, "avg": 0.75}, 6), commit="def", data__batch_size=32)
    words = [str(saved(old, tmp_path / "old.jsonl")), str(saved(new, tmp_path / "new.jsonl"))]
    assert main(["report", *words, "--versus", "--out", str(tmp_path / "out")]) == 0
    settings = {one["label"]: one["arms"] for one in told(tmp_path / "out")["settings"]}
    assert set(settings) == {"digits, keras_cnn: max", "digits, keras_cnn: avg"}
    (base, other) = settings["digits, keras_cnn: avg"]
    assert (base["arm"].endswith("old.jsonl"), other["arm"].endswith("new.jsonl")) == (True, True)
    assert other["difference"] == pytest.approx(0.05)
    assert main(["report", words[0], "--versus", "--out", str(tmp_path / "out")]) == 2
    assert "--versus compares two sources of records, found 1" in capsys.readouterr().err
    assert main(["report", words[0], words[0], "--versus", "--out", str(tmp_path / "out")]) == 2
    assert "compares two sources" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [
    (["missing.jsonl"], "missing.jsonl does not exist"),
    (["seed=1"], "seed=1 is a setting of a study's cells, and no study file is named"),
    (["r.jsonl", "--baseline", "mx"], "did you mean max"),
    (["r.jsonl", "--metric", "test/acuracy"], "did you mean test/accuracy"),
    (["r.jsonl", "--margin", "-1"], "margin -1: give a number above 0, in points"),
    (["r.jsonl", "--margin", "nan"], "margin nan: give a number above 0"),
    (["r.jsonl", "--formats", "gif"], "the formats are svg"),
    (["none.jsonl"], "is not a file of records"),
    (["empty"], "there are no records in"),
    (["s.yaml"], "there are no records of the study in"),
])  # fmt: skip
def test_what_is_wrong_is_one_sentence(words, said, records, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved(records, tmp_path / "r.jsonl")
    (tmp_path / "none.jsonl").write_text("none\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "s.yaml").write_text(STUDY)
    assert main(["report", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "report").exists()


def test_a_damaged_line_is_named_and_the_others_are_reported(records, tmp_path, capsys):
    file = saved(records, tmp_path / "r.jsonl")
    file.write_text("{damaged\n" + file.read_text())
    report([str(file), "--out", str(tmp_path / "out")])
    assert "line 1 of" in " ".join(told(tmp_path / "out")["faults"])
    assert "not in the report: line 1 of" in capsys.readouterr().out


def test_formats():
    assert formats_of("svg,svg, svg") == ("svg",)
    with pytest.raises(ConfigError, match="the formats are"):
        formats_of("")


def test_the_commands_of_a_report_make_the_same_cells(study_folder):
    from poolab.configuration import compose
    from poolab.records import signature

    report([str(study_folder / "s.yaml"), "--runs", str(study_folder / "runs"), "--out", str(study_folder / "out")])
    page = (study_folder / "out" / "report.md").read_text()
    commands = [line.strip().removeprefix("python train.py").split() for line in page.splitlines()
                if line.startswith("    python train.py")]  # fmt: skip
    assert len(commands) == 2
    for words in commands:
        config = with_automatic(compose(words))
        wanted = with_automatic(compose([f"pooling={config['pooling']['name']}", f"seed={config['seed']}"]))
        assert signature(config, "") == signature(wanted, "")


def test_the_report_has_a_command_of_a_checkout(records, tmp_path, pytestconfig):
    file = saved(records[:6], tmp_path / "r.jsonl")
    script = pytestconfig.rootpath / "scripts" / "report.py"
    words = [str(script), str(file), "--formats", "svg", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "max is the only arm" in done.stdout
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize(("margin", "told"), [("0,3", "in points; write 0.3"), ("half", "in points, e.g. 0.5")])
def test_a_margin_that_is_no_number_is_told_in_a_sentence(margin, told, capsys):
    with pytest.raises(SystemExit):
        report(["r.jsonl", "--margin", margin])
    assert f"argument --margin: {margin} is not a number: give one above 0, {told}" in capsys.readouterr().err
