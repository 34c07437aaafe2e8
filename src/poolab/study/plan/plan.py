"""A study's plan: every cell composed and checked before anything starts, with its signature and all errors at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from poolab.errors import ConfigError, PoolabError, nearest
from poolab.records import RunFolder, run_folder
from poolab.run_config import RunConfig
from poolab.study.folders import expanded
from poolab.study.plan.checks import Checks
from poolab.study.sweep.arms import label_arms
from poolab.study.sweep.candidates import sample_cells
from poolab.study.sweep.cells import Cell
from poolab.study.sweep.composition import Composer
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.mixed import ways_out
from poolab.study.sweep.sweep_file import Study


@dataclass(frozen=True)
class Planned:
    """A cell that can be run: its resolved configuration, its run's names, and the arm and seed that it is.

    `names` are the signature, and behind it the names that the run may have had in earlier versions.
    """

    cell: Cell
    config: RunConfig
    names: tuple[str, ...]
    arm: str

    @property
    def signature(self) -> str:
        """The signature of its run."""
        return self.names[0]

    @property
    def seed(self) -> int:
        """The seed of its run."""
        return self.config.seed

    @property
    def setting(self) -> str:
        """The benchmark setting: data set and backbone. Arms are compared within one setting."""
        return f"{self.config.data.name}, {self.config.backbone.name}"

    @property
    def folder(self) -> RunFolder:
        """The folder of its run."""
        return run_folder(expanded(self.config.runs_dir), self.names)


@dataclass(frozen=True)
class Plan:
    """The runs of a study. For a random or bayes study, the cells are examples of those it may draw."""

    study: Study
    extra: tuple[str, ...]
    cells: tuple[Planned, ...]

    @property
    def runs_dir(self) -> Path:
        """The folder of its records."""
        return expanded(self.cells[0].config.runs_dir)

    @cached_property
    def finished(self) -> frozenset[str]:
        """The signatures of the runs with a result, which need not be made again."""
        if any(planned.config.force for planned in self.cells):
            return frozenset()
        return frozenset(planned.signature for planned in self.cells if _finished(planned))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, in the order of the file."""
        return tuple(dict.fromkeys(planned.arm for planned in self.cells))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order of the file."""
        return tuple(dict.fromkeys(planned.seed for planned in self.cells))

    @property
    def settings(self) -> tuple[str, ...]:
        """The benchmark settings, one table each."""
        return tuple(dict.fromkeys(planned.setting for planned in self.cells))


def _finished(planned: Planned) -> bool:
    """Return whether there is a result with all measures; of a damaged record `run` and `status` say what is wrong."""
    from poolab.training import missing_measures

    try:
        record = planned.folder.result
    except PoolabError:
        return False
    return record is not None and record.finished and not missing_measures(planned.config, record)


def plan(
    study: Study, extra: Sequence[str] = (), *, cells: Sequence[Cell] | None = None, checks: Checks | None = None
) -> Plan:
    """Compose and check every cell of a grid, or some cells that a random or bayes study could draw.

    Args:
        extra: key=value pairs of the command line, for every cell.
        cells: check these instead, e.g. what a search has drawn.
        checks: those that were done for other cells.

    Raises:
        ConfigError: cells that cannot be run, or two that are one run: every error on its line, once.

    >>> from poolab.study import read_study
    >>> planned = plan(read_study("sweeps/topk_k.yaml"))
    >>> len(planned.cells), planned.arms[:2], planned.seeds
    (60, ('avg_topk k=1 kernel_size=2', 'avg_topk k=2 kernel_size=2'), (0, 1, 2, 3, 4))
    """
    if not study.trains:
        raise ConfigError(f"{study.path}: only cells of train.py can be composed and checked, not of {study.program}")
    if cells is None:
        cells = grid_cells(study, extra) if study.method == "grid" else sample_cells(study, extra)
    composer, checks = Composer(), checks or Checks()
    found: list[tuple[Cell, RunConfig, tuple[str, ...]]] = []
    errors: dict[str, list[Cell]] = {}
    for cell in cells:
        try:
            found.append((cell, *checks(composer(cell))))
        except PoolabError as error:
            for line in str(error).splitlines():
                errors.setdefault(line, []).append(cell)
    for line in _metric_errors(study, [config for _, config, _ in found]):
        errors.setdefault(line, [])
    twins = _twins(found) if study.method == "grid" else []
    if errors or twins:
        ways = [f"  {sentence}" for sentence in ways_out(errors, cells)]
        raise ConfigError("\n".join([f"{study.path} cannot be run:", *_told(errors), *ways, *twins]))
    arms = label_arms(study, [config.tree() for _, config, _ in found], extra)
    labelled = zip(found, arms, strict=True)
    return Plan(study, tuple(extra), tuple(Planned(*one, arm) for one, arm in labelled))


# What an epoch and the test of each task give; of a class and of what is measured there are further names.
TASK_METRICS = {
    "classification": ("loss", "accuracy", "accuracy_top5", "calibration_error"),
    "segmentation": ("loss", "mean_iou", "dice", "accuracy"),
}


def _metric_errors(study: Study, configs: Sequence[RunConfig]) -> list[str]:
    """Return the errors of the metric that a search optimises, which would else show only after its first run."""
    name = study.metric.name if study.metric and study.method != "grid" else ""
    stage, _, figure = name.partition("/")
    known = {one for config in configs for one in TASK_METRICS.get(config.task, ())}
    if stage not in ("train", "val", "test") or not known or figure in known or "/" in figure:
        return []
    hint = nearest(figure, sorted(known))
    return [f"metric.name={name}: no run has it; {hint}{stage}/ has {', '.join(sorted(known))}"]


def _told(errors: dict[str, list[Cell]]) -> list[str]:
    """Return each error, with the first cell that has it."""
    lines = []
    for error, cells in errors.items():
        more = f", and in {len(cells) - 1} more" if len(cells) > 1 else ""
        lines += [f"  {error}", *([f"    in {cells[0]}{more}"] if cells else [])]
    return lines


def _twins(found: list[tuple[Cell, RunConfig, tuple[str, ...]]]) -> list[str]:
    """Return an error for cells of a grid that are the same run: such arms compare nothing."""
    cells: dict[str, list[Cell]] = {}
    for cell, _, names in found:
        cells.setdefault(names[0], []).append(cell)
    pairs = [(same[0], same[1]) for same in cells.values() if len(same) > 1]
    if not pairs:
        return []
    first, second = pairs[0]
    return [f"  {len(pairs)} runs are in it more than once, e.g.", f"    {first}", f"    {second}"]
