"""The resources that a study asks SLURM for, and the settings that they add to its cells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poolab.errors import ConfigError
from poolab.study.sweep.cells import assignments

TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")
RESTARTS = 20
WARNING = 120  # seconds before the time limit at which SLURM asks the run to stop, of a job of eight minutes or more
# What the batch script says itself; another value would break what it promises.
OWN = ("array", "chdir", "job-name", "nodes", "ntasks", "ntasks-per-node", "open-mode", "output", "requeue", "wrap")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """One job's share of the cluster.

    Raises:
        ConfigError: what SLURM would not take, or only misunderstand.
    """

    time: str
    partition: str | None = None
    nodes: int = 1
    tasks_per_node: int | None = None
    gpus_per_node: int | None = None
    cpus_per_task: int = 1
    mem: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    max_parallel: int | None = None
    restarts: int = RESTARTS
    setup: tuple[str, ...] = ()
    sbatch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        errors = [
            f"--{name.replace('_', '-')} must be at least {least}, found {value}"
            for name, least in COUNTS.items()
            if (value := getattr(self, name)) is not None and value < least
        ]
        if not TIME.fullmatch(self.time):
            errors.append(f"--time {self.time!r}: SLURM takes minutes, hours:minutes:seconds or days-hours:minutes")
        if self.gpus_per_node and self.tasks_per_node not in (None, self.gpus_per_node):
            errors.append(
                f"--tasks-per-node {self.tasks_per_node}: there is one task for each of the GPUs; leave it out"
            )
        for text in self.sbatch:
            key = text.partition("=")[0]
            if not re.fullmatch(r"[a-z][a-z-]*", key):
                errors.append(f"--sbatch {text!r}: KEY=VALUE without hyphens before it, e.g. mail-type=END")
            elif key in OWN:
                errors.append(f"--sbatch {text!r}: poolab sets {key} itself")
        given = [*self._given().values(), *self.sbatch]
        errors += [f"{text!r} has a character that no option of SLURM has" for text in given if not text.isprintable()]
        if errors:
            raise ConfigError("\n".join(errors))

    @property
    def tasks(self) -> int:
        """Tasks on each node: one for each device."""
        return self.gpus_per_node or self.tasks_per_node or 1

    @property
    def warning(self) -> int:
        """The number of seconds before the time limit at which SLURM asks the run to stop."""
        return max(1, min(WARNING, seconds(self.time) // 4))

    @property
    def options(self) -> list[tuple[str, str | None]]:
        """Return options of sbatch. Those of --sbatch come last: of two equal options SLURM takes the last."""
        return [*self._given().items(), *map(_pair, self.sbatch)]

    def _given(self) -> dict[str, str]:
        named = ("partition", "time", "gpus_per_node", "cpus_per_task", "mem", "account", "qos", "constraint")
        values = {name.replace("_", "-"): getattr(self, name) for name in named}
        return {name: str(value) for name, value in values.items() if value is not None}

    def words(self, extra: Sequence[str]) -> list[str]:
        """Return the settings that the cells get beside those of the command line: how many processes a run has.

        Raises:
            ConfigError: the command line tells them something else.

        >>> Resources(time="60", gpus_per_node=4).words(["trainer.epochs=3"])
        ['trainer=ddp', 'trainer.devices=4', 'trainer.num_nodes=1']
        """
        if self.tasks * self.nodes == 1:
            return []
        wanted = {"trainer": "ddp", "trainer.devices": str(self.tasks), "trainer.num_nodes": str(self.nodes)}
        said = dict(assignments(extra))
        others = [f"{key}={said[key]}" for key, value in wanted.items() if said.get(key, value) != value]
        if others:
            asked = f"--nodes {self.nodes} with {self.tasks} tasks on each"
            raise ConfigError(f"{', '.join(others)} does not fit {asked}: leave it out, submit sets it")
        return [f"{key}={value}" for key, value in wanted.items() if key not in said]


COUNTS: Mapping[str, int] = {
    **dict.fromkeys(("nodes", "tasks_per_node", "gpus_per_node", "cpus_per_task", "max_parallel"), 1),
    "restarts": 0,
}


def seconds(time: str) -> int:
    """Return the seconds of a time as SLURM writes it.

    >>> [seconds(text) for text in ("5", "5:30", "1:00:00", "1-0", "1-2:30")]
    [300, 330, 3600, 86400, 95400]
    """
    match = TIME.fullmatch(time)
    assert match is not None
    first, second, third = (int(match[name] or 0) for name in ("first", "second", "third"))
    if match["days"]:
        return int(match["days"]) * 86400 + first * 3600 + second * 60 + third
    if match["third"]:
        return first * 3600 + second * 60 + third
    return first * 60 + second


def _pair(text: str) -> tuple[str, str | None]:
    key, sign, value = text.partition("=")
    return key, value if sign else None
