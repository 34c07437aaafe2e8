"""How runs become arms and settings: doubles, seeds, what is missing, content of files, what differs."""

import pytest

from poolab.errors import ConfigError
from poolab.records import gather as gather_records
from poolab.report.analysis import analyse
from poolab.report.arm_sentences import sentences_of
from poolab.report.gathering import gather
from poolab.report.methods import methods
from poolab.report.verdict import verdict
from tests.report.made import answer, document, evidence, read, record, saved, study

TWO = {"max": [0.5, 0.6, 0.7], "avg": [0.4, 0.51, 0.59]}


def arms(found, setting=0):
    return {arm.label: [run.seed for run in arm.runs] for arm in found.settings[setting].arms}


def rows(analysis, setting=0):
    return {row.label: row for row in analysis.tables[setting].rows}


def test_runs_of_two_machines_are_joined_and_doubles_are_named():
    one, other = study({"max": [0.5, 0.6]}), study({"max": [0.5, 0.9], "avg": [0.4]})
    found = gather([*read(one, "here"), *read(other, "there")])
    assert arms(found) == {"max": [0, 1], "avg": [0]}
    told = [str(double) for double in found.doubled]
    assert [("with the same figures" in text, "with other figures" in text) for text in told] == [
        (True, False),
        (False, True),
    ]
    assert all("here" in text and "there" in text for text in told)
    assert "with other figures" in " ".join(document(analyse(found)).left_out)


def test_of_two_records_of_a_run_the_completed_one_is_taken():
    failed = record("max", 0, status="failed") | {"started": "2025-01-01T00:00:00+00:00"}
    runs = [*read([failed], "here"), *read([record("max", 0, 0.5)], "there")]
    (arm,) = gather(runs).settings[0].arms
    assert ([run.where for run in arm.runs], arm.failed) == (["there"], ())


def test_unequal_seeds_are_paired_where_both_have_them():
    found = rows(answer(study({"max": [0.5, 0.6, 0.7, 0.8], "avg": [0.4, 0.52]})))
    assert (found["avg"].compared.n, found["avg"].compared.pairs, found["max"].compared.n) == (2, 2, 4)
    assert found["avg"].compared.difference == pytest.approx(-0.09)
    assert found["avg"].compared.baseline_mean_of_pairs == pytest.approx(0.55)
    assert found["avg"].arm.missing == (2, 3)


@pytest.mark.parametrize(("given", "said"), [
    ({"max": [0.5], "avg": [0.4]}, "it shares 1 seed with max, and two are the least"),
    ({"max": [0.5, 0.6]}, "max is the only arm"),
    ({"max": [0.5] * 4, "avg": [0.4] * 4}, "does not vary over the seeds"),
])  # fmt: skip
def test_degenerate_studies_have_a_sentence(given, said):
    analysis = answer(study(given))
    sentences = [*verdict(analysis), *sentences_of(analysis, analysis.tables[0])]
    assert said in " ".join(map(str, sentences))
    assert {row.compared.verdict for row in analysis.tables[0].others} <= {"undecided"}


def test_diverged_failed_and_stopped_runs_are_counted_apart():
    records = [*study({"max": [0.5, 0.6, 0.7], "avg": [0.4]}), record("avg", 1, status="diverged"),
               record("avg", 2, status="failed"), record("avg", 3, status="interrupted")]  # fmt: skip
    row = rows(answer(records))["avg"]
    counts = (row.compared.n, row.compared.diverged.count, row.compared.failed, len(row.arm.stopped), row.arm.missing)
    assert counts == (1, 1, 1, 1, ())
    assert rows(answer(records))["max"].arm.missing == ()
    left = " ".join(document(answer(records)).left_out)
    assert "seed 1" in left
    assert "failed: it failed" in left
    assert "interrupted: it interrupted" in left


def test_divergence_takes_away_a_good_verdict():
    """Four diverged seeds of eight must not make an arm equivalent to one of which none diverged."""
    best = [0.90 + 0.002 * i for i in range(8)]
    records = study({"max": best})
    records += [record("mixed", i, best[i] - 0.0005 + 0.0005 * (i % 3)) for i in range(4)]
    records += [record("mixed", i, status="diverged") for i in range(4, 8)]
    records += [record("lp", i, 0.1 + 0.01 * i) for i in range(8)]
    analysis = answer(records)
    row = rows(analysis)["mixed"]
    assert row.compared.within_margin
    assert (row.compared.verdict, row.compared.reason) == ("undecided", "divergence")
    text = " ".join(map(str, sentences_of(analysis, analysis.tables[0])))
    assert "4 of its 8 runs diverged" in text
    assert "With the worst score seen for each diverged run it is -40." in text


def test_missing_by_plan_and_by_the_other_arms():
    planned = [one["config"] for one in study({"max": [0] * 3, "avg": [0] * 3, "lp": [0] * 3})]
    records = study({"max": [0.5, 0.6], "avg": [0.4]})
    by_plan = {arm.label: arm.missing for arm in evidence(records, expected=planned).settings[0].arms}
    assert by_plan == {"max": (2,), "avg": (1, 2), "lp": (0, 1, 2)}
    by_others = {arm.label: arm.missing for arm in evidence(records).settings[0].arms}
    assert by_others == {"max": (), "avg": (1,)}


def test_other_content_of_the_data_is_another_setting():
    records = [*study(TWO, data_fingerprint="image_folder-3f2a77"), *study(TWO, data_fingerprint="image_folder-9b")]
    found = evidence(records)
    assert [setting.label for setting in found.settings] == ["digits, keras_cnn, data 3f2a...",
                                                             "digits, keras_cnn, data 9b"]  # fmt: skip
    assert all(arms(found, number) == {"max": [0, 1, 2], "avg": [0, 1, 2]} for number in (0, 1))


def test_weights_of_other_content_are_another_setting():
    found = evidence([*study(TWO, weights_sha256="aaaa1"), *study(TWO, weights_sha256="bbbb2")])
    assert [setting.label[-15:] for setting in found.settings] == ["weights aaaa...", "weights bbbb..."]


def test_where_only_the_weights_differ_they_are_the_arms():
    found = evidence([record("max", i, 0.5, weights_sha256=w) for i in range(2) for w in ("aaaa", "bbbb")])
    assert list(arms(found)) == ["max weights_sha256=aaaa", "max weights_sha256=bbbb"]


def test_fine_tuned_runs_are_pairs_where_they_go_on_from_the_same_run():
    own = [record(name, seed, 0.5 + seed / 10 + (name == "avg") / 50, source_sha256=f"of {seed}")
           for name in ("max", "avg") for seed in range(3)]  # fmt: skip
    assert rows(answer(own))["avg"].compared.pairs == 3
    own[4] = record("avg", 1, 0.9, source_sha256="of another")
    found = rows(answer(own))["avg"].compared
    assert (found.n, found.pairs, found.difference) == (3, 2, pytest.approx(0.02))


def test_a_run_that_failed_before_it_noted_its_data_stands_with_the_others():
    failed = record("avg", 2, status="failed", data_fingerprint=None)
    found = evidence([*study(TWO)[:-1], failed])
    assert len(found.settings) == 1
    assert [len(arm.failed) for arm in found.settings[0].arms] == [0, 1]


def test_ways_of_training_are_settings_and_poolings_are_arms():
    records = [*study(TWO), *study(TWO, optim__lr=0.01)]
    found = evidence(records)
    assert [one.label for one in found.settings] == ["digits, keras_cnn, lr=0.001", "digits, keras_cnn, lr=0.01"]


def test_a_setting_that_was_tuned_for_each_arm_tells_neither_arms_nor_settings_apart():
    slow = study({"max": [0.5, 0.6], "lp": [0.55, 0.63]}, optim__lr=0.001)
    fast = study({"avg": [0.4, 0.51]}, optim__lr=0.003)
    assert len(evidence([*slow, *fast]).settings) == 2
    found = evidence([*slow, *fast], tuned=["optim.lr"])
    assert arms(found) == {"max": [0, 1], "lp": [0, 1], "avg": [0, 1]}
    text = " ".join(document(analyse(found)).remarks)
    assert "Tuned for each arm, as declared: digits, keras_cnn: optim.lr 0.001 (max, lp) and 0.003 (avg)." in text
    assert "Tuned for each arm: optim.lr 0.001 (max, lp) and 0.003 (avg)." in methods(analyse(found))
    assert not [one for one in document(analyse(evidence(slow))).remarks if "Tuned" in one]


@pytest.mark.parametrize(("tuned", "said"), [
    ("optim.l", "tuned optim.l: no run has this setting; did you mean optim.lr"),
    ("seed", "tuned seed: arms and settings are told apart by"),
    ("pooling.k", "tuned pooling.k: arms and settings are told apart by"),
    ("optim.lr", "tuned optim.lr: max in digits, keras_cnn has runs with 0.001, 0.003; report the runs with"),
])  # fmt: skip
def test_what_cannot_have_been_tuned_is_told(tuned, said):
    runs = [record("max", 0, 0.5), record("max", 1, 0.5, optim__lr=0.003), record("avg", 0, 0.4)]
    with pytest.raises(ConfigError) as caught:
        evidence(runs, tuned=[tuned])
    assert str(caught.value).startswith(said)


def test_where_no_pooling_differs_whatever_varies_makes_the_arms():
    records = [*study({"max": [0.5, 0.6]}), *study({"max": [0.4, 0.5]}, optim__lr=0.01)]
    found = evidence(records)
    assert list(arms(found)) == ["max optim.lr=0.001", "max optim.lr=0.01"]


def test_what_changes_no_result_tells_no_runs_apart():
    records = [record("max", 0, 0.5), record("avg", 0, 0.4, trainer__threads=2, measure__name="full")]
    assert list(arms(evidence(records))) == ["max", "avg"]


def test_options_and_heads_name_arms():
    records = [record("lp", 0, 0.5, pooling__p=p, head__name=head) for p in (2, 3) for head in ("gap", "gem")]
    assert sorted(arms(evidence(records))) == ["gap p=2", "gap p=3", "gem p=2", "gem p=3"]
    records += [record("max", 0, 0.5)]
    assert sorted(arms(evidence(records))) == ["lp gap p=2", "lp gap p=3", "lp gem p=2", "lp gem p=3", "max gap"]


def test_an_option_that_all_poolings_share_makes_settings():
    """So that each pooling is compared with the baseline in the same slots."""
    records = [record(name, seed, 0.5, pooling__slots=slots) for name in ("max", "avg") for slots in (["a"], ["b"])
               for seed in (0, 1)]  # fmt: skip
    found = evidence(records)
    assert [one.label for one in found.settings] == ["digits, keras_cnn, slots=[a]", "digits, keras_cnn, slots=[b]"]
    assert all(list(arms(found, number)) == ["max", "avg"] for number in (0, 1))
    partly = [one for one in records if (one["config"]["pooling"]["name"], one["config"]["pooling"]["slots"]) !=
              ("max", ["b"])]  # fmt: skip
    assert list(arms(evidence(partly))) == ["max", "avg slots=[a]", "avg slots=[b]"]


def test_runs_that_go_on_from_several_runs_with_one_seed_are_arms():
    records = []
    for name in ("runs/aaaa", "runs/bbbb"):
        for seed in (0, 1):
            one = record("max", seed, 0.5, source_sha256=name)
            one["config"]["recipe"] = {"name": "finetune", "checkpoint": name}
            records.append(one)
    assert list(arms(evidence(records))) == ["max recipe.checkpoint=aaaa", "max recipe.checkpoint=bbbb"]


def test_a_search_has_one_setting_and_says_what_it_is():
    records = [record("max", 0, 0.5 + lr, optim__lr=lr) for lr in (0.1, 0.2)] + [record("avg", 0, 0.4, optim__lr=0.3)]
    analysis = answer(records, searched=True)
    assert len(analysis.tables) == 1
    assert len(analysis.tables[0].rows) == 3
    assert "drawn by a search" in " ".join(map(str, verdict(analysis)))
    assert {row.compared.verdict for row in analysis.tables[0].others} == {"undecided"}


@pytest.mark.parametrize(("broken", "said"), [
    ({"status": "gone"}, "status must be one of completed, diverged, failed, interrupted, found 'gone'"),
    ({"config": None}, "config must be a mapping, found null"),
    ({"config": {"pooling": {"name": "max"}}, "seed": "one"}, "config.seed must be a whole number, found None"),
    ({"metrics": []}, "metrics must be a mapping, found a list"),
    ({"signature": None}, "signature is missing"),
    ({"environment": "x"}, "environment must be a mapping, found a text"),
])  # fmt: skip
def test_a_record_that_cannot_be_used_is_named_and_left_out(tmp_path, broken, said):
    records = study(TWO)
    records[0] = {**records[0], **broken}
    runs, faults = gather_records(saved(records, tmp_path / "saved.jsonl"))
    found = gather(runs, faults=faults)
    assert [said in fault for fault in found.faults] == [True]
    assert arms(found)["max"] == [1, 2]
    assert said in " ".join(document(analyse(found)).left_out)


def test_mixed_schema_versions_are_read():
    records = study(TWO)
    for one in records:  # as of before there were tasks
        del one["config"]["task"]
    del records[0]["seed"], records[0]["environment"]["packages"], records[0]["notes"]
    records[0]["schema_version"] = 0
    assert arms(evidence(records)) == {"max": [0, 1, 2], "avg": [0, 1, 2]}
    assert answer(records).metric.name == "test/accuracy"


def test_a_baseline_that_one_setting_lacks():
    records = [*study(TWO), *study({"avg": [0.4, 0.5], "lp": [0.5, 0.6]}, data__name="mnist")]
    analysis = answer(records)
    assert [table.baseline is None for table in analysis.tables] == [False, True]
    said = " ".join(map(str, verdict(analysis)))
    assert "No completed run of max, so that nothing is compared there: mnist, keras_cnn." in said
    assert {row.compared.reason for row in analysis.tables[1].others} == {"no_baseline"}
    assert "its arms are not compared" in str(sentences_of(analysis, analysis.tables[1])[0])


def test_the_baseline_is_max_or_the_first_arm_or_what_is_asked_for():
    assert answer(study(TWO)).baseline == "max"
    assert answer(study({"lp": [0.5], "avg": [0.4]})).baseline == "lp"
    assert answer(study(TWO), baseline="avg").baseline == "avg"
    with pytest.raises(ConfigError, match="did you mean avg"):
        answer(study(TWO), baseline="agv")


def test_another_metric_with_its_direction():
    records = study(TWO)
    for one in records:
        one["metrics"]["test/loss"] = 1 - one["metrics"]["test/accuracy"]
    row = rows(answer(records, metric="test/loss", margin=0.001))["avg"]
    assert row.compared.difference == pytest.approx(0.1)
    assert (row.compared.verdict, row.compared.interval[0] > 0) == ("worse", True)
    with pytest.raises(ConfigError, match="did you mean test/loss"):
        answer(records, metric="test/los")


def test_segmentation_is_compared_by_its_own_metric():
    records = study(TWO, task="segmentation", metric="test/mean_iou")
    analysis = answer(records)
    assert (analysis.metric.name, analysis.metric.unit) == ("test/mean_iou", "points")
    with pytest.raises(ConfigError, match="several tasks"):
        answer([*records, *study(TWO)])


@pytest.mark.parametrize("margin", [0, -1, float("nan"), float("inf")])
def test_a_margin_is_a_number_above_0(margin):
    with pytest.raises(ConfigError, match="margin must be a number above 0"):
        answer(study(TWO), margin=margin)


def test_null_scores_are_no_scores():
    records = study({"max": [0.5, 0.6, 0.7], "avg": [0.4, None, "nan"]})
    row = rows(answer(records))["avg"]
    assert (row.compared.n, row.compared.pairs) == (1, 1)


def test_nothing_completed_says_what_there_is():
    with pytest.raises(ConfigError, match=r"no run is completed \(2 failed\)"):
        answer([record("max", seed, status="failed") for seed in (0, 1)])
