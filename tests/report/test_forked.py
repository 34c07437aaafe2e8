"""Work that a report shares out between forked processes, each test in a fresh process: a fork needs one thread."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from poolab.report import forked
from tests.report.made import drawn, saved, study

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


def python(code, *words, check=True):
    """Run code in a fresh process and return what it did."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=check,
        timeout=100,
    )


def test_results_come_in_the_order_of_the_items_from_as_many_processes_as_asked():
    done = python("""
        import os
        from poolab.report.forked import shared_out
        for asked in (0, 1, 2, 3, 9):
            found = shared_out(lambda item: (item, os.getpid()), [3, 1, 4, 1, 5], asked)
            assert [item for item, _ in found] == [3, 1, 4, 1, 5]
            print(len({pid for _, pid in found}), {pid for _, pid in found} >= {os.getpid()})
        print(shared_out(str, [], 2))
    """)
    assert done.stdout.split("\n")[:-1] == ["1 True", "1 True", "2 True", "3 True", "5 True", "[]"]


def test_the_error_of_a_share_surfaces_with_its_own_words_and_no_process_stays():
    done = python(
        """
        import multiprocessing, traceback
        from poolab.report.forked import shared_out
        def work(item):
            if item == 1:
                raise ValueError("item one")
            return item
        try:
            shared_out(work, [0, 1, 2], 2)
        except ValueError as fault:
            print(fault, "in work:", "in work" in traceback.format_exc())
        print(multiprocessing.active_children())
        """
    )
    assert (done.stdout, done.stderr) == ("item one in work: True\n[]\n", "")


def test_the_share_of_a_process_that_is_killed_is_done_by_the_first_one():
    done = python("""
        import os, signal
        from poolab.report.forked import shared_out
        first = os.getpid()
        def work(item):
            if os.getpid() != first:
                os.kill(os.getpid(), signal.SIGKILL)
            return item
        print(shared_out(work, [0, 1, 2, 3], 2))
    """)
    assert (done.stdout, done.stderr) == ("[0, 1, 2, 3]\n", "")


def test_where_no_process_can_be_had_the_first_one_does_all():
    done = python("""
        import os
        from poolab.report.forked import shared_out
        def refused():
            raise BlockingIOError(11, "Resource temporarily unavailable")
        os.fork = refused
        print(shared_out(str, [0, 1, 2], 2))
    """)
    assert done.stdout == "['0', '1', '2']\n"


def test_a_process_ends_although_the_first_one_was_killed_before_it_took_the_results():
    done = python(
        """
        import os, signal, time
        from poolab.report.forked import shared_out
        first = os.getpid()
        def work(item):
            if os.getpid() == first:
                time.sleep(0.3)
                os.kill(first, signal.SIGKILL)
            print(os.getpid(), flush=True)
            return "x" * 10**7  # more than a pipe holds
        shared_out(work, [0, 1], 2)
        """,
        check=False,
    )
    assert done.returncode == -9
    child = int(done.stdout)  # it shared this pipe, so that its end ended the reading above
    assert not Path(f"/proc/{child}/exe").exists()


TWO = "os.sched_getaffinity = lambda _: range(2)"


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ("os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])", 1),
        (TWO, 2),
        ("os.sched_getaffinity = lambda _: range(64)", forked.MOST),
        (f"{TWO}; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()", 1),
        (f"{TWO}; sys.modules['torch'] = sys", 1),
    ],
)
def test_processes_share_the_work_where_there_are_cores_and_a_fork_is_safe(setup, expected):
    code = f"import os, sys, threading, time\n{setup}\nfrom poolab.report.forked import cores\nprint(cores())"
    assert python(code).stdout == f"{expected}\n"


REPORT = """
import os, sys
from collections import Counter
from multiprocessing.process import BaseProcess
cores, records, out, least = int(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
os.sched_getaffinity = lambda _: range(cores)
started, start = Counter(), BaseProcess.start
def counted(self):
    started["processes"] += 1
    start(self)
BaseProcess.start = counted
from poolab.report import analysis
analysis.LEAST_RUNS = least
from poolab.cli import main
code = main(["report", records, "--out", out, "--formats", "svg"])
print("started", started["processes"], file=sys.stderr)
sys.exit(code)
"""


def test_a_report_of_two_processes_is_that_of_one_to_the_byte(tmp_path, monkeypatch):
    runs = [
        run
        for i in range(2)
        for run in study(drawn({"max": 0.8, "avg": 0.7, "<b>": 0.75}, 4, seed=i), data__name=f"d{i}")
    ]
    path = saved(runs, tmp_path / "runs.jsonl")
    monkeypatch.chdir(tmp_path)
    read, printed = [], []
    for cores in (1, 2):
        done = python(REPORT, cores, path, "report", 8)
        # One for half of the comparisons, one for half of the figures.
        assert done.stderr == f"started {2 * (cores - 1)}\n"
        printed.append(done.stdout)
        found = {one.relative_to("report"): one.read_bytes() for one in Path("report").rglob("*") if one.is_file()}
        read.append(found)
        Path("report").rename(f"report{cores}")
    assert len([name for name in read[0] if name.suffix == ".svg"]) == 7
    assert read[0] == read[1]
    assert printed[0] == printed[1]


def test_a_figure_that_another_process_cannot_draw_is_told_and_one_that_cannot_be_written_ends_the_report(tmp_path):
    runs = [run for i in range(2) for run in study(drawn({"max": 0.8, "avg": 0.7}, 4, seed=i), data__name=f"d{i}")]
    path = saved(runs, tmp_path / "runs.jsonl")
    broken = """
from poolab.report.figures import forest
def fail(*_):
    raise {fault}
forest._draw = fail
"""
    told = python(broken.format(fault="ValueError('no such glyph')") + REPORT, 2, path, tmp_path / "told", 8)
    assert told.stdout.count("no such glyph") == 2
    assert told.stdout.index("forest-1-d0") < told.stdout.index("forest-2-d1")
    ended = python(
        broken.format(fault="OSError(28, 'No space left')") + REPORT, 2, path, tmp_path / "ended", 8, check=False
    )
    assert ended.returncode == 2
    assert "No space left" in ended.stderr
    assert not (tmp_path / "ended" / "index.html").exists()
