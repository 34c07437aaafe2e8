"""Paragraphs for a paper, and the remark on training that has not converged."""

import pytest

from poolab.report.analysis import analyse
from poolab.report.methods import methods
from tests.report.made import answer, document, drawn, evidence, study

THREE = {"max": 0.80, "avg": 0.79, "mixed": 0.80}


def test_arms_with_parameters_of_their_own_are_named_and_their_weights_explained():
    records = study(drawn(THREE, 6))
    for one in records:
        one["metrics"]["cost/parameters"] = 100.0 + 6 * (one["config"]["pooling"]["name"] == "mixed")
    first = methods(answer(records)).split("\n\n")[0]
    assert "with the same seed, two arms have the same initial weights where both have them" in first
    assert (
        "The number of parameters of mixed is not that of max: a weight that only one of the two has starts from a "
        "value of its own."
    ) in first
    assert "number of parameters" not in methods(answer(study(drawn(THREE, 6))))


def test_each_arm_has_a_sentence_of_its_result():
    analysis = answer(study(drawn(THREE, 6)))
    last = methods(analysis).strip().split("\n\n")[-1]
    assert last.startswith("Results, digits, keras_cnn: ")
    for row in analysis.tables[0].others:
        compared = row.compared
        low, high = (f"{100 * end:+.2f}" for end in compared.interval)
        assert (
            f"{row.label} differed from max by {100 * compared.difference:+.2f} points (95 % simultaneous interval "
            f"{low} to {high}, n = 6 pairs)."
        ) in last
    assert last.count("differed from") == 2


def test_an_arm_without_an_interval_has_a_sentence_without_one():
    scores = {"max": [0.5, 0.6], "avg": [0.4]}
    last = methods(answer(study(scores))).strip().split("\n\n")[-1]
    assert last == "Results, digits, keras_cnn: avg differed from max by -10.00 points (n = 1 pair)."
    scores["avg"] = [None, None, 0.3]
    last = methods(answer(study(scores))).strip().split("\n\n")[-1]
    assert last == "Results, digits, keras_cnn: avg shares no scored seed with max."
    assert "Results" not in methods(answer(study({"max": [0.5, 0.6]})))


@pytest.mark.parametrize(("epochs", "when"), [
    (3, "by up to 10.0 points in the last epoch."),
    (19, "by up to 10.0 points in the last epoch."),
    (20, "by up to 20.0 points over the last tenth of the epochs."),
])  # fmt: skip
def test_the_end_of_the_training_is_said_in_epochs_where_it_is_one(epochs, when):
    records = study({"max": [0.5, 0.6], "avg": [0.5, 0.6]})
    for one in records:
        one["history"] = {"val/accuracy": [0.1 * epoch for epoch in range(epochs)]}
    (told,) = [one for one in document(analyse(evidence(records))).remarks if "has not converged" in one]
    assert told.endswith(when)
