"""Records are made without garbage collections, and later collections pass them over."""

import os
import subprocess
import sys
from pathlib import Path

from tests.report.made import drawn, saved, study

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import gc, sys
collected, seen = [], []
gc.callbacks.append(lambda phase, info: collected.append(phase))
from poolab.study.commands import report_verb
read, analysed = report_verb._evidence, report_verb.analysis_of
def reading(chosen):
    collected.clear()
    return read(chosen)
def analysing(*words):
    found = analysed(*words)
    kept = [[] for _ in range(10_000)]  # enough for a collection
    seen.append(len(collected))
    return found
report_verb._evidence, report_verb.analysis_of = reading, analysing
import poolab.report
write = poolab.report.write_report
def writing(document, *words, **options):
    seen.append(gc.get_freeze_count() > 10_000 and gc.isenabled())
    return write(document, *words, **options)
poolab.report.write_report = writing
from poolab.cli import main
print(main(["report", *sys.argv[1:]]), seen, file=sys.stderr)
"""


def test_a_report_reads_and_compares_without_collections_and_keeps_them_from_the_records(tmp_path):
    path = saved(study(drawn({"max": 0.8, "avg": 0.7}, 40)), tmp_path / "runs.jsonl")
    words = [sys.executable, "-c", CODE, path, "--out", tmp_path / "report", "--formats", "svg"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "0 [0, True]\n"
