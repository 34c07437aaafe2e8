"""The records of a folder as rows: one for each arm of each task, its figures over the seeds."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records.contents import Content, content_of, own_settings, says_content, told_apart
from poolab.records.gathering import gather
from poolab.records.identity import NOT_IDENTITY, below
from poolab.records.labels import AT, setting_words, short_key, value_words
from poolab.records.schema import HEADLINES

# What the runs of one arm may differ by; the task has a table of its own.
NOT_ARM = (*NOT_IDENTITY, "task", "seed", "measure")
MATCHED = ("backbone.match", "backbone.match_to")
# Of runs that go on from another one: their validation score with the old poolings, with the new, and after training.
TUNED = {"val before": "before/val/", "val exchanged": "exchanged/val/", "val after": "val/"}
# The column of a task's headline figure; images of one task and pixels of the other are never ranked together.
SCORES = {"classification": "test accuracy", "segmentation": "test mean IoU"}
CONTENT = "data content"  # stands among an arm's settings where arms differ in it
# What the heading of a table says where all its arms share it.
HEADING = ("data.name", "backbone.name", "head.name", "optim.name", "optim.lr", "trainer.epochs")

Settings = dict[str, Any]


def arms(runs_dir: str | Path) -> list[dict[str, Any]]:
    """Return one row for each arm, best mean score first: its runs, mean and standard deviation over seeds, costs.

    The score is "test accuracy" for classification, and "test mean IoU" for segmentation, whose rows come behind.
    An arm is named by its pooling, by the options of it that other arms of that pooling have otherwise, by whatever
    else the configurations do not share, and by the arm that it was made as large as. Runs on data sets or weights of
    different content are different arms.

    Raises:
        PoolabError: the folder has no records.
    """
    return arms_of(gather(runs_dir).records, runs_dir)


def arms_of(records: Sequence[Mapping[str, Any]], place: str | Path) -> list[dict[str, Any]]:
    """Return the rows of these records, which came from `place`.

    Raises:
        PoolabError: there are none.
    """
    if not records:
        raise PoolabError(f"there are no records in {place}: make some with train.py, or name their folder with --runs")
    return [row for task in SCORES for row in _rows(task, [one for one in records if _task(one) == task])]


def differing_code(records: Iterable[Mapping[str, Any]]) -> str | None:
    """Return a sentence where records were made by different commits or package versions, else None."""
    codes = [_code(record.get("environment")) for record in records]
    differing = sorted({name for code in codes for name in code if code[name] != codes[0].get(name)})
    return f"The records differ in the code that made them: {', '.join(differing)}." if differing else None


def mixed_code(runs_dir: str | Path) -> str | None:
    """Return a sentence where the records of a folder were made by different code, which a table must not hide."""
    return differing_code(gather(runs_dir).records)


def _code(environment: Any) -> dict[str, Any]:
    """Return the commit and the packages of an environment; nothing where it does not say them."""
    known = environment if isinstance(environment, Mapping) else {}
    packages = known.get("packages")
    return {"commit": known.get("commit"), "dirty": known.get("dirty")} | (
        {str(name): version for name, version in packages.items()} if isinstance(packages, Mapping) else {}
    )


def _task(record: Mapping[str, Any]) -> str:
    """Return a record's task; those of before there were tasks are of classification."""
    return str(record["config"].get("task", "classification"))


def _rows(task: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups = _groups(records)
    settings = [_settings(group[0]) for group in groups.values()]
    contents: dict[tuple[Any, Any], list[Content]] = {}
    for own, (_, content) in zip(settings, groups, strict=True):
        contents.setdefault(_files_of(own), []).append(content)
    told = {files: told_apart(some) for files, some in contents.items()}
    for own, (_, content) in zip(settings, groups, strict=True):
        text = told[_files_of(own)][content]
        own |= {CONTENT: text} if text else {}
    names = {key for own in settings for key in own}
    texts = [{key: _text(own, key) for key in names} for own in settings]
    varied = {key for key in names if len({text[key] for text in texts}) > 1}
    shared = " ".join(f"{short_key(key)}={value_words(settings[0][key])}" for key in HEADING if key in names - varied)
    spread = _spread(texts, varied)
    rows = [
        {"shared": shared, **_row(task, _label(own, spread, varied), group)}
        for own, group in zip(settings, groups.values(), strict=True)
    ]
    return sorted(rows, key=lambda row: -(row[SCORES[task]] or 0.0))


def _files_of(own: Settings) -> tuple[Any, Any]:
    """Return the data set and the network, whose files may differ in content."""
    return own.get("data.name"), own.get("backbone.name")


def _groups(records: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Content], list[Mapping[str, Any]]]:
    """Return the records of each arm: those of the same settings and the same content."""
    groups: dict[tuple[str, Content], list[Mapping[str, Any]]] = defaultdict(list)
    early = []
    for record in records:
        if says_content(record):
            groups[_key(record), content_of(record).shared].append(record)
        else:
            early.append(record)
    for record in early:  # it failed before it noted its data: it belongs to the arm of its settings
        key = _key(record)
        known = [one for one in groups if one[0] == key]
        groups[known[0] if known else (key, content_of(record).shared)].append(record)
    return _by_source(groups)


def _by_source(
    groups: Mapping[tuple[str, Content], list[Mapping[str, Any]]],
) -> dict[tuple[str, Content], list[Mapping[str, Any]]]:
    """Split an arm by the runs that its runs go on from, where a seed has several; else each seed has its own."""
    found: dict[tuple[str, Content], list[Mapping[str, Any]]] = {}
    for (key, content), group in groups.items():
        sources = {(record["config"]["seed"], content_of(record).source) for record in group if says_content(record)}
        several = max(Counter(seed for seed, _ in sources).values(), default=1) > 1
        for record in group:
            own = content_of(record) if several else content
            found.setdefault((key, own), []).append(record)
    return found


def _key(record: Mapping[str, Any]) -> str:
    return str(sorted((key, str(value)) for key, value in _settings(record).items()))


def _settings(record: Mapping[str, Any]) -> Settings:
    return {key: value for key, value in own_settings(record).items() if not below(key, NOT_ARM)}


def _text(own: Settings, key: str) -> str | None:
    return str(own[key]) if key in own else None


def _spread(texts: Sequence[Mapping[str, str | None]], varied: set[str]) -> dict[tuple[str, str | None], int]:
    """Return how many values each setting has, among the arms that share what it is told apart by."""
    values: dict[tuple[str, str | None], set[str | None]] = defaultdict(set)
    for text in texts:
        for key in varied:
            values[key, text.get(_chooser(key) or "")].add(text[key])
    return {kind: len(some) for kind, some in values.items()}


def _label(own: Settings, spread: Mapping[tuple[str, str | None], int], varied: set[str]) -> str:
    """Return the name of one arm: its pooling, and what the others of its kind have otherwise."""
    parts = [value_words(own["pooling.name"])]
    for key in own:
        if key not in varied or below(key, MATCHED):
            continue
        if spread[key, _text(own, _chooser(key) or "")] > 1:
            parts.append(f"({own[key]})" if key == CONTENT else setting_words(key, own[key]))
    return " ".join([*dict.fromkeys(parts), *_matched(own)])


def _chooser(key: str) -> str | None:
    """Return the setting that arms must share for another one to tell them apart: of an option, its pooling's name."""
    if not key.startswith("pooling."):
        return None
    is_option_of_slot = key.startswith(AT) and not key.endswith(".name")
    return f"{key.rpartition('.')[0]}.name" if is_option_of_slot else "pooling.name"


def _matched(own: Settings) -> list[str]:
    """Return the matched control in words, e.g. "with as many parameters as lip"."""
    by, to = MATCHED
    if own.get(by) is None:
        return []
    name = own.get(to) or own.get(f"{to}.name")
    options = [
        f"{key.removeprefix(f'{to}.')}={value_words(value)}"
        for key, value in own.items()
        if below(key, [to]) and key not in (to, f"{to}.name")
    ]
    return [f"with as many {str(own[by]).replace('_', '-')} as {' '.join([value_words(name), *options])}"]


def _row(task: str, label: str, group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    score = f"test/{HEADLINES[task]}"
    # One run for each seed: where two differ in what was measured alone, they are not two trainings.
    done = {
        one["config"]["seed"]: one["metrics"]
        for one in group
        if one["status"] == "completed" and one["metrics"].get(score) is not None
    }
    scores = [metrics[score] for metrics in done.values()]
    unfinished = len({one["config"]["seed"] for one in group} - done.keys())
    return {
        "task": task,
        "arm": label,
        "runs": f"{len(done)} (+{unfinished} not completed)" if unfinished else str(len(done)),
        SCORES[task]: statistics.mean(scores) if scores else None,
        "sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "train images/s": _median(done.values(), "speed/train_images_per_s"),
        "latency ms": _median(done.values(), "speed/infer_latency_ms_median"),
        "saved MB": _median(done.values(), "cost/pooling_saved_bytes", 1e-6),
        "params": _median(done.values(), "cost/parameters"),
        **_tuned(task, done.values()),
    }


def _tuned(task: str, done: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the means before the exchange, after it, and after training, of runs that were trained on."""
    names = {column: f"{stage}{HEADLINES[task]}" for column, stage in TUNED.items()}
    runs = [metrics for metrics in done if all(metrics.get(name) is not None for name in names.values())]
    return {column: statistics.mean(metrics[name] for metrics in runs) for column, name in names.items() if runs}


def _median(done: Iterable[Mapping[str, Any]], name: str, unit: float = 1.0) -> float | None:
    values = [metrics[name] * unit for metrics in done if metrics.get(name) is not None]
    return statistics.median(values) if values else None
