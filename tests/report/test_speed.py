"""How the time of a report grows with its records, by ratios within one process."""

from collections import Counter
from time import process_time

import pytest

from poolab.records import gather as gather_records
from poolab.report.figures import draw_all
from poolab.report.gathering import gather
from poolab.report.markdown import markdown
from poolab.report.page import render
from poolab.report.results import results
from poolab.report.tables import csv_tables
from tests.report.made import analyse, answer, document, drawn, read, saved, study


def seconds(work, times=2):
    """The least time of the processor that work takes."""
    found = []
    for _ in range(times):
        began = process_time()
        work()
        found.append(process_time() - began)
    return min(found)


def settings(number, arms, seeds):
    """Records of equal settings."""
    means = {f"arm{i}": 0.8 - 0.001 * i for i in range(arms)}
    return [run for i in range(number) for run in study(drawn(means, seeds, seed=i), data__name=f"d{i}")]


@pytest.mark.slow
def test_four_times_the_records_are_read_and_sorted_in_four_times_the_time(tmp_path):
    took = []
    for number in (10, 40):
        runs = settings(number, 4, 50)
        assert len(runs) == 200 * number
        path = saved(runs, tmp_path / f"{number}.jsonl")
        took.append(seconds(lambda path=path: gather(gather_records(path)[0])))
    assert took[1] < 5.2 * took[0]


@pytest.mark.slow
def test_twice_the_settings_are_compared_and_written_in_twice_the_time():
    """All but the figures, of which each setting has its own."""

    def report(evidence):
        analysis = analyse(evidence)
        whole = document(analysis)
        return csv_tables(analysis), results(analysis), markdown(whole), render(whole)

    sorted_runs = [gather(read(settings(number, 20, 25))) for number in (4, 8)]
    took = [seconds(lambda evidence=evidence: report(evidence)) for evidence in sorted_runs]
    assert took[1] < 2.6 * took[0]


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
