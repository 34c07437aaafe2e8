"""Looks at results while seeds are added: what is counted, which rule the intervals go by, and what the report says."""

import json
import os
from dataclasses import replace

import pytest

from poolab.cli import main
from poolab.records import RunFolder, read_results
from poolab.report.analysis import analyse
from poolab.report.compared import arm_hashes, of_these_arms, records_hash, seeds_seen
from poolab.report.gathering import gather
from poolab.report.looks import Look, seen_sentence
from poolab.report.statistics import Looks
from poolab.study.commands.looks import journal_of, remember, with_looks
from poolab.study.runner.attempts import last_attempts
from poolab.study.sweep.composition import Composer
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.sweep_file import read_study
from poolab.training import with_automatic
from tests.report.made import document, drawn, evidence, read, record, study

STUDY = """
program: train.py
method: grid
command: ["${{env}}", "${{interpreter}}", "${{program}}", "${{args_no_hyphens}}"]
parameters:
  pooling: {{values: [max, avg]}}
  seed: {{values: {seeds}}}
"""


@pytest.fixture(autouse=True)
def _svg_alone(monkeypatch):
    monkeypatch.setattr("poolab.study.commands.report_verb.FORMATS", ("svg",))
    monkeypatch.setenv("COLUMNS", "80")


def grown(folder, seeds):
    """A study file that names so many seeds, with a record of each of its cells: the study."""
    (folder / "s.yaml").write_text(STUDY.format(seeds=list(range(seeds))))
    found = read_study(folder / "s.yaml")
    scores = drawn({"max": 0.8, "avg": 0.7}, 12)
    composer = Composer()
    for cell in grid_cells(found):
        config = with_automatic(composer(cell))
        name, seed = config["pooling"]["name"], config["seed"]
        one = {**record(name, seed, scores[name][seed]), "config": config}
        one["signature"] = f"{name}{seed}".ljust(12, "0")
        RunFolder(folder / "runs", one["signature"]).make().write_json("result.json", one)
    return found


def report(folder, *words):
    """The results of a report, and its first lines."""
    where = [str(folder / "s.yaml"), "--runs", str(folder / "runs"), "--out", str(folder / "out")]
    assert main(["report", *where, *words]) == 0
    return json.loads((folder / "out" / "results.json").read_text()), (folder / "out" / "report.md").read_text()


def test_looks_are_counted_and_seeds_added_after_a_whole_look_change_the_rule(tmp_path, capsys):
    grown(tmp_path, 3)
    first, page = report(tmp_path)
    assert first["stopping"] == {"rule": "fixed", "declared": None, "seen": []}
    assert "the number of seeds counts as fixed in advance" in page
    assert "shows no earlier look at these arms" in page
    assert main(["study", "table", str(tmp_path / "s.yaml"), "--runs", str(tmp_path / "runs")]) == 0
    again, page = report(tmp_path)
    assert again["stopping"] == {"rule": "fixed", "declared": None, "seen": [{"seeds": 3, "times": 2}]}
    assert "The same runs were looked at before; the study's journal shows no look at other runs" in page
    assert again["settings"][0]["method"] == first["settings"][0]["method"] == "max_t"
    grown(tmp_path, 8)
    later, page = report(tmp_path)
    assert later["stopping"] == {"rule": "added", "declared": None, "seen": [{"seeds": 3, "times": 3}]}
    assert later["settings"][0]["method"] == "e_process"
    assert "Seeds were added after a look at the whole study with 3 seeds, and no looks were declared" in page
    assert "shows 1 earlier look at these arms: 1 at 3 seeds." in page
    assert (
        "The intervals are wider because seeds were added after a look at all 3 seeds and no looks were declared; see "
        "docs/report.md."
    ) in " ".join(capsys.readouterr().out.split())
    (tmp_path / "s.report.yaml").write_text("looks: [3, 8]\n")
    declared, page = report(tmp_path)
    assert declared["stopping"]["rule"] == "declared"
    assert declared["stopping"]["seen"] == [{"seeds": 3, "times": 3}, {"seeds": 8, "times": 1}]
    assert declared["settings"][0]["method"] == "look"
    assert "Looks were declared at 3, 8 seeds, of which each uses a part of the error; this is one of them." in page
    assert "intervals are wider" not in capsys.readouterr().out


def test_the_end_of_a_study_is_a_look_too(tmp_path):
    from poolab.study.commands.verdict import report_run

    found = grown(tmp_path, 3)
    said = []
    report_run(found, tmp_path / "runs", [], said.append)
    (line,) = journal_of(found, tmp_path / "runs").read_text().splitlines()
    assert {key: json.loads(line)[key] for key in ("looked", "seeds", "planned")} == {
        "looked": "run", "seeds": 3, "planned": 3}  # fmt: skip


def test_a_look_at_other_seeds_of_the_same_number_is_a_look_of_its_own():
    here = evidence(study(drawn({"max": 0.8, "avg": 0.7}, 4)))
    records = study(drawn({"max": 0.8, "avg": 0.7}, 5))
    others = evidence([one for one in records if one["seed"] != 2])
    first, second = (Look(4, 4, arm_hashes(one), records=records_hash(one)) for one in (here, others))
    assert first.arms == second.arms
    assert first.records != second.records
    assert Look.from_json(first.to_json()) == first
    one_more = "The study's journal shows 1 earlier look at these arms: 1 at 4 seeds."
    assert seen_sentence([first, second, second], first.records) == one_more
    assert "no look at other runs" in seen_sentence([first, first], first.records)
    old = replace(first, records="")  # a journal of an earlier version: the number of seeds tells its looks apart
    assert seen_sentence([old, old], first.records) == one_more


def test_a_look_at_a_part_of_the_planned_seeds_changes_nothing(tmp_path):
    grown(tmp_path, 3)
    (tmp_path / "s.yaml").write_text(STUDY.format(seeds=list(range(6))))
    first, _ = report(tmp_path)
    assert first["stopping"]["seen"] == []
    grown(tmp_path, 6)
    found, _ = report(tmp_path)
    assert found["stopping"] == {"rule": "fixed", "declared": None, "seen": [{"seeds": 3, "times": 1}]}
    assert found["settings"][0]["method"] == "max_t"


def test_looks_at_other_settings_are_of_another_study():
    here = evidence(study(drawn({"max": 0.8, "avg": 0.7}, 4)))
    other = evidence(study(drawn({"max": 0.8, "avg": 0.7}, 4), trainer__epochs=1))
    more = evidence(study(drawn({"max": 0.8, "avg": 0.7, "lp": 0.7}, 4)))
    look = Look(seeds_seen(here), 4, arm_hashes(here))
    assert of_these_arms([look], here) == of_these_arms([look], more) == (look,)
    assert of_these_arms([look], other) == ()
    assert len(arm_hashes(more)) == 3


def test_records_without_a_folder_say_that_nothing_is_known(tmp_path):
    found = evidence(study(drawn({"max": 0.8, "avg": 0.7}, 4)))
    assert found.looked is None
    assert (
        "The records come without the journal of a study: earlier looks at them are not known."
        in document(analyse(found)).looks
    )
    study_file = grown(tmp_path, 3)
    assert with_looks(found, [(study_file, tmp_path / "saved.jsonl")]).looked is None


DAMAGED = (
    "not json\n",
    "[1]\n",
    '{"looked": "table"}\n',
    '{"looked": 1, "seeds": 3}\n',
    '{"looked": "table", "seeds": true, "arms": [], "time": ""}\n',
    '{"look',
)


def test_a_damaged_line_is_no_look_and_the_next_one_is_written_behind_it(tmp_path):
    found = grown(tmp_path, 3)
    path = journal_of(found, tmp_path / "runs")
    path.parent.mkdir(parents=True)
    own = gather(read_results(tmp_path / "runs"))
    for damaged in DAMAGED:
        path.write_text(damaged)
        assert with_looks(own, [(found, tmp_path / "runs")]).looked == (), damaged
    assert report(tmp_path)[0]["stopping"]["seen"] == []
    assert report(tmp_path)[0]["stopping"]["seen"] == [{"seeds": 3, "times": 1}]


def test_a_folder_that_cannot_be_written_is_read_as_ever(tmp_path, monkeypatch):
    """Root may write anywhere: so the system call itself refuses."""
    found = grown(tmp_path, 3)
    here = gather(read(study(drawn({"max": 0.8, "avg": 0.7}, 3))))
    monkeypatch.setattr(os, "open", _refused)
    remember(here, [(found, tmp_path / "runs")], "report")
    assert with_looks(here, [(found, tmp_path / "runs")]).looked == ()
    assert not journal_of(found, tmp_path / "runs").exists()


def _refused(*_, **__):
    raise PermissionError(13, "Permission denied")


def test_the_journal_of_attempts_is_left_as_it_was(tmp_path):
    found = grown(tmp_path, 3)
    report(tmp_path)
    assert journal_of(found, tmp_path / "runs").exists()
    assert not (tmp_path / "runs" / "studies" / "s.jsonl").exists()
    assert last_attempts(found, tmp_path / "runs") == {}


@pytest.mark.parametrize(("looks", "said"), [
    (None, "No looks at intermediate results were declared"),
    (Looks(()), "Seeds are added without a plan (looks: [])"),
    (Looks((2, 4)), "this is one of them"),
    (Looks((3, 5)), "this is none of them"),
])  # fmt: skip
def test_the_rule_is_said(looks, said):
    found = evidence(study(drawn({"max": 0.8, "avg": 0.7}, 4)))
    assert said in document(analyse(replace(found, looked=()), looks=looks)).looks


def test_settings_with_other_numbers_of_seeds_are_counted():
    records = [*study(drawn({"max": 0.8, "avg": 0.7}, 4)), *study(drawn({"max": 0.8, "avg": 0.7}, 5), data__name="x")]
    text = document(analyse(evidence(records), looks=Looks((4, 8)))).looks
    assert "1 of 2 settings have another number" in text
