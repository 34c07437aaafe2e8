"""The records of a folder as rows: one for each arm of each task, with its metrics over the seeds."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from poolab.errors import PoolabError
from poolab.records.contents import Content, content_of, own_settings, says_content, told_apart
from poolab.records.gathering import gather
from poolab.records.identity import NOT_IDENTITY, below
from poolab.records.labels import DATA_CONTENT, arm_labels, short_key, words_of
from poolab.records.record import Record, Tree
from poolab.records.schema import HEADLINES

# What the runs of one arm may differ by; the task has a table of its own.
NOT_ARM = (*NOT_IDENTITY, "task", "seed", "measure")
# Of runs that go on from another one: their validation score with the old poolings, with the new, and after training.
TUNED = {"val before": "before/val/", "val exchanged": "exchanged/val/", "val after": "val/"}
# The column of a task's headline figure; images of one task and pixels of the other are never ranked together.
SCORES = {"classification": "test accuracy", "segmentation": "test mean IoU"}
# What the heading of a table says where all its arms share it.
HEADING = ("data.name", "backbone.name", "head.name", "optim.name", "optim.lr", "trainer.epochs")

Metrics = Mapping[str, float | None]
Groups = dict[tuple[str, Content], list[Record]]  # by settings and content


@dataclass(frozen=True)
class Row:
    """An arm of a table: its label, how many runs it has, and its figures by the column's name.

    `shared` has the settings that all arms of the task share, in words.
    """

    task: str
    arm: str
    runs: str
    shared: str
    figures: Mapping[str, float | None]


def arms(runs_dir: str | Path) -> list[Row]:
    """Return one row for each arm, best mean score first: its runs, mean and standard deviation over seeds, costs.

    The score is "test accuracy" for classification, and "test mean IoU" for segmentation, whose rows come behind.
    An arm is named by its pooling, by the options of it that other arms of that pooling have otherwise, by whatever
    else the configurations do not share, and by the arm that it was made as large as. Runs on data sets or weights of
    different content are different arms.

    Raises:
        PoolabError: the folder has no records.
    """
    return arms_of(gather(runs_dir).records, runs_dir)


def arms_of(records: Sequence[Record], place: str | Path) -> list[Row]:
    """Return the rows of these records, which were read from `place`.

    Raises:
        PoolabError: there are none.
    """
    if not records:
        raise PoolabError(f"there are no records in {place}: make some with train.py, or name their folder with --runs")
    return [row for task in SCORES for row in _rows(task, [one for one in records if one.task == task])]


def differing_code(records: Iterable[Record]) -> str | None:
    """Return a sentence if records were made by different commits or package versions, else None."""
    codes = [_code(record.environment) for record in records]
    differing = sorted({name for code in codes for name in code if code[name] != codes[0].get(name)})
    return f"The records differ in the code that made them: {', '.join(differing)}." if differing else None


def mixed_code(runs_dir: str | Path) -> str | None:
    """Return a sentence if the records of a folder were made by different code; a table must show that."""
    return differing_code(gather(runs_dir).records)


def _code(environment: Tree) -> dict[str, object]:
    """Return the commit and the packages of an environment; empty if it does not name them."""
    packages = environment.get("packages")
    return {"commit": environment.get("commit"), "dirty": environment.get("dirty")} | (
        {str(name): version for name, version in packages.items()} if isinstance(packages, Mapping) else {}
    )


def _rows(task: str, records: Sequence[Record]) -> list[Row]:
    groups = _groups(records)
    settings = [words_of(_settings(group[0])) for group in groups.values()]
    contents: dict[tuple[str | None, str | None], list[Content]] = {}
    for own, (_, content) in zip(settings, groups, strict=True):
        contents.setdefault(_files_of(own), []).append(content)
    told = {files: told_apart(some) for files, some in contents.items()}
    for own, (_, content) in zip(settings, groups, strict=True):
        text = told[_files_of(own)][content]
        own |= {DATA_CONTENT: text} if text else {}
    shared = " ".join(
        f"{short_key(key)}={settings[0][key]}"
        for key in HEADING
        if len({own.get(key) for own in settings}) == 1 and key in settings[0]
    )
    labelled = zip(arm_labels(settings), groups.values(), strict=True)
    rows = [_row(task, label, shared, group) for label, group in labelled]
    return sorted(rows, key=lambda row: -(row.figures[SCORES[task]] or 0.0))


def _files_of(own: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the data set and the network, whose files may differ in content."""
    return own.get("data.name"), own.get("backbone.name")


def _groups(records: Sequence[Record]) -> Groups:
    """Return the records of each arm: those of the same settings and the same content."""
    groups: Groups = defaultdict(list)
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


def _by_source(groups: Groups) -> Groups:
    """Split an arm by the source runs of its runs, if one seed has several sources."""
    found: Groups = {}
    for (key, content), group in groups.items():
        sources = {(record.seed, content_of(record).source) for record in group if says_content(record)}
        several = max(Counter(seed for seed, _ in sources).values(), default=1) > 1
        for record in group:
            own = content_of(record) if several else content
            found.setdefault((key, own), []).append(record)
    return found


def _key(record: Record) -> str:
    return str(sorted(words_of(_settings(record)).items()))


def _settings(record: Record) -> Tree:
    return {key: value for key, value in own_settings(record).items() if _makes_arms(key)}


@lru_cache(maxsize=4096)
def _makes_arms(key: str) -> bool:
    return not below(key, NOT_ARM)


def _row(task: str, label: str, shared: str, group: Sequence[Record]) -> Row:
    score = f"test/{HEADLINES[task]}"
    # One run for each seed: where two differ in what was measured alone, they are not two trainings.
    done = {one.seed: one.metrics for one in group if one.completed and one.metrics.get(score) is not None}
    scores = _values(done.values(), score)
    unfinished = len({one.seed for one in group} - done.keys())
    runs = f"{len(done)} (+{unfinished} not completed)" if unfinished else str(len(done))
    figures = {
        SCORES[task]: statistics.mean(scores) if scores else None,
        "sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "train images/s": _median(done.values(), "speed/train_images_per_s"),
        "latency ms": _median(done.values(), "speed/infer_latency_ms_median"),
        "saved MB": _median(done.values(), "cost/pooling_saved_bytes", 1e-6),
        "params": _median(done.values(), "cost/parameters"),
        **_tuned(task, done.values()),
    }
    return Row(task, label, runs, shared, figures)


def _tuned(task: str, done: Iterable[Metrics]) -> dict[str, float]:
    """Return the means before the exchange, after it, and after training, of runs that continued another run."""
    names = {column: f"{stage}{HEADLINES[task]}" for column, stage in TUNED.items()}
    runs = [metrics for metrics in done if all(metrics.get(name) is not None for name in names.values())]
    return {column: statistics.mean(_values(runs, name)) for column, name in names.items() if runs}


def _median(done: Iterable[Metrics], name: str, unit: float = 1.0) -> float | None:
    values = [value * unit for value in _values(done, name)]
    return statistics.median(values) if values else None


def _values(done: Iterable[Metrics], name: str) -> list[float]:
    return [value for metrics in done if (value := metrics.get(name)) is not None]
