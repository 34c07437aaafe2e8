"""What a plan says, and what it refuses."""

import math
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from poolab.configuration import compose
from poolab.data import count_test_images, data_fingerprint
from poolab.errors import ConfigError, PoolabError
from poolab.records import RunFolder, signature
from poolab.study import read_study
from poolab.study.commands.verbs import study as study_verb
from poolab.study.plan.estimate import from_records, like_records, measured
from poolab.study.plan.page import _detects, page
from poolab.study.plan.plan import plan
from poolab.study.plan.power import detectable, paired_deviation
from poolab.training import with_automatic
from tests.study.compared import compare, read


def test_the_signatures_are_those_of_the_runs(two_arms, tmp_path):
    planned = plan(two_arms, [f"runs_dir={tmp_path}"])
    for one in planned.cells:
        assert one.signature == signature(with_automatic(compose(one.cell.overrides)), data_fingerprint("digits"))
    assert planned.arms == ("max", "avg")
    assert planned.seeds == (0, 1, 2)
    assert planned.settings == ("digits, keras_cnn",)
    assert planned.finished == frozenset()


def test_finished_runs_are_seen_and_their_time_and_scatter_used(two_arms, tmp_path, recorded):
    extra = [f"runs_dir={tmp_path}"]
    offsets = {"max": 0.0, "avg": 0.01}
    records = recorded(two_arms, lambda config: offsets[config["pooling"]["name"]] * (1 + config["seed"]), extra)
    for record in records[:4]:
        RunFolder(tmp_path, record["signature"]).make().write_json("result.json", record)
    planned = plan(two_arms, extra)
    assert len(planned.finished) == 4
    left = [one for one in planned.cells if one.signature not in planned.finished]
    like = like_records(planned, read(records))
    estimate = from_records(left, like)
    assert (estimate.seconds, estimate.known) == (60.0, 2)
    told = dict(page(planned, estimate, read(records)))
    assert told["cells"].startswith("6, of which 4 are finished")
    assert "differences of 2 like arms deviate by 1.00 points" in told["detects"]
    assert not plan(two_arms, [*extra, "force=true"]).finished


def test_a_run_that_was_made_is_a_finished_cell(two_arms, tmp_path, launched, tiny):
    record, folder, _ = launched(tmp_path, "pooling=avg", "seed=2")
    planned = plan(two_arms, [*tiny, f"runs_dir={tmp_path}"])
    assert planned.finished == {folder.name}
    (arm,) = (arm for arm in compare(two_arms, [record], tiny) if arm.scores)
    assert (arm.arm, arm.scores) == ("avg", {2: record.metrics["test/accuracy"]})


@pytest.mark.long
def test_an_epoch_is_measured(two_arms, tmp_path, tiny):
    """A process of its own, with its imports."""
    planned = plan(two_arms, [*tiny, f"runs_dir={tmp_path}"])
    one = measured(planned.cells[:1])
    assert (one.known, one.seconds > 1) == (1, True)
    assert not list(tmp_path.glob("*/result.json"))


def test_an_epoch_that_fails_says_why(two_arms, monkeypatch):
    ended = subprocess.CompletedProcess([], 2, "", "no room")
    monkeypatch.setattr("poolab.study.plan.estimate.subprocess.run", lambda *_, **__: ended)
    with pytest.raises(PoolabError, match=r"measured failed \(pooling=max seed=0\): no room"):
        measured(plan(two_arms).cells)


def test_all_faults_come_at_once_and_each_once(written):
    study = written(
        "{pooling: {values: [max, avgtopk, lip]}, pooling.slots: {values: [[pool9]]}, seed: {values: [0, -1]}}"
    )
    with pytest.raises(ConfigError) as caught:
        plan(study, ["optim.lr=-1"])
    told = str(caught.value)
    for fault in ("did you mean avg_topk", "seed must be an int", "lr must be a number", "no pooling slot pool9"):
        assert told.count(fault) == 1, told


def test_a_map_that_vanishes_and_an_option_that_does_not_fit_are_found(written):
    study = written("{pooling: {value: avg_topk}, pooling.k: {values: [2, 9]}, data.image_size: {values: [32, 4]}}")
    with pytest.raises(ConfigError) as caught:
        plan(study)
    assert "k=9" in str(caught.value)
    assert "vanish" in str(caught.value)


def test_two_cells_that_are_one_run_are_refused(written):
    with pytest.raises(ConfigError, match="more than once"):
        plan(written("{trainer.threads: {values: [1, 2]}}"))


def test_what_another_program_does_is_not_checked(written):
    with pytest.raises(ConfigError, match=r"only cells of train\.py"):
        plan(written("{x: {value: 1}}", program="other.py"))


def test_what_seeds_can_detect():
    # 34 pairs see half a deviation at 80 %: the textbooks' figure for a paired t-test at 5 %.
    assert detectable(34, 1.0) == pytest.approx(0.5, abs=0.01)
    assert detectable(5, 1.0, 12) > detectable(5, 1.0) > detectable(10, 1.0)


@pytest.mark.parametrize(("arms", "told"), [(2, "a difference of "), (40, "no difference that is possible to ")])
def test_a_difference_beyond_what_is_possible_is_not_told(arms, told):
    """Two pairs and 39 comparisons detect 318 points."""
    config = SimpleNamespace(task="classification", data=SimpleNamespace(reading={"name": "digits"}))
    cells = [SimpleNamespace(arm=arm, setting="one", config=config) for arm in range(arms)]
    text = _detects(SimpleNamespace(seeds=(0, 1), cells=cells, settings=["one"]), [])
    first, told_then = text.split(" points, and arms independently; that gives ")
    assert first == "not known yet: run two seeds and plan again. It is assumed that seeds deviate by 0.5"
    assert told_then.startswith(told)


def test_a_plan_tells_no_difference_below_one_test_image(two_arms, recorded):
    """With 30 test images one of them is 3.33 points."""
    assert "that gives a difference of 3.33 points (one of 30 test images) to" in told_of(two_arms, 30)
    assert "test images" not in told_of(two_arms, None)
    records = recorded(two_arms, lambda config: 0.5 + 0.0001 * config["seed"] * (config["pooling"]["name"] == "avg"))
    for one in records:
        one["metrics"]["test/samples"] = 364
    detected = _detects(plan(two_arms), read(records))
    assert detected.startswith("a difference of 0.27 points (one of 364 test images) to the baseline")
    assert "not known yet" not in detected


def told_of(study, limit):
    return _detects(plan(study, [] if limit is None else [f"data.limit_test={limit}"]), [])


def test_the_test_images_of_a_folder_are_counted(tmp_path):
    for split, count in (("train", 4), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / split / name / f"{number}.png").touch()
    settings = {"name": "image_folder", "root": str(tmp_path)}
    assert count_test_images(settings) == 6
    assert count_test_images({**settings, "limit_test": 4}) == 4
    assert count_test_images({**settings, "limit_test": 9}) == 6


def test_the_deviation_of_paired_differences(two_arms, recorded):
    scores = {"max": (0.5, 0.6, 0.7), "avg": (0.4, 0.6, 0.8)}
    records = recorded(two_arms, lambda config: scores[config["pooling"]["name"]][config["seed"]])
    deviation, arms = paired_deviation(read(records))
    assert deviation == pytest.approx(0.1)
    assert arms == 2
    assert paired_deviation(read(records[:4])) is None  # one shared seed
    assert not math.isnan(deviation)


def test_a_run_that_diverged_says_nothing_of_scatter_and_time(two_arms, recorded):
    """It has the figures of where it ended: a score near chance, after less time than a whole run takes."""
    scores = {"max": (0.5, 0.6, 0.7), "avg": (0.4, 0.6, 0.8)}
    made = recorded(two_arms, lambda config: scores[config["pooling"]["name"]][config["seed"]])
    records = read(made)
    whole = paired_deviation([one for one in records if one.seed < 2])
    diverged = {"status": "diverged", "reason": "the loss is nan", "ended": "2026-01-01T10:00:01+00:00"}
    early = [one if one.seed < 2 else replace(one, **diverged) for one in records]
    assert paired_deviation(early) == whole != paired_deviation(records)
    planned = plan(two_arms)
    counts = [sorted(map(len, like_records(planned, some).values())) for some in (early, records)]
    assert counts == [[4], [6]]


def test_the_verb_says_a_plan_in_80_columns(two_arms, tmp_path, capsys):
    study_verb(["plan", str(two_arms.path), "--runs", str(tmp_path / "none"), "trainer.epochs=1"], "")
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 80
    for word in ("6, of which 0 are finished", "2: max; avg", "not known", "assumed"):
        assert word in told


def test_a_search_says_what_it_draws_from(written, capsys):
    parameters = "{pooling.count_include_pad: {value: false}, optim.lr: {min: 0.1, max: 0.2}, pooling: {value: avg}}"
    study = written(parameters, "bayes", "metric: {name: val/accuracy, goal: maximize}\nrun_cap: 9")
    study_verb(["plan", str(study.path)], "")
    told = capsys.readouterr().out
    assert "optim.lr from uniform, min 0.1, max 0.2" in told
    assert "val/accuracy, maximized" in told
    assert "by TPE where `poolab study run` runs it" in told
    with pytest.raises(ConfigError, match=r"optim\.lr"):
        plan(written("{optim.lr: {min: -0.1, max: 0.2}}", "random"))


def test_what_w_and_b_does_otherwise_is_said(written):
    study = written("{data.image_size: {values: [null, 40]}}", more="run_cap: 1")
    notes = [text for title, text in page(plan(study), None, []) if title == "on W&B"]
    assert notes[0].startswith("run_cap may end a grid early there")
    assert "the text None" in notes[1]


def test_a_pooling_for_each_slot(written, tmp_path):
    study = written(
        "{pooling.at.pool1: {values: [max, avg_topk, avg_topk_k3]}, pooling.at.pool2: {values: [avg, own]}}"
    )
    planned = plan(study, [f"runs_dir={tmp_path}"])
    assert planned.arms[:3] == (
        "max pool1=max pool2=avg",
        "max pool1=max pool2=own",
        "max pool1=avg_topk pool1.k=2 pool2=avg",
    )
    assert len(set(planned.arms)) == 6
    for one in planned.cells:
        assert one.signature == signature(with_automatic(compose(one.cell.overrides)), data_fingerprint("digits"))
    swept = written(
        "{pooling: {values: [max, min]}, pooling.at.pool1: {value: avg_topk}, pooling.at.pool1.k: {values: [2, 3]}}"
    )
    assert plan(swept).arms == ("max pool1.k=2", "max pool1.k=3", "min pool1.k=2", "min pool1.k=3")


def test_the_faults_of_slots_come_at_once(written):
    study = written("{pooling.at.pool1: {values: [max, avgg, global_gem]}, pooling.at.pol2: {value: max}}")
    with pytest.raises(ConfigError) as caught:
        plan(study)
    told = str(caught.value)
    for fault in ("no pooling slot pol2: did you mean pool2", "pool1.name=avgg: it is not", "write head=global_gem"):
        assert told.count(fault) == 1, told


def test_what_it_costs(two_arms, tmp_path, recorded, capsys):
    extra = [f"runs_dir={tmp_path}", "trainer.devices=2", "trainer.num_nodes=3"]
    for record in recorded(two_arms, lambda config: 0.5, extra)[:2]:
        RunFolder(tmp_path, record["signature"]).make().write_json("result.json", record)
    words = ["plan", str(two_arms.path), "--runs", str(tmp_path)]
    study_verb([*words, "--per-hour", "2.5"], "")  # six runs of one device, 30 s each: like, but none of them made
    assert "0.05 device-hours, 0.12 at 2.5 for each" in capsys.readouterr().out
    study_verb([*words, "trainer.devices=2", "trainer.num_nodes=4", "data.batch_size=32"], "")
    assert "0.40 device-hours; --per-hour sets a price" in capsys.readouterr().out
    study_verb([*words, "trainer.devices=auto", "--per-hour", "2.5"], "")
    assert "the machine says how many" in " ".join(capsys.readouterr().out.split())
    study_verb(["plan", str(two_arms.path), "--runs", str(tmp_path / "none")], "")
    assert "costs    not known, as the time is not" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="--per-hour must be a price"):
        study_verb([*words, "--per-hour", "-1"], "")


def test_a_search_costs_as_many_runs_as_it_may_make(written, tmp_path, recorded):
    cells = written("{optim.lr: {values: [0.1, 0.2]}}")
    records = recorded(cells, lambda config: 0.5)
    study = written("{optim.lr: {min: 0.1, max: 0.2}}", "random", "run_cap: 240")
    planned = plan(study, [f"runs_dir={tmp_path}"])
    estimate = from_records(planned.cells, like_records(planned, read(records)))
    assert dict(page(planned, estimate, read(records), 3.0))["costs"] == "2.00 device-hours, 6.00 at 3 for each"


@pytest.mark.parametrize("group", ["data", "tracker", "measure", "task", "recipe"])
def test_an_empty_list_is_no_choice_of_a_group(written, group):
    with pytest.raises(ConfigError, match=f"{group}="):
        plan(written(f"{{{group}: {{value: []}}}}"))


def test_words_of_the_command_line_that_hydra_cannot_read(two_arms):
    with pytest.raises(ConfigError, match=r"pooling\.slots=\[pool1"):
        plan(two_arms, ["pooling.slots=[pool1"])
    with pytest.raises(ConfigError, match="is not looked up"):
        plan(two_arms, ["data.root=${oc.env:HOME}"])


def test_a_range_with_decimals_for_a_whole_number_is_told_by_the_plan(tmp_path):
    path = tmp_path / "u.yaml"
    path.write_text(
        "program: train.py\nmethod: random\nmetric: {name: val/accuracy, goal: maximize}\n"
        "parameters:\n  data.batch_size: {distribution: uniform, min: 8, max: 30}\n"
    )
    with pytest.raises(ConfigError, match=r"data.batch_size must be an int .*found (8|30)\.0"):
        plan(read_study(path))


def test_a_metric_that_no_run_has_is_told_by_the_plan_of_a_search(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(
        "program: train.py\nmethod: bayes\nmetric: {name: val/acc, goal: maximize}\n"
        "parameters:\n  optim.lr: {min: 0.001, max: 0.1}\n"
    )
    with pytest.raises(ConfigError, match=r"metric.name=val/acc: no run has it; did you mean accuracy"):
        plan(read_study(path))
    path.write_text(path.read_text().replace("val/acc", "val/accuracy"))
    assert plan(read_study(path)).cells
