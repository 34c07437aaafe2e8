"""Sentences say what their numbers say: ten generated studies, each sentence checked against the comparison."""

import re

import numpy as np
import pytest

from poolab.report.arm_sentences import sentences_of
from poolab.report.sentence import listed
from poolab.report.terminal import verdict_text
from poolab.report.verdict import headline, verdict
from tests.report.made import answer, drawn, record, study

# What a study is made of: true means, seeds, spread, what the seeds share.
STUDIES = {
    "one better": ({"max": 0.80, "lp": 0.84}, 8, 0.01, 0.8),
    "one worse": ({"max": 0.80, "avg": 0.75}, 8, 0.01, 0.8),
    "two better": ({"max": 0.80, "lp": 0.84, "avg": 0.83}, 10, 0.01, 0.5),
    "equal and quiet": ({"max": 0.80, "lp": 0.80}, 20, 0.002, 0.5),
    "equal and loud": ({"max": 0.80, "lp": 0.80, "avg": 0.80}, 5, 0.03, 0.2),
    "few seeds": ({"max": 0.80, "lp": 0.82, "avg": 0.79}, 3, 0.01, 0.5),
    "two seeds": ({"max": 0.80, "lp": 0.82}, 2, 0.01, 0.5),
    "ten arms": ({"max": 0.80, **{f"arm{i}": 0.80 - 0.004 * i for i in range(9)}}, 8, 0.008, 0.6),
    "no room": ({"max": 0.998, "lp": 0.9985}, 4, 0.0008, 0.0),
    "far below": ({"max": 0.5, "avg": 0.1}, 6, 0.01, 0.9),
}
NUMBER = r"[-+]?\d+\.\d+"


def analysed(name):
    means, seeds, spread, shared = STUDIES[name]
    number = list(STUDIES).index(name)
    return answer(study(drawn(means, seeds, spread, shared, seed=number)))


@pytest.mark.parametrize("name", STUDIES)
def test_each_arm_has_one_sentence_with_its_own_numbers(name):
    analysis = analysed(name)
    (table,) = analysis.tables
    told = [one for one in sentences_of(analysis, table) if one.kind in ("better", "worse", "equivalent", "undecided")]
    assert len(told) == len(table.others)
    for row, sentence in zip(table.others, told, strict=True):
        compared, text = row.compared, str(sentence)
        low, high = compared.interval
        assert sentence.kind == str(compared.verdict)
        assert text.startswith(f"{row.label} is {sentence.kind}")
        assert f"interval {100 * low:+.2f} to {100 * high:+.2f}" in text
        assert f"{compared.pairs} paired seeds" in text
        assert f"{100 * abs(compared.difference):.2f}" in text
        assert {"better": low > 0, "worse": high < 0, "equivalent": compared.within_margin,
                "undecided": low <= 0 <= high and not compared.within_margin}[sentence.kind]  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_every_number_of_a_sentence_is_one_of_the_comparison(name):
    """No number comes from anywhere else, and none is rounded otherwise."""
    analysis = analysed(name)
    (table,) = analysis.tables
    for row, sentence in zip(table.others, sentences_of(analysis, table), strict=False):
        compared = row.compared
        known = [compared.difference, *compared.interval, analysis.margin]
        known += compared.moderated.interval if compared.moderated else ()
        allowed = {f"{100 * one:+.2f}" for one in known} | {f"{100 * abs(one):.2f}" for one in known}
        allowed |= {"+0.00"} if "-0.00" in allowed else set()
        text = re.sub(r"p (is )?(below )?[\d.e-]+", "", str(sentence))
        assert set(re.findall(NUMBER, text)) <= allowed, str(sentence)


@pytest.mark.parametrize("name", STUDIES)
def test_the_headline_names_exactly_the_better_arms(name):
    analysis = analysed(name)
    (table,) = analysis.tables
    text = str(headline(analysis, table))
    better = [row.label for row in table.others if row.compared.verdict == "better"]
    if better:
        assert text.startswith(f"{listed(better)} {'is' if len(better) == 1 else 'are'} better than max")
        most = max((row for row in table.others if row.label in better), key=lambda row: row.compared.difference)
        assert f"{100 * most.compared.difference:.2f} points" in text
    else:
        assert text.startswith("No arm is shown to be better than max.")
    counts = {kind: sum(row.compared.verdict == kind for row in table.others)
              for kind in ("worse", "equivalent", "undecided")}  # fmt: skip
    rest = sum(counts.values())
    for kind, count in counts.items():
        told = (f"{count} {'is' if count == 1 else 'are'} {kind}", f"The other arm is {kind}",
                f"The other {count} arms are {kind}")  # fmt: skip
        assert any(one in text for one in told) == (count > 0), text
    assert (f"the other {rest} arms" in text.lower()) == (rest > 1)
    needed = [row.compared.seeds_needed for row in table.others if row.compared.verdict == "undecided"]
    assert ("seeds would decide" in text) == any(one < 1000 for one in needed)
    if needed:
        assert f"About {min(needed)}" in text
        assert f"nor that it is below {100 * analysis.margin:.2f} points" in text


def test_the_generated_studies_reach_every_verdict():
    kinds = {str(row.compared.verdict) for name in STUDIES for row in analysed(name).tables[0].others}
    assert kinds == {"better", "worse", "equivalent", "undecided"}


def test_arms_that_are_not_the_baseline_are_not_compared_with_each_other():
    analysis = analysed("two better")
    text = " ".join(map(str, [*verdict(analysis), *sentences_of(analysis, analysis.tables[0])]))
    assert not re.search(r"(lp|avg) (is|are) (better|worse) than (lp|avg)", text)


def test_more_seeds_are_advised_only_to_the_undecided():
    analysis = analysed("equal and loud")
    for row, sentence in zip(analysis.tables[0].others, sentences_of(analysis, analysis.tables[0]), strict=False):
        assert row.compared.verdict == "undecided"
        needed = row.compared.seeds_needed
        said = f"about {needed} seeds would show that" if needed < 1000 else "1000 seeds would not decide it"
        assert said in str(sentence)
        assert row.compared.pairs < needed
    decided = analysed("one worse")
    assert "would show" not in " ".join(map(str, sentences_of(decided, decided.tables[0])))


@pytest.mark.parametrize(("difference", "deviation", "metric", "said"), [
    (-0.0014, 0.009, "test/accuracy", "avg and max differ by less than 0.50 points ("),
    (-0.02, 0.022, "test/accuracy", "avg is worse ("),
    (0.02, 0.022, "test/accuracy", "avg is better ("),
    (0.02, 0.022, "test/loss", "avg is worse ("),
    (-0.02, 0.022, "test/loss", "avg is better ("),
])  # fmt: skip
def test_what_more_seeds_would_show_is_said(difference, deviation, metric, said):
    """It depends on the size of the difference and, of a loss, on the direction in which less is better."""
    base = np.array([0.80, 0.81, 0.79, 0.80, 0.82, 0.80])
    arm = base + difference + deviation * scatter(6)
    analysis = answer(study({"max": list(base), "avg": list(arm)}, metric=metric), metric=metric, margin=0.005)
    (row,) = analysis.tables[0].others
    text = str(sentences_of(analysis, analysis.tables[0])[0])
    assert row.compared.verdict == "undecided"
    assert f"about {row.compared.seeds_needed} seeds would show that {said}" in text
    assert row.compared.seeds_show == ("equivalence" if "less than" in said else "difference")


def test_where_the_deviation_decides_what_more_seeds_show_both_are_said():
    """A bit more than half the margin: with some deviations the difference is shown first, with others equivalence."""
    base = 0.8 + 0.01 * np.arange(6)
    arm = base + 0.00265 + 0.006 * scatter(6)
    analysis = answer(study({"max": list(base), "avg": list(arm)}), margin=0.005)
    assert analysis.tables[0].others[0].compared.seeds_show is None
    text = str(sentences_of(analysis, analysis.tables[0])[0])
    assert "seeds would show that avg is better, or that avg and max differ by less than 0.50 points (" in text


def test_without_a_margin_more_seeds_show_a_difference():
    base = [5.0, 6.0, 5.5, 5.2]
    analysis = answer(study({"max": base, "avg": [5.2, 5.9, 5.6, 5.3]}, metric="test/loss"), metric="test/loss")
    assert "seeds would show that avg is worse (" in str(sentences_of(analysis, analysis.tables[0])[0])


def scatter(count):
    """Numbers with the mean 0 and the deviation 1."""
    numbers = np.array([1, -1, 0.5, -0.5, 0.2, -0.2][:count])
    return numbers / numbers.std(ddof=1)


def test_few_seeds_have_a_second_line():
    analysis = analysed("few seeds")
    row = analysis.tables[0].others[0]
    low, _ = row.compared.moderated.interval
    texts = list(map(str, sentences_of(analysis, analysis.tables[0])))
    assert f"Moderated t: {100 * low:+.2f} to " in texts[0]
    assert sum("which borrows the deviation of the other arms" in text for text in texts) == 1
    assert "moderated" not in " ".join(map(str, sentences_of(analysed("one worse"), analysed("one worse").tables[0])))


def test_two_seeds_have_a_second_line_with_four_arms_and_else_the_reason_why_not():
    few = analysed("two seeds")
    text = " ".join(map(str, sentences_of(few, few.tables[0])))
    assert few.tables[0].others[0].compared.moderated is None
    assert "With two paired seeds no moderated t is shown for lp: with fewer than 4 arms" in text
    many = answer(study(drawn(dict.fromkeys(("max", "a", "b", "c", "d"), 0.8), 2)))
    told = [str(one) for one in sentences_of(many, many.tables[0])]
    assert sum(" Moderated t: " in one for one in told) == 4
    assert not any("no moderated t" in one for one in told)


def test_an_adjusted_p_that_claims_more_than_the_interval_is_explained():
    """The case of mixed in benchmarks/pooling_cifar10: Holm's p is below 0.05, and the interval holds 0."""
    found = []
    for seed in range(200):
        means = {"max": 0.5, "b": 0.47, "c": 0.47, "d": 0.485}
        analysis = answer(study(drawn(means, 8, 0.012, 0.3, seed=seed)))
        for row, sentence in zip(analysis.tables[0].others, sentences_of(analysis, analysis.tables[0]), strict=False):
            claims = "but the verdict goes by the interval" in str(sentence)
            compared = row.compared
            assert claims == (compared.verdict == "undecided" and compared.p_adjusted < 0.05)
            found.append(claims)
        if any(found):
            break
    assert any(found)


def test_no_room_for_what_the_study_can_see():
    analysis = analysed("no room")
    text = " ".join(map(str, sentences_of(analysis, analysis.tables[0])))
    room = 100 * analysis.tables[0].others[0].compared.headroom
    shown = 100 * analysis.tables[0].others[0].compared.detectable
    said = (
        f"max has {100 - room:.2f} %, so that at most {room:.2f} points can be gained; this study can only show "
        f"differences of {shown:.2f} points or more (80 % power). Take a harder task or more seeds."
    )
    assert (said in text) == (room < shown)
    wide = analysed("far below")
    assert "can be gained" not in " ".join(map(str, sentences_of(wide, wide.tables[0])))


def test_several_settings_are_counted():
    records = []
    for number, data in enumerate(("digits", "mnist", "fashion", "svhn", "stl")):
        means = {"max": 0.8, "avg": 0.7 if number < 3 else 0.8, "lp": 0.8}
        records += study(drawn(means, 8, 0.01, 0.5, seed=number), data__name=data)
    analysis = answer(records)
    told = verdict(analysis)
    worse = {row.label: 0 for table in analysis.tables for row in table.others}
    for table in analysis.tables:
        for row in table.others:
            worse[row.label] += row.compared.verdict == "worse"
    assert f"avg in {worse['avg']} of 5 settings" in str(told[0])
    overall = {arm.arm: arm for arm in analysis.overall.arms}
    avg = next(str(one) for one in told if str(one).startswith("avg: "))
    assert f"{100 * overall['avg'].difference:+.2f} points on average over 5 settings" in avg
    low, high = overall["avg"].prediction
    assert f"in a new setting of this kind {100 * low:+.2f} to {100 * high:+.2f} is to be expected" in avg


def test_below_four_settings_there_is_no_average():
    records = [one for data in ("digits", "mnist")
               for one in study(drawn({"max": 0.8, "avg": 0.7}, 6), data__name=data)]  # fmt: skip
    text = " ".join(map(str, verdict(answer(records))))
    assert "No average over the settings is given: a mean over settings needs at least 4, and there are 2." in text


def cost_records(**environment):
    records = study(drawn({"max": 0.8, "avg": 0.7}, 4))
    for one in records:
        slow = one["config"]["pooling"]["name"] == "avg"
        one["metrics"] |= {"speed/train_images_per_s": 1600.0 if slow else 3200.0, "cost/parameters": 100.0 + slow,
                           "cost/peak_memory_bytes": 1e8}  # fmt: skip
        one["environment"] |= environment
    return records


def test_costs_rank_nothing_unless_they_were_measured_alone():
    def told(records):
        analysis = answer(records)
        return " ".join(str(one) for one in sentences_of(analysis, analysis.tables[0]) if one.kind == "cost")

    assert "no arm is called faster or smaller" in told(cost_records())
    assert "no arm is called faster or smaller" in told(cost_records(load=0.9))
    assert "no arm is called faster or smaller" in told(cost_records())
    alone = told(cost_records(load=0.0))
    assert "The training step of max takes 10.0 ms, that of avg 2.00 times as long." in alone
    assert "max has 100 parameters; avg 101." in alone
    other = cost_records(load=0.0)
    other[0]["environment"]["processor"] = "another"
    assert "no arm is called faster or smaller" in told(other)
    assert "in a test of poolab itself, not of this study, five equal runs gave 72 to 109 MB" in told(cost_records())
    assert "five equal runs" not in told(cost_records(device="NVIDIA H200"))


def test_a_single_arm_and_a_tie():
    one = answer(study({"max": [0.5, 0.6]}))
    assert str(verdict(one)[0]) == "max is the only arm: there is nothing to compare."
    assert verdict_text(one) == str(verdict(one)[0])  # without the heading of a setting that has no more to say
    same = [0.5, 0.6, 0.7, 0.65]
    tie = answer(study({"max": same, "avg": same}))
    assert tie.tables[0].others[0].compared.verdict == "undecided"
    assert tie.tables[0].others[0].compared.probability_of_improvement == pytest.approx(0.5)


def test_all_runs_of_an_arm_diverged():
    records = [*study({"max": [0.5, 0.6, 0.7]}), *(record("lp", seed, status="diverged") for seed in range(3))]
    analysis = answer(records)
    text = str(sentences_of(analysis, analysis.tables[0])[0])
    assert text == "lp is undecided: all its 3 runs diverged."


def test_loss_is_better_when_it_is_less():
    scores = drawn({"max": 0.8, "avg": 0.6}, 8)
    records = [record(name, seed, 0.5, metrics={"test/loss": value})
               for name, values in scores.items() for seed, value in enumerate(values)]  # fmt: skip
    analysis = answer(records, metric="test/loss", margin=0.01)
    row = analysis.tables[0].others[0]
    text = str(sentences_of(analysis, analysis.tables[0])[0])
    assert np.sign(row.compared.difference) == -1
    assert text.startswith(f"avg is better than max by {abs(row.compared.difference):.4g} (interval -")
