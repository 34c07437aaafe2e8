"""Make the job that runs a cell: of train.py, or of any other program."""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from poolab.errors import ConfigError, PoolabError
from poolab.run_config import RunConfig, WandbConfig
from poolab.study.folders import working_folder
from poolab.study.plan.cache import remember
from poolab.study.plan.checks import Checks
from poolab.study.plan.plan import Planned, plan
from poolab.study.plan.threads import differing_threads, share
from poolab.study.runner.jobs import Files, Job
from poolab.study.sweep.cells import Cell, assignments, in_words
from poolab.study.sweep.command import command
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.sweep_file import Study


class Trained:
    """Jobs of train.py: checked, and identified by their runs' signatures, so that studies share runs."""

    def __init__(self, study: Study, extra: Sequence[str], runs: Path, workers: int):
        if any(key == "runs_dir" for key, _ in assignments(extra)):
            raise ConfigError("set the folder of the runs with --runs, not with runs_dir=")
        self.study, self.runs, self.workers = study, runs, workers
        self.extra = (*extra, f"runs_dir={in_words(str(runs))}")
        self.checks = Checks()

    def all(self) -> list[Job]:
        """Return the jobs of a grid's cells; all errors are reported at once."""
        made = plan(self.study, self.extra, checks=self.checks)
        remember(made)
        finished = [one for one in made.cells if one.signature in made.finished]
        left = [one for one in made.cells if one.signature not in made.finished]
        note = differing_threads(left, finished, share(self.workers))
        if note is not None:
            print(f"poolab: {note}", file=sys.stderr)
        return list({planned.signature: self._job(planned) for planned in made.cells}.values())

    def check(self) -> None:
        """Check every kind of cell that a search can draw.

        Raises:
            ConfigError: with all errors; or the runs are to be made again, which a search cannot.
        """
        if any(planned.config.force for planned in plan(self.study, self.extra, checks=self.checks).cells):
            raise ConfigError(
                "force=true: a search continues its trials; to start again, name another folder with --runs, "
                f"or delete studies/{self.study.name}.trials.jsonl in it"
            )

    def __call__(self, cell: Cell) -> Job:
        """Return the job of a cell that was drawn."""
        (planned,) = plan(self.study, self.extra, cells=[cell], checks=self.checks).cells
        return self._job(planned)

    def _job(self, planned: Planned) -> Job:
        config = with_threads(planned.config, share(self.workers))
        path = Files(self.runs.resolve(), self.study.name).config(planned.signature)
        return Job(
            key=planned.signature,
            text=str(planned.cell),
            command=(sys.executable, "-m", "poolab.study.runner.cell", str(path)),
            config=grouped(config, self.study.name),
            folder=planned.folder.path,
            forced=planned.config.force,
        )


class Programs:
    """Jobs of any other program, identified by the hash of the command that starts them."""

    def __init__(self, study: Study, extra: Sequence[str], runs: Path):
        self.study, self.extra, self.runs = study, tuple(extra), runs

    def all(self) -> list[Job]:
        """Return the jobs of a grid's cells."""
        jobs = [self(cell) for cell in grid_cells(self.study, self.extra)]
        return list({job.key: job for job in jobs}.values())

    def check(self) -> None:
        """Check nothing: only the program knows its settings."""

    def __call__(self, cell: Cell) -> Job:
        """Return the job of a cell."""
        study = self.study
        said = command(study.command, study.program, cell.values)
        key = self.key(cell)
        if "${args_json_file}" in study.command:
            said = self._with_file(cell, self.runs / "studies" / f"{study.name}.arguments" / f"{key}.json")
        return Job(key, str(cell), tuple(said))

    def key(self, cell: Cell) -> str:
        """Return twelve digits that identify the command of a cell and its working folder."""
        content = json.dumps([self.study.program, self.study.command, dict(cell.values), working_folder()])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _with_file(self, cell: Cell, path: Path) -> list[str]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(dict(cell.values)))
        except OSError as error:
            raise PoolabError(f"cannot write the arguments of a cell to {path}: {error}") from error
        return command(self.study.command, self.study.program, cell.values, str(path))


def with_threads(config: RunConfig, threads: int) -> RunConfig:
    """Return a configuration with this number of threads, unless it sets one."""
    if config.trainer.threads is not None:
        return config
    return replace(config, trainer=replace(config.trainer, threads=threads))


def grouped(config: RunConfig, study: str) -> RunConfig:
    """Return a configuration whose run W&B shows in the study's group, unless it names its own group."""
    tracker = config.tracker
    if not isinstance(tracker, WandbConfig) or tracker.group is not None or os.environ.get("WANDB_RUN_GROUP"):
        return config
    return replace(config, tracker=replace(tracker, group=study))
