"""The records of a folder as tables, one for each task: a row for each arm, its figures over the seeds."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolab.errors import PoolabError
from poolab.records.identity import NOT_IDENTITY, below, flatten
from poolab.records.schema import HEADLINES
from poolab.records.store import read_results

if TYPE_CHECKING:
    from rich.table import Table

# What the runs of one arm may differ by; the task has a table of its own.
NOT_ARM = (*NOT_IDENTITY, "task", "seed", "measure")
AT = "pooling.at."  # poolings of single slots
MATCHED = ("backbone.match", "backbone.match_to")
COLUMNS = ("arm", "runs", "test accuracy", "sd", "train images/s", "latency ms", "saved MB", "params")
# Of runs that go on from another one: their validation score with the old poolings, with the new, and after training.
TUNED = {"val before": "before/val/", "val exchanged": "exchanged/val/", "val after": "val/"}
# The column of a task's headline figure; images of one task and pixels of the other are never ranked together.
SCORES = {"classification": "test accuracy", "segmentation": "test mean IoU"}


def arms(runs_dir: str | Path) -> list[dict[str, Any]]:
    """One row for each arm, best mean score first: its runs, mean and standard deviation over seeds, costs.

    The score is "test accuracy" for classification, and "test mean IoU" for segmentation, whose rows come behind.
    An arm is named by its pooling, by the options of it that other arms of that pooling have otherwise, by whatever
    else the configurations do not share, and by the arm that it was made as large as.

    Raises:
        PoolabError: the folder has no records.
    """
    records = read_results(runs_dir)
    if not records:
        raise PoolabError(
            f"there are no records in {runs_dir}: make some with train.py, or name their folder with --runs"
        )
    return [row for task in SCORES for row in _arms_of(task, [one for one in records if _task(one) == task])]


def _arms_of(task: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[_arm(record["config"])].append(record)
    settings = [dict(arm) for arm in groups]
    rows = [_row(task, _label(own, settings), group) for own, group in zip(settings, groups.values(), strict=True)]
    return sorted(rows, key=lambda row: -(row[SCORES[task]] or 0.0))


def _task(record: dict[str, Any]) -> str:
    """A record's task; those of before there were tasks are of classification."""
    return str(record["config"].get("task", "classification"))


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table for each task, and one of the arms that went on from another run."""
    return "\n\n".join(_markdown_of(columns, part) for _, columns, part in _tables(rows))


def _markdown_of(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(_cells(row, columns)) + " |" for row in rows)])


def _tables(rows: list[dict[str, Any]]) -> list[tuple[str, tuple[str, ...], list[dict[str, Any]]]]:
    """The tables that show the rows: a title, the columns and their rows."""
    tables = []
    for task, score in SCORES.items():
        part = [row for row in rows if row["task"] == task]
        columns = tuple(score if column == SCORES["classification"] else column for column in COLUMNS)
        tuned = [row for row in part if TUNED.keys() <= row.keys()]
        tables += [(task, columns, part), (f"{task}: trained on with other poolings", ("arm", "runs", *TUNED), tuned)]
    return [table for table in tables if table[2]]


def mixed_code(runs_dir: str | Path) -> str | None:
    """A sentence where the records of a folder were made by different code, which a table must not hide."""
    return differing_code(read_results(runs_dir))


def differing_code(records: Sequence[Mapping[str, Any]]) -> str | None:
    """A sentence where records were made by different commits or package versions."""
    codes = [
        {"commit": one["commit"], "dirty": one["dirty"], **one["packages"]}
        for one in (record["environment"] for record in records)
    ]
    differing = sorted({name for code in codes for name in code if code[name] != codes[0].get(name)})
    return f"The records differ in the code that made them: {', '.join(differing)}." if differing else None


def print_arms(rows: list[dict[str, Any]]) -> None:
    """The rows on the terminal, a table for each task; its name stands above where there are two."""
    from rich.console import Console

    tables = _tables(rows)
    for number, (title, columns, part) in enumerate(tables):
        if len(tables) > 1:
            print("\n" * (number > 0) + title)
        Console(highlight=False).print(_terminal_table(columns, part))


def _terminal_table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in columns:
        arm = column == "arm"
        header = column.replace(" ", "\n")  # broken here and nowhere else, so that no number is
        table.add_column(header, justify="left" if arm else "right", min_width=15 if arm else None, no_wrap=not arm)
    for row in rows:
        table.add_row(*_cells(row, columns))
    return table


def _arm(config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    kept = {key: value for key, value in flatten(config).items() if not below(key, NOT_ARM)}
    return tuple((key, str(value)) for key, value in kept.items())


def _label(own: dict[str, str], everyone: list[dict[str, str]]) -> str:
    parts = [own["pooling.name"]]
    for key, value in own.items():
        if below(key, MATCHED):
            continue
        chooser = _chooser(key)
        peers = [other for other in everyone if chooser is None or other.get(chooser) == own.get(chooser)]
        if any(other.get(key) != value for other in peers):
            parts.append(f"{_short(key)}={value}")
    return " ".join([*parts, *_matched(own)])


def _chooser(key: str) -> str | None:
    """The setting that arms must share for another one to tell them apart: of an option, its pooling's name."""
    if not key.startswith("pooling."):
        return None
    is_option_of_slot = key.startswith(AT) and not key.endswith(".name")
    return f"{key.rpartition('.')[0]}.name" if is_option_of_slot else "pooling.name"


def _short(key: str) -> str:
    return key.removeprefix(AT).removesuffix(".name") if key.startswith(AT) else key.removeprefix("pooling.")


def _matched(own: dict[str, str]) -> list[str]:
    """The matched control in words, e.g. "with as many parameters as lip"."""
    by, to = MATCHED
    if own.get(by, "None") == "None":
        return []
    name = own.get(to) or own[f"{to}.name"]
    options = [f"{key.removeprefix(f'{to}.')}={value}" for key, value in own.items() if below(key, [to]) and key != to]
    words = " ".join([name, *(option for option in options if not option.startswith("name="))])
    return [f"with as many {own[by].replace('_', '-')} as {words}"]


def _row(task: str, label: str, group: list[dict[str, Any]]) -> dict[str, Any]:
    done = [record["metrics"] for record in group if record["status"] == "completed"]
    scores = [metrics[f"test/{HEADLINES[task]}"] for metrics in done]
    unfinished = len(group) - len(done)
    return {
        "task": task,
        "arm": label,
        "runs": f"{len(done)} (+{unfinished} not completed)" if unfinished else str(len(done)),
        SCORES[task]: statistics.mean(scores) if scores else None,
        "sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "train images/s": _median(done, "speed/train_images_per_s"),
        "latency ms": _median(done, "speed/infer_latency_ms_median"),
        "saved MB": _median(done, "cost/pooling_saved_bytes", 1e-6),
        "params": _median(done, "cost/parameters"),
        **_tuned(task, done),
    }


def _tuned(task: str, done: list[dict[str, Any]]) -> dict[str, float]:
    """The means before the exchange, after it, and after training, of runs that were trained on."""
    runs = [metrics for metrics in done if f"before/val/{HEADLINES[task]}" in metrics]
    return {
        column: statistics.mean(metrics[f"{stage}{HEADLINES[task]}"] for metrics in runs)
        for column, stage in TUNED.items()
        if runs
    }


def _median(done: list[dict[str, Any]], name: str, unit: float = 1.0) -> float | None:
    values = [metrics[name] * unit for metrics in done if metrics.get(name) is not None]
    return statistics.median(values) if values else None


def _cells(row: dict[str, Any], columns: tuple[str, ...]) -> list[str]:
    forms = {
        **dict.fromkeys((*SCORES.values(), *TUNED), ".4f"),
        "sd": ".4f",
        "train images/s": ",.0f",
        "latency ms": ".2f",
        "saved MB": ".1f",
    }
    cells = []
    for column in columns:
        value = row.get(column)
        is_number = isinstance(value, int | float)
        cells.append(format(value, forms.get(column, ",.0f")) if is_number else value or "-")
    return cells
