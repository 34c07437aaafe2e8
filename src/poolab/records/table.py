"""The records of a folder as a table: one row for each arm, its figures over the seeds."""

import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records.identity import NOT_IDENTITY, below, flatten
from poolab.records.store import read_results

# What the runs of one arm may differ by.
NOT_ARM = (*NOT_IDENTITY, "seed", "measure")
COLUMNS = ("arm", "runs", "test accuracy", "sd", "train images/s", "latency ms", "saved MB", "parameters")


def arms(runs_dir: str | Path) -> list[dict[str, Any]]:
    """One row for each arm, best mean test accuracy first: its runs, mean and standard deviation over seeds, costs.

    An arm is what the configurations do not share: the pooling and its options, and whatever else varies.

    Raises:
        PoolabError: the folder has no records.
    """
    records = read_results(runs_dir)
    if not records:
        raise PoolabError(
            f"there are no records in {runs_dir}: make some with train.py, or name their folder with --runs"
        )
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[_arm(record["config"])].append(record)
    shared = set.intersection(*(set(arm) for arm in groups))
    rows = [_row(arm, shared, group) for arm, group in groups.items()]
    return sorted(rows, key=lambda row: -(row["test accuracy"] or 0.0))


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join([*lines, *("| " + " | ".join(_cells(row)) + " |" for row in rows)])


def print_arms(rows: list[dict[str, Any]]) -> None:
    """The rows on the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "arm" else "right")
    for row in rows:
        table.add_row(*_cells(row))
    Console(highlight=False).print(table)


def _arm(config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    kept = {key: value for key, value in flatten(config).items() if not below(key, NOT_ARM)}
    return tuple((key, str(value)) for key, value in kept.items())


def _row(arm: tuple[tuple[str, str], ...], shared: set[tuple[str, str]], group: list[dict[str, Any]]) -> dict[str, Any]:
    own = dict(item for item in arm if item not in shared)
    name = own.pop("pooling.name", dict(arm)["pooling.name"])
    # A pooling's other options show only where arms of one name differ, which `shared` cannot tell: show them all.
    label = " ".join(
        [name, *(f"{key.removeprefix('pooling.')}={value}" for key, value in own.items() if value != "None")]
    )
    done = [record["metrics"] for record in group if record["status"] == "completed"]
    accuracies = [metrics["test/accuracy"] for metrics in done]
    unfinished = len(group) - len(done)
    return {
        "arm": label,
        "runs": f"{len(done)} (+{unfinished} not completed)" if unfinished else str(len(done)),
        "test accuracy": statistics.mean(accuracies) if accuracies else None,
        "sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "train images/s": _median(done, "speed/train_images_per_s"),
        "latency ms": _median(done, "speed/infer_latency_ms_median"),
        "saved MB": _median(done, "cost/pooling_saved_bytes", 1e-6),
        "parameters": _median(done, "cost/parameters"),
    }


def _median(done: list[dict[str, Any]], name: str, unit: float = 1.0) -> float | None:
    values = [metrics[name] * unit for metrics in done if metrics.get(name) is not None]
    return statistics.median(values) if values else None


def _cells(row: dict[str, Any]) -> list[str]:
    forms = {"test accuracy": ".4f", "sd": ".4f", "train images/s": ",.0f", "latency ms": ".2f", "saved MB": ".1f"}
    cells = []
    for column in COLUMNS:
        value = row[column]
        cells.append(
            "-" if value is None else value if isinstance(value, str) else format(value, forms.get(column, ",.0f"))
        )
    return cells
