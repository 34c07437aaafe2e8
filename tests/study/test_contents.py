"""A study pairs runs on the same data and weights alone: in its table, its plan, its estimates, its saved records."""

import copy
import itertools
from zlib import crc32

import pytest

from poolab.configuration import compose
from poolab.records import RunFolder
from poolab.records.table import arms
from poolab.report.gathering import gather
from poolab.study.commands.verbs import study as study_verb
from poolab.study.plan.estimate import from_records, like_records
from poolab.study.plan.plan import plan
from poolab.study.plan.power import paired_deviation
from poolab.study.record_file import read_records, save_records
from poolab.study.search.results import Results
from poolab.study.sweep.arms import label_arms
from tests.study.compared import compare, gathered, read

A, B = "image_folder-3f2a00000000", "image_folder-77ab00000000"


def made_of(records, **content):
    """Copies of records that were made from these files; each content gives signatures of its own."""
    told = "".join(content.values())
    copies = copy.deepcopy(list(records))
    for record in copies:
        record["signature"] = f"{record['signature'][:6]}{crc32(told.encode()) % 10**6:06d}"
        record["environment"] |= content
    return copies


@pytest.fixture
def folder_study(written, tmp_path):
    return written(f"{{data: {{value: image_folder}}, data.root: {{value: {tmp_path}}}, "
                   "pooling: {values: [max, avg]}, seed: {values: [0, 1, 2]}}")  # fmt: skip


@pytest.fixture
def mixed(folder_study, recorded):
    """Max was run on one folder, avg on another, and both were copied together."""
    records = recorded(folder_study, lambda config: 0.5 if config["pooling"]["name"] == "max" else 0.75)
    return [*made_of(records[:3], data_fingerprint=A), *made_of(records[3:], data_fingerprint=B)]


def test_two_folders_are_two_places(folder_study, mixed):
    found = compare(folder_study, mixed)
    seen = {(arm.place, arm.arm): (len(arm.scores), arm.missing, arm.difference) for arm in found}
    assert seen == {
        ("image_folder, keras_cnn, data 3f2a...", "max"): (3, 0, None),
        ("image_folder, keras_cnn, data 3f2a...", "avg"): (0, 3, None),  # the plan stands for the first content
        ("image_folder, keras_cnn, data 77ab...", "avg"): (3, 0, None),
    }


def test_all_arms_on_both_folders_are_paired_within_each(folder_study, recorded):
    first = made_of(recorded(folder_study, lambda config: 0.5), data_fingerprint=A)
    second = recorded(folder_study, lambda config: 0.7 if config["pooling"]["name"] == "max" else 0.6)
    found = compare(folder_study, [*first, *made_of(second, data_fingerprint=B)])
    differences = {arm.place: arm.difference for arm in found if arm.arm == "avg"}
    assert differences == {
        "image_folder, keras_cnn, data 3f2a...": 0.0,
        "image_folder, keras_cnn, data 77ab...": pytest.approx(-0.1),
    }


def test_a_run_that_failed_before_it_noted_its_data_counts_as_failed(folder_study, recorded):
    records = recorded(folder_study, lambda config: None if config["seed"] == 2 else 0.5)
    said = [made_of([one], data_fingerprint=A)[0] if one["status"] == "completed" else one for one in records]
    found = compare(folder_study, said)
    assert [(arm.place, len(arm.scores), arm.failed) for arm in found] == [("image_folder, keras_cnn", 2, 1)] * 2


def test_weights_of_other_content_are_not_paired(two_arms, recorded):
    records = recorded(two_arms, lambda config: 0.5)
    old = made_of(records[:3], data_fingerprint="digits-1", weights_sha256="aaaaaa")
    new = made_of(records[3:], data_fingerprint="digits-1", weights_sha256="bbbbbb")
    places = {arm.place for arm in compare(two_arms, [*old, *new])}
    assert places == {"digits, keras_cnn, weights aaaa...", "digits, keras_cnn, weights bbbb..."}


def test_only_seeds_that_go_on_from_the_same_run_are_paired(two_arms, recorded):
    records = recorded(two_arms, lambda config: 0.5 + config["seed"] / 10)
    own = [made_of([one], source_sha256=f"of seed {one['seed']}")[0] for one in records]
    assert [arm.pairs for arm in compare(two_arms, own)] == [0, 3]
    own[1] = made_of([records[1]], source_sha256="another")[0]
    found = compare(two_arms, own)
    assert [(arm.pairs, arm.difference) for arm in found] == [(0, None), (2, 0.0)]


def test_of_two_runs_with_one_seed_that_go_on_from_others_each_is_an_arm(two_arms, recorded):
    records = made_of(recorded(two_arms, lambda config: 0.5), source_sha256="a")
    other = made_of(records[:1], source_sha256="b")
    for number, one in enumerate([*records, *other]):
        one["config"]["recipe"] = {"checkpoint": "runs/a" if number < len(records) else "runs/b"}
    assert {arm.label: len(arm.runs) for arm in gather(read([*records, *other])).settings[0].arms} == {
        "max recipe.checkpoint=a": 3,
        "max recipe.checkpoint=b": 1,
        "avg recipe.checkpoint=a": 3,
    }


def test_the_deviation_is_of_pairs_on_the_same_data(folder_study, mixed, recorded):
    assert paired_deviation(read(mixed)) is None
    records = made_of(recorded(folder_study, lambda config: config["seed"] / 10), data_fingerprint=A)
    assert paired_deviation(read(records)) == (0.0, 2)


def test_the_deviation_is_of_seeds_from_the_same_run(two_arms, recorded):
    records = recorded(two_arms, lambda config: 0.5)
    own = [made_of([one], source_sha256=str(number))[0] for number, one in enumerate(records)]
    assert paired_deviation(read(own)) is None


def test_the_time_is_of_runs_on_the_same_data(two_arms, recorded):
    records = recorded(two_arms, lambda config: 0.5)
    planned = plan(two_arms)
    other, same = (read(made_of(records, data_fingerprint=f"digits-{number}")) for number in (0, 1))
    assert from_records(planned.cells, like_records(planned, other)) is None
    estimate = from_records(planned.cells, like_records(planned, same))
    assert estimate is not None
    assert estimate.seconds == 6 * 30


@pytest.mark.parametrize("ended", ["2026-01-01T09:00:00+00:00", "soon", None, 3, "2026-01-01T10:00:30"])
def test_a_run_whose_clock_says_nothing_is_no_estimate(two_arms, recorded, ended):
    planned, records = plan(two_arms), recorded(two_arms, lambda config: 0.5)
    for record in records:
        record["ended"] = ended
    assert from_records(planned.cells, like_records(planned, read(records))) is None


def test_saved_records_keep_their_content(folder_study, mixed, tmp_path, capsys):
    save_records(read(mixed), tmp_path / "saved.jsonl.gz")
    told = read_records(tmp_path / "saved.jsonl.gz")
    assert {record.environment["data_fingerprint"] for record in told} == {A, B}
    study_verb(["table", str(folder_study.path), "--runs", str(tmp_path / "saved.jsonl.gz")], "")
    shown = capsys.readouterr().out
    assert "image_folder, keras_cnn, data 3f2a..." in shown
    assert "each content has a table of its own" in shown


def test_a_limit_of_the_test_set_makes_other_cells(two_arms, recorded):
    """What the test set is made of stands in the settings, and records of other ones are no cell's."""
    for word in ("data.limit_test=100", "data.limit_train=100", "data.val_fraction=0.2", "data.image_size=16"):
        found = gathered(two_arms, recorded(two_arms, lambda config: 0.5, [word]))
        assert [arm.missing for setting in found.settings for arm in setting.arms] == [(0, 1, 2)] * 2, word


def test_null_is_no_score(two_arms, recorded):
    records = recorded(two_arms, lambda config: 0.5)
    records[0]["metrics"]["test/accuracy"] = None
    del records[1]["metrics"]["test/accuracy"]
    found = compare(two_arms, records)
    assert [(len(arm.scores), arm.failed) for arm in found] == [(1, 0), (3, 0)]


def test_the_table_goes_on_without_what_is_damaged(two_arms, recorded, tmp_path, capsys):
    for record in recorded(two_arms, lambda config: 0.5):
        RunFolder(tmp_path / "runs", record["signature"]).make().write_json("result.json", record)
    RunFolder(tmp_path / "runs", "damaged").make()
    (tmp_path / "runs" / "damaged" / "result.json").write_text('{"status": ["completed"]}')
    for words in (["table"], ["plan"]):
        study_verb([*words, str(two_arms.path), "--runs", str(tmp_path / "runs")], "")
        told = capsys.readouterr()
        assert "damaged/result.json" in told.err
        assert told.err.count("left out: ") == 1
        assert "keras_cnn" in told.out


def test_both_tables_name_an_arm_alike(written, tmp_path, capsys):
    study = written("{pooling: {values: [max, lp]}, pooling.slots: {values: [all, [pool1]]}}")
    cells = itertools.product(("max", "lp"), ("all", "[pool1]"))
    configs = [compose([f"pooling={name}", f"pooling.slots={slots}"]) for name, slots in cells]
    for number, config in enumerate(configs):
        record = {"status": "completed", "started": "a", "config": config, "metrics": {"test/accuracy": number / 10}}
        RunFolder(tmp_path, f"run{number}").make().write_json("result.json", record)
    labels = label_arms(study, configs)
    assert "max slots=[pool1]" in labels
    assert {row.arm for row in arms(tmp_path)} == set(labels)


def test_a_study_of_runs_to_go_on_from_has_an_arm_for_each(written, recorded, tmp_path):
    """The name that the cell gives tells which record is meant, also in a saved file, where no folder stands."""
    words = "{recipe: {value: finetune}, recipe.checkpoint: {values: [runs/aaaa, runs/bbbb]}, seed: {values: [0, 1]}}"
    study = written(words)
    records = recorded(study, lambda config: 0.5 if config["recipe"]["checkpoint"] == "runs/aaaa" else 0.75)
    own = [made_of([one], source_sha256=one["config"]["recipe"]["checkpoint"])[0] for one in records]
    save_records(read(own), tmp_path / "saved.jsonl")
    for told in (own, read_records(tmp_path / "saved.jsonl")):
        assert {arm.arm: arm.mean for arm in compare(study, told)} == {
            "max recipe.checkpoint=aaaa": 0.5,
            "max recipe.checkpoint=bbbb": 0.75,
        }


@pytest.mark.parametrize("line", ['{"val/acc', "[]", "null", "3", "\x00", '{"val/accuracy": "high"}', ""])
def test_a_torn_line_of_a_history_is_left_out(written, tmp_path, line):
    more = "metric: {name: val/accuracy, goal: maximize}"
    study = written("{optim.lr: {min: 0.1, max: 0.2}}", "random", more)
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "history.jsonl").write_text('{"val/accuracy": 0.5}\n' + line + '\n{"val/accuracy": 0.75}\n')
    assert Results(study, tmp_path).rows("cell") == [0.5, 0.75]


def test_a_saved_record_names_no_folder_of_its_machine(two_arms, recorded, tmp_path):
    (record,) = recorded(two_arms, lambda config: 0.5)[:1]
    record["config"]["backbone"]["weights"] = "/home/me/w.pt"
    record["config"]["data"]["root"] = "/home/me/images"
    for name, content in (("known", {"weights_sha256": "aa"}), ("old", {})):
        save_records(read(made_of([record], **content)), tmp_path / name)
        (told,) = read_records(tmp_path / name)
        assert told.config["data"]["root"] is None
        # Without the hash of its weights, the path is all that tells a run from another.
        assert told.config["backbone"]["weights"] == ("w.pt" if name == "known" else "/home/me/w.pt")
