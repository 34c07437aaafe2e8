"""How the time of a report grows with its records, by ratios within one process."""

import math
from collections import Counter

import pytest

from poolab.records import gather as gather_records
from poolab.report.figures import draw_all
from poolab.report.gathering import gather
from poolab.report.markdown import markdown
from poolab.report.page import render
from poolab.report.results import results
from poolab.report.tables import csv_tables
from tests.growth import assert_grows
from tests.report.made import analyse, answer, document, drawn, read, saved, study


def settings(number, arms, seeds):
    """Records of equal settings."""
    means = {f"arm{i}": 0.8 - 0.001 * i for i in range(arms)}
    return [run for i in range(number) for run in study(drawn(means, seeds, seed=i), data__name=f"d{i}")]


@pytest.mark.processes
def test_four_times_the_records_are_read_and_sorted_in_four_times_the_time(tmp_path):
    works = {}
    for number in (10, 40):
        runs = settings(number, 4, 50)
        assert len(runs) == 200 * number
        path = saved(runs, tmp_path / f"{number}.jsonl")
        works[number] = lambda path=path: gather(gather_records(path)[0])
    assert_grows(works.get, (10, 40), less_than=5.2)


@pytest.mark.processes
def test_twice_the_settings_are_compared_and_written_in_twice_the_time():
    """All but the figures, of which each setting has its own."""

    def report(runs):
        analysis = analyse(runs)
        whole = document(analysis)
        return csv_tables(analysis), results(analysis), markdown(whole), render(whole)

    evidence = {number: gather(read(settings(number, 20, 25))) for number in (4, 8)}
    assert_grows(lambda number: lambda: report(evidence[number]), (4, 8), less_than=2.6)


def test_what_a_key_makes_is_found_out_once_for_all_records(monkeypatch):
    from poolab.report import arm_keys

    counts = Counter()
    original = arm_keys._side

    def counted(key, keys):
        counts[key, keys] += 1
        return original(key, keys)

    arm_keys._sides.cache_clear()
    monkeypatch.setattr(arm_keys, "_side", counted)
    gather(read(settings(2, 3, 4)))
    assert any(key == "pooling.name" for key, _ in counts)
    assert set(counts.values()) == {1}


def test_a_figure_is_laid_out_once_and_drawn_once_in_each_format(tmp_path, monkeypatch):
    """Matplotlib's own savefig lays a figure out and draws it twice in each."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    counts = Counter()
    for owner, name in ((Figure, "draw"), (ConstrainedLayoutEngine, "execute")):
        original = getattr(owner, name)

        def counted(*arguments, name=name, original=original):
            counts[name] += 1
            return original(*arguments)

        monkeypatch.setattr(owner, name, counted)
    drawn_ones = draw_all(answer(study(drawn({"max": 0.8, "avg": 0.7, "lp": 0.75}, 4))), tmp_path)
    figures = sum(bool(one.svg) for one in drawn_ones)
    assert figures > 2
    assert counts == {"draw": 3 * figures, "execute": figures}


@pytest.fixture
def measured(monkeypatch):
    """Which texts Matplotlib measures in earnest, each with its font, by renderer."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.textpath import TextToPath

    from poolab.report.figures import printing

    printing._size.cache_clear()
    printing._measuring.cache_clear()
    counts = Counter()
    for owner in (RendererAgg, TextToPath):
        original = owner.get_text_width_height_descent

        def counted(self, text, font, ismath, owner=owner, original=original):
            counts[owner.__name__, text, hash(font)] += 1
            return original(self, text, font, ismath)

        monkeypatch.setattr(owner, "get_text_width_height_descent", counted)
    return counts


def test_a_text_is_measured_once_for_the_figures_of_all_settings(measured):
    """Matplotlib measures it anew in each figure: an arm's name was measured ten times for ten settings."""
    draw_all(analyse(gather(read(settings(3, 4, 4)))))
    assert any(text == "arm2" for _, text, _ in measured)
    assert set(measured.values()) == {1}


def test_the_layout_measures_the_widest_name_alone(measured):
    means = {f"arm{name}": 0.8 for name in (*"abcdefghijkl", "wwww", "iiii")}
    draw_all(answer(study(drawn(means, 4))))
    assert {text for renderer, text, _ in measured if renderer == "RendererAgg" and text in means} == {"armwwww"}


def test_each_pair_of_arms_is_estimated_once(monkeypatch):
    """The baseline's pairs serve all lines of an arm; the ranks compare every two arms."""
    from poolab.report.statistics import pairs

    counts = Counter()
    original = pairs.paired_estimate

    def counted(differences):
        counts["estimates"] += 1
        return original(differences)

    monkeypatch.setattr(pairs, "paired_estimate", counted)
    answer(study(drawn({f"arm{i}": 0.8 for i in range(12)}, 6)))
    assert counts["estimates"] == 11 + math.comb(12, 2)
