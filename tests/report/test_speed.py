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
from tests.report.made import analyse, answer, document, drawn, saved, study


def seconds(work, times=2):
    """The least time of the processor that work takes."""
    found = []
    for _ in range(times):
        began = process_time()
        work()
        found.append(process_time() - began)
    return min(found)


@pytest.mark.slow
def test_twice_the_records_take_twice_the_time(tmp_path):
    """All but the figures, of which each setting has its own."""
    means = {f"arm{i}": 0.8 - 0.001 * i for i in range(20)}

    def report(path):
        analysis = analyse(gather(gather_records(path)[0]))
        whole = document(analysis)
        return csv_tables(analysis), results(analysis), markdown(whole), render(whole)

    took = []
    for settings in (4, 8):
        runs = [run for i in range(settings) for run in study(drawn(means, 25, seed=i), data__name=f"d{i}")]
        assert len(runs) == 500 * settings
        path = saved(runs, tmp_path / f"{settings}.jsonl")
        took.append(seconds(lambda path=path: report(path)))
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
