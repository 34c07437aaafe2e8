"""What a running study says of itself."""

from collections import deque
from io import StringIO
from types import SimpleNamespace

from rich.console import Console

from poolab.study.runner import progress
from poolab.study.runner.jobs import Job
from poolab.study.runner.outcomes import Ending
from poolab.study.runner.sources import Listed
from poolab.study.runner.state import State


def test_the_time_left_passes_until_the_next_cell_ends(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    jobs = deque(Job(str(number), f"a={number}", ()) for number in range(5))
    state = State(Listed(list(jobs)))
    shown = progress.Progress(1, Console(file=StringIO()))
    assert "left" not in shown.line(state)  # nothing is known of it yet
    for seconds, job in ((10, jobs[0]), (30, jobs[1])):
        clock.now += seconds
        state.source.next()
        state.ended[job.key] = Ending("completed")
        shown.ended(job, Ending("completed"), 1, again=False)
    assert shown.line(state) == "2/5 done, 3 waiting, 1 min 0 s left"  # 40 s for two cells
    clock.now += 15
    assert shown.line(state) == "2/5 done, 3 waiting, 45 s left"
    clock.now += 100
    assert shown.line(state) == "2/5 done, 3 waiting, 0 s left"
