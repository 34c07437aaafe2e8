"""What is said of seeds that are not shared, have no score, or hardly vary."""

import numpy as np
import pytest

from poolab.report.arm_sentences import sentences_of
from poolab.report.details import packed
from poolab.report.figures.forest import forest
from poolab.report.page import render
from poolab.report.power import power_rows
from poolab.report.tables import latex_table
from poolab.report.terminal import verdict_text
from tests.report.made import answer, document, record, study


def notes(records):
    analysis = answer(records)
    return [str(one) for one in sentences_of(analysis, analysis.tables[0])]


def test_seeds_that_are_not_shared_are_told_with_the_means_of_the_pairs():
    told = notes(study({"max": [0.5, 0.6, 0.7, 0.8], "avg": [0.4, 0.52], "lp": [0.4, 0.5, 0.6, 0.7]}))
    (found,) = [text for text in told if "shares" in text]
    assert found == (
        "Differences are over the seeds that an arm shares with max, which has 4 runs: avg 2 of its 2 (means of the "
        "pairs: 46.00 % and 55.00 %)."
    )


def test_an_arm_with_more_seeds_than_the_baseline_is_told_too():
    told = notes(study({"max": [0.5, 0.6], "avg": [0.4, 0.52, 0.9]}))
    assert any("avg 2 of its 3 (means of the pairs: 46.00 % and 55.00 %)" in text for text in told)


def test_shared_seeds_need_no_word():
    told = notes(study({"max": [0.5, 0.6, 0.7], "avg": [0.4, 0.52, 0.6]}))
    assert not any("an arm shares with" in text or "without a value" in text for text in told)


def test_runs_without_a_score_are_counted():
    told = notes(study({"max": [0.5, 0.6, 0.7], "avg": [0.4, None, "nan"]}))
    assert "Completed runs without a value of test/accuracy are left out: avg 2." in told


@pytest.mark.parametrize(
    ("step", "said"), [(0.0, "does not vary over the seeds"), (1e-4, "hardly varies over the seeds")]
)
def test_seeds_that_hardly_vary_are_told_from_those_that_do_not(step, said):
    records = [
        record(
            name, seed, 0.5 - 0.1 * (name == "avg") + step * (name == "avg") * (seed % 2), metrics={"test/samples": 100}
        )
        for name in ("max", "avg")
        for seed in range(4)
    ]
    assert any(said in text for text in notes(records))


def test_what_the_images_decide_is_told():
    random = np.random.default_rng(0)
    base = random.random(400) < 0.8
    arm = base & (np.arange(400) >= 60)
    records = [
        record(name, seed, float(correct.mean()), metrics={"test/samples": 400}) | {"test_correct": packed(correct)}
        for name, correct in (("max", base), ("avg", arm))
        for seed in range(4)
    ]
    told = notes(records)
    assert told[0].startswith("avg is worse than max")
    assert (
        "Over the seeds the difference of avg hardly varies: interval and p come from the outcomes of the single test "
        "images."
    ) in told


FEW = {"max": [0.5, 0.6], "avg": [0.3, 0.75], "lp": [0.501, 0.601]}


def test_an_interval_is_told_as_far_as_it_is_possible():
    """Two pairs that differ by 20 and -15 points: the paired t gives -275 to +270 points with two arms."""
    analysis = answer(study(FEW))
    row = next(row for row in analysis.tables[0].others if row.label == "avg")
    assert row.compared.interval[0] < -2  # results.json and the CSV table keep what was computed
    told = [str(one) for one in sentences_of(analysis, analysis.tables[0])]
    assert any("(interval -100.00 to +100.00; 2 paired seeds)" in text for text in told)
    assert (
        "The interval of avg is cut at 100 points, as far as two shares can differ: 2 paired seeds say hardly anything."
    ) in told
    assert "-100.00 to +100.00" in verdict_text(analysis, 500)
    assert "-100.00 to +100.00" in latex_table(analysis.tables[0], analysis)


def test_what_two_pairs_can_show_is_no_more_than_possible():
    analysis = answer(study({name: FEW[name] for name in ("max", "avg")}))
    (line,) = power_rows(analysis, analysis.tables[0])
    assert line.detectable == "none that is possible"
    assert line.deviation.endswith(" to 100.00)")
    assert "for those with rare large values, it was 73 to 96 % in simulated studies." in render(document(analysis))
    assert (
        "max has 55.00 %, so that at most 45.00 points can be gained; this study can show no difference that is "
        "possible (80 % power). Take a harder task or more seeds."
    ) in notes(study({name: FEW[name] for name in ("max", "avg")}))


def test_a_metric_without_bounds_is_not_cut():
    analysis = answer(study({"max": [5.0, 6.0], "avg": [3.0, 7.5]}, metric="test/loss"), metric="test/loss")
    told = [str(one) for one in sentences_of(analysis, analysis.tables[0])]
    assert any("interval -22.49 to +21.99" in text for text in told)
    assert not any("is cut" in text for text in told)


def test_the_forest_plot_ends_where_differences_end():
    analysis = answer(study(FEW))
    figure = forest(analysis, analysis.tables[0])
    low, high = figure.axes[0].get_xlim()
    assert -112 < low < -100 < 100 < high < 112
