"""Tune, keep and continue the ranking (docs/ranking/plan.md).

    python scripts/ranking.py rates runs/ranking              # the validation accuracies, and the rate of each arm
    python scripts/ranking.py rates runs/ranking --write      # and sweeps/ranking/<setting>_lr_<rate>.yaml
    python scripts/ranking.py save runs/ranking               # the records as benchmarks/ranking.jsonl.gz
    python scripts/ranking.py restore runs/ranking            # folders of these records, where a run has none
    python scripts/ranking.py claim docs/ranking              # what the reports there say of the claim of 6.28
    python scripts/ranking.py robustness benchmarks           # what the measured runs there say, as a table

The rate of an arm in a setting is the one with the highest validation accuracy; of equal ones the smaller. `save`
prints no result, so that it is no look at them. After `restore`, `poolab study run` makes the missing runs.
"""

import argparse
import io
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from poolab.cli import main as poolab
from poolab.records import Record, RunFolder, gather
from poolab.study.record_file import read_records, save_records

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps" / "ranking"
RECORDS = Path("benchmarks/ranking.jsonl.gz")
SETTINGS = ("keras_2x2", "keras_3x3", "lenet_2x2")
SEEDS, EPOCHS = 10, 10
CLAIM = 6.28  # of Avg-TopK over max pooling on CIFAR-10, in points or in percent of the accuracy of max pooling
ROBUSTNESS = {
    "robust/shift_consistency": "shift consistency",
    "robust/corruption_accuracy": "accuracy under corruption",
    "calibration/ece": "ECE",
}
DECLARED = "margin: 0.5\nlooks: [3, 5, 10]\ntuned: [optim.lr]\n"
Scores = dict[str, dict[float, float]]  # validation accuracy by pooling and learning rate


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("rates", "save", "restore", "claim", "robustness"))
    parser.add_argument(
        "runs",
        type=Path,
        help="the folder of the runs (rates: or their records; claim: of reports; robustness: of records)",
    )
    parser.add_argument("--write", action="store_true", help="of rates: write the study files")
    parser.add_argument("--file", type=Path, default=RECORDS, help="of save and restore (default: %(default)s)")
    asked = parser.parse_args()
    if asked.work == "rates":
        rates(asked.runs, asked.write)
    elif asked.work == "save":
        save(asked.runs, asked.file)
    elif asked.work == "claim":
        print(claim(asked.runs))
    elif asked.work == "robustness":
        print(robustness(asked.runs))
    else:
        restore(asked.file, asked.runs)
    return 0


def save(runs: Path, file: Path) -> None:
    """Write the records of a folder; refuse to leave out one that the file has."""
    records = read_records(runs)
    before = {record.signature for record in read_records(file)} if file.exists() else set()
    if lost := before - {record.signature for record in records}:
        raise SystemExit(f"{runs} lacks {len(lost)} of the {len(before)} runs of {file}: restore them first")
    save_records(records, file, runs)


def restore(file: Path, runs: Path) -> None:
    """Give each record of the file a folder with its result, unless there is one."""
    if not file.exists():
        raise SystemExit(f"{file} does not exist: name a file that `save` wrote, by --file")
    for record in read_records(file):
        folder = RunFolder(runs, record.signature)
        if not (folder.path / "result.json").exists():
            folder.make().write_json("result.json", record.to_json())
            print(f"restored {folder.path}")


def claim(reports: Path) -> str:
    """Return a table of the settings on CIFAR-10: does an Avg-TopK arm's interval lie below both readings of 6.28?"""
    lines = [
        "| setting | arm | difference | interval | below both | 6.28 % of max | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    files = sorted(reports.glob("*/results.json"))
    if not files:
        raise SystemExit(f"{reports} has no report in a folder of it: write them first, see docs/ranking/README.md")
    for file in files:
        for setting in json.loads(file.read_text())["settings"]:
            data, network = setting["label"].split(", ")
            arms = [arm for arm in setting["arms"] if arm["arm"].startswith("avg_topk")]
            for arm in arms if data == "image_folder" else []:
                low, high = (100 * end for end in arm["interval"])
                relative = CLAIM * arm["baseline_mean_of_pairs"]
                below = "yes" if high < min(CLAIM, relative) else "no"
                told = [f"{network} {file.parent.name}", arm["arm"], f"{100 * arm['difference']:+.2f}"]
                told += [f"{low:+.2f} to {high:+.2f}", below, f"{relative:.2f}", arm["pairs"]]
                lines.append(f"| {' | '.join(map(str, told))} |")
    return "\n".join(lines)


def robustness(records: Path) -> str:
    """Return a table of the arms' differences from max in robustness and calibration, as `poolab report` gives them."""
    lines = [
        "| setting | arm | what | max | difference | interval | verdict | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for window in ("2x2", "3x3"):
        for metric, words in ROBUSTNESS.items():
            for setting in _reported(records / f"ranking_robustness_{window}.jsonl.gz", metric):
                network = setting["label"].split(", ")[-1]
                for arm in setting["arms"][1:]:
                    seen = (arm["difference"], *arm["interval"])
                    difference, low, high = (f"{100 * value:+.2f}" for value in seen)
                    told = [f"{network} {window}", arm["arm"], words, f"{100 * arm['baseline_mean_of_pairs']:.2f}"]
                    told += [difference, f"{low} to {high}", arm["verdict"], arm["pairs"]]
                    lines.append(f"| {' | '.join(map(str, told))} |")
    return "\n".join(lines)


def _reported(file: Path, metric: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as out, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
        words = ["report", str(file), "--baseline", "max", "--metric", metric, "--out", out, "--formats", "svg"]
        if poolab(words) != 0:
            raise SystemExit(told.getvalue())
        settings: list[dict[str, Any]] = json.loads((Path(out) / "results.json").read_text())["settings"]
    return settings


def rates(runs: Path, write: bool) -> None:
    """Print the scores of the tuning runs; write the study files if that is asked for."""
    records, _ = gather(runs)
    for setting in SETTINGS:
        study = yaml.safe_load((SWEEPS / f"tune_{setting}.yaml").read_text())["parameters"]
        scores = _scores(records, study)
        chosen = {
            pooling: _best(scores[pooling], study["optim.lr"]["values"]) for pooling in study["pooling"]["values"]
        }
        print(_table(setting, scores, chosen))
        if write:
            _write(setting, study, chosen)


def _scores(records: list[Record], study: dict[str, Any]) -> Scores:
    found: Scores = defaultdict(dict)
    for record in records:
        config = record.config
        if _belongs(config, study):
            accuracy = record.metrics["val/accuracy"]
            # A run that diverged may have none.
            found[_name(config["pooling"])][config["optim"]["lr"]] = 0.0 if accuracy is None else accuracy
    return found


def _belongs(config: Mapping[str, Any], study: dict[str, Any]) -> bool:
    pooling = config["pooling"]
    window = (
        study.get("pooling.kernel_size", {"value": 2})["value"],
        study.get("pooling.stride", {"value": 2})["value"],
    )
    return (
        config["seed"] in study["seed"]["values"]
        and config["backbone"]["name"] == study["backbone"]["value"]
        and config["trainer"]["epochs"] == study["trainer.epochs"]["value"]
        and (pooling["kernel_size"] or 2, pooling["stride"] or 2) == window  # both networks' own windows are 2x2
    )


def _name(pooling: Mapping[str, Any]) -> str:
    """Return the choice of `pooling=` that a study file has for these options."""
    choices = {2: "avg_topk", 3: "avg_topk_k3", 5: "avg_topk_author"}
    return choices[pooling["k"]] if pooling["name"] == "avg_topk" else str(pooling["name"])


def _best(scores: dict[float, float], rates: list[float]) -> float:
    missing = [rate for rate in rates if rate not in scores]
    if missing:
        raise SystemExit(f"no finished run with optim.lr={missing[0]}; there are {sorted(scores)}")
    return max(sorted(scores), key=lambda rate: scores[rate])  # the first, so the smallest, of equals


def _table(setting: str, scores: Scores, chosen: dict[str, float]) -> str:
    rates = sorted(next(iter(scores.values())))
    lines = [f"| {setting} | {' | '.join(f'{rate:g}' for rate in rates)} | chosen |", "|---" * (len(rates) + 2) + "|"]
    for pooling, rate in chosen.items():
        values = " | ".join(f"{100 * scores[pooling][one]:.2f}" for one in rates)
        lines.append(f"| {pooling} | {values} | {rate:g} |")
    return "\n".join(lines) + "\n"


def _write(setting: str, study: dict[str, Any], chosen: dict[str, float]) -> None:
    """Write a study file for each rate that an arm of the setting has, with the declarations beside it."""
    fixed = {key: entry["value"] for key, entry in study.items() if "value" in entry} | {"trainer.epochs": EPOCHS}
    for rate in sorted(set(chosen.values())):
        poolings = [pooling for pooling, own in chosen.items() if own == rate]
        name = f"{setting}_lr_{rate:g}"
        parameters = {
            "seed": {"values": list(range(SEEDS))},
            "pooling": {"values": poolings},
            "optim.lr": {"value": rate},
        }
        parameters |= {key: {"value": value} for key, value in fixed.items()}
        content = {
            "program": "train.py",
            "method": "grid",
            "metric": {"name": "val/accuracy", "goal": "maximize"},
            "parameters": parameters,
            "command": ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"],
        }
        head = (
            f"# The arms of the ranking's setting {setting} whose learning rate is {rate:g}; written by\n"
            "# scripts/ranking.py from the tuning runs. See docs/ranking/plan.md. Add `data.root=FOLDER`, the folder\n"
            "# of CIFAR-10 (JPEG).\n"
            f"# {SEEDS * len(poolings)} runs: {len(poolings)} poolings x {SEEDS} seeds.\n"
        )
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120)
        (SWEEPS / f"{name}.yaml").write_text(head + text)
        (SWEEPS / f"{name}.report.yaml").write_text(DECLARED)


if __name__ == "__main__":
    sys.exit(main())
