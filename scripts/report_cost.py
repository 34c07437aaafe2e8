"""What a report of many records costs: `poolab report` of generated records, in a process of its own.

    python scripts/report_cost.py                                # 10 settings, 40 arms, 25 seeds: 10,000 records
    python scripts/report_cost.py --before ../before --rounds 5  # two versions of poolab in turns
    python scripts/report_cost.py --settings 2 -- --formats svg,pdf

It prints wall seconds, processor seconds (user and system) of all processes and of the first one alone, and the
resident memory of the largest. Where each process has a core for itself, the first one's processor seconds are nearly
the wall seconds: it does what is not shared out, and a share. Beside other work all of them grow: compare within one
call. The records are those of the tests, which have a score and nothing else; with --whole they also have validation
scores, costs, robustness, the history of their epochs and the outcomes of 10,000 test images, as a study saves them.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))  # for tests/, which is no installed package

BACKBONES = ("keras_cnn", "resnet20")
EPOCHS, IMAGES = 10, 10_000
FIGURES = ("wall_s", "cpu_s", "first_cpu_s", "largest_MiB")
# Runs the words behind the first one as poolab, and writes what that took into the file that the first one names.
PROGRAM = """
import json, resource, sys
from poolab.cli import main
code = main(sys.argv[2:])
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
cpu = [one.ru_utime + one.ru_stime for one in used]
found = {"cpu_s": sum(cpu), "first_cpu_s": cpu[0], "largest_MiB": max(one.ru_maxrss for one in used) / 1024}
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
sys.exit(code)
"""


def main() -> None:
    """Make the records, report them with each version in turns, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=int, default=10, help="data sets x backbones")
    parser.add_argument("--arms", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=25)
    parser.add_argument("--whole", action="store_true", help="records with all that a report can show")
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the records there, to report them by hand")
    parser.add_argument("options", nargs="*", help="options of `poolab report`, behind --")
    chosen = parser.parse_args()
    trees = {"before": chosen.before.resolve(), "after": HERE} if chosen.before else {"after": HERE}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        records = chosen.keep or Path(folder) / "records.jsonl"
        count = _write(records, chosen)
        print(f"{count} records, {records.stat().st_size / 1e6:.1f} MB, {len(os.sched_getaffinity(0))} cores")
        for number in range(chosen.rounds):
            for name in sorted(trees, reverse=bool(number % 2)):  # each goes first in every second round
                found[name].append(_report(trees[name], [str(records), *chosen.options], Path(folder)))
    for figure in FIGURES:
        columns = (f"{name} {_words([one[figure] for one in runs])}" for name, runs in found.items())
        print(f"{figure:12}  {'  '.join(columns)}")


def _write(path: Path, chosen: argparse.Namespace) -> int:
    records = [_whole(one) if chosen.whole else one for one in _records(chosen.settings, chosen.arms, chosen.seeds)]
    _made().saved(records, path)
    return len(records)


def _made() -> Any:
    return importlib.import_module("tests.report.made")  # it has no types, and mypy reads what is imported


def _records(settings: int, arms: int, seeds: int) -> Iterator[dict[str, Any]]:
    """Return the records of a study: the arms of a setting fall by a tenth of a point from one to the next."""
    made = _made()
    means = {("max" if i == 0 else f"arm{i:02}"): 0.8 - 0.001 * i for i in range(arms)}
    for number in range(settings):
        data, backbone = f"data{number // len(BACKBONES)}", BACKBONES[number % len(BACKBONES)]
        yield from made.study(made.drawn(means, seeds, seed=number), data__name=data, backbone__name=backbone)


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """Add what a saved record of a finished study has, all made from its score."""
    import numpy as np

    from poolab.report.details import packed

    score, random = record["metrics"]["test/accuracy"], np.random.default_rng(int(record["signature"], 16))
    correct = random.random(IMAGES) < score
    test = float(correct.mean())
    rising = [round(test * (1 - 0.5 ** (epoch + 1)), 4) for epoch in range(EPOCHS)]
    metrics = {"test/accuracy": test, "test/samples": IMAGES, "val/accuracy": rising[-1], "test/loss": 1 - test,
               "test/calibration_error": (1 - test) / 5, "cost/parameters": int(1e6 * test), "epochs": EPOCHS,
               "cost/peak_memory_bytes": int(2e8 * random.uniform(1, 1.2)), "robust/shift_consistency": test**0.5,
               "speed/train_images_per_s": 2000 * random.uniform(1, 1.1), "robust/corruption_accuracy": test**2,
               "speed/infer_latency_ms_median": random.uniform(1, 1.1)}  # fmt: skip
    history = {"train/loss": [1 - one for one in rising], "val/loss": [1 - one for one in rising],
               "train/accuracy": rising, "val/accuracy": rising}  # fmt: skip
    return {**record, "metrics": metrics, "history": history, "test_correct": packed(correct)}


def _report(tree: Path, words: Sequence[str], folder: Path) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    cost = folder / "cost.json"
    command = [sys.executable, "-c", PROGRAM, str(cost), "report", *words, "--out", str(folder / "report")]
    began = time.monotonic()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return {"wall_s": time.monotonic() - began, **json.loads(cost.read_text())}


def _words(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
