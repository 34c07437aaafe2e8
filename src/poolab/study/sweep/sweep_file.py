"""Read and check a study file, a plain W&B sweep file; all errors are reported at once."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from poolab.errors import ConfigError, nearest
from poolab.records import current_metric
from poolab.study.sweep.distributions import representable
from poolab.study.sweep.own_command import FORM, Started, read_command, with_words
from poolab.study.sweep.parameters import COUNTABLE, Parameter, cut, read_parameters
from poolab.study.sweep.report_keys import ANSWER_KEYS, beside
from poolab.study.sweep.yaml_file import read_yaml

METHODS = ("grid", "random", "bayes")
GOALS = ("minimize", "maximize")
KEYS = (
    *("program", "method", "metric", "parameters", "command", "early_terminate", "run_cap"),
    *("name", "description", "project", "entity"),  # of the sweep's page on W&B
)
HYPERBAND = ("type", "min_iter", "max_iter", "s", "eta", "strict")
NEAR = 20  # files that a message names
LONGEST_NAME = 200  # bytes of a file's name without .yaml: a file system takes 255 with what a study appends


class Metric(NamedTuple):
    """The metric of a search: its name in the run's summary, its goal, and the value that ends the search."""

    name: str
    goal: str
    target: float | None = None


class EarlyTermination(TypedDict, total=False):
    """The key `early_terminate` of a sweep file: hyperband with `min_iter`, or with `max_iter` and `s`."""

    type: str
    min_iter: int
    max_iter: int
    s: int
    eta: int
    strict: bool


@dataclass(frozen=True)
class Study:
    """A study file's content. `name` is the file's; `parameters` are flat, by their dotted names, in its order."""

    path: Path
    name: str
    program: str
    method: str
    metric: Metric | None
    parameters: tuple[Parameter, ...]
    command: tuple[str, ...]
    early_terminate: EarlyTermination | None = None
    run_cap: int | None = None
    description: str = ""
    margin: float | None = None  # points within which arms are equivalent, for the report
    looks: tuple[int, ...] | None = None  # numbers of seeds at which the results are looked at
    tuned: tuple[str, ...] = ()  # settings whose values were chosen for each arm, for the report
    trains: bool = True  # whether its program is poolab's: then a cell is a configuration, and its run has a signature

    @property
    def runs_dir(self) -> str | None:
        """The folder of the runs, if the file names one."""
        return next((str(one.values[0]) for one in self.parameters if self.trains and one.name == "runs_dir"), None)


def read_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises:
        ConfigError: it cannot be read, or W&B or poolab would refuse it: every error on a line of its own.

    >>> study = read_study("sweeps/slots.yaml")
    >>> study.program, study.method, [parameter.name for parameter in study.parameters][:2]
    ('train.py', 'grid', ['pooling', 'pooling.slots'])
    """
    path = Path(path)
    content = _load(path)
    errors: list[str] = []
    declared = beside(path, errors)
    parameters = tuple(read_parameters(content.get("parameters"), errors))
    errors = [*_errors(content), *errors, *_method_errors(content, parameters)]
    start = Started(trains=True)
    if _said(content):
        start = read_command(content["program"], list(map(str, content.get("command") or ())), errors)
        parameters = with_words(parameters, start, errors)
    errors += _folder_errors(parameters) if start.trains else []
    if errors:
        raise ConfigError("\n".join([f"{path} is not a valid study:", *(f"  {error}" for error in errors)]))
    metric = content.get("metric")
    return Study(
        path=path,
        name=path.stem,
        program=content["program"],
        method=content["method"],
        metric=metric and Metric(current_metric(metric["name"]), metric.get("goal", "minimize"), metric.get("target")),
        parameters=parameters,
        command=tuple(map(str, content.get("command") or ())),
        early_terminate=content.get("early_terminate"),
        run_cap=content.get("run_cap"),
        margin=declared.margin,
        looks=declared.looks,
        tuned=declared.tuned,
        description=str(content.get("description") or ""),
        trains=start.trains,
    )


def _load(path: Path) -> Mapping[Any, Any]:
    try:
        content = read_yaml(path)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise ConfigError(f"{path} is not a valid study: {error}") from error
        near = sorted(str(one) for one in path.parent.glob("*.yaml")) or sorted(map(str, Path("sweeps").glob("*.yaml")))
        also = f"; there are {', '.join(near[:NEAR])}{', ...' if len(near) > NEAR else ''}" if near else ""
        raise ConfigError(f"the study file {path} cannot be read: {error}{also}") from error
    if not isinstance(content, Mapping):
        found = "it is empty" if content is None else f"it has a {type(content).__name__}"
        raise ConfigError(
            f"{path} is not a valid study: it must be a mapping with program, method and parameters; {found}"
        )
    if len(os.fsencode(path.stem)) > LONGEST_NAME:
        raise ConfigError(
            f"{path} is not a valid study: its name is longer than {LONGEST_NAME} bytes, and its journal has a longer "
            "one; rename the file"
        )
    return content


def _errors(content: Mapping[Any, Any]) -> Iterator[str]:
    for key in content:
        if key in ANSWER_KEYS:
            yield f"{key}: W&B's schema of sweep files takes no key of others; write it into NAME.report.yaml beside it"
        elif key not in KEYS:
            yield f"there is no key {key}; {nearest(str(key), list(KEYS))}a study takes {', '.join(KEYS)}"
    program = content.get("program")
    if not isinstance(program, str) or not program:
        yield f"program must be the script of a run, train.py, found {cut(program)}"
    yield from _text_errors(content)
    method = content.get("method")
    if method not in METHODS:
        yield f"method must be one of {', '.join(METHODS)}, found {cut(method)}"
    cap = content.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        yield f"run_cap must be a whole number above 0, found {cut(cap)}"
    if content.get("metric") is not None:
        yield from _metric_errors(content["metric"])
    if content.get("early_terminate") is not None:
        yield from _termination_errors(content["early_terminate"], content.get("metric"))


def _text_errors(content: Mapping[Any, Any]) -> Iterator[str]:
    command = content.get("command")
    if command is not None and (not isinstance(command, list) or not all(map(_word, command))):
        yield f"command must be the list {FORM} or one of other texts, found {cut(command)}"
    for key in ("name", "description", "project", "entity"):
        if content.get(key) is not None and not isinstance(content[key], str):
            yield f"{key} must be a text, found {cut(content[key])}"


def _said(content: Mapping[Any, Any]) -> bool:
    """Return True if program and command have the right types."""
    program, command = content.get("program"), content.get("command") or []
    return isinstance(program, str) and bool(program) and isinstance(command, list) and all(map(_word, command))


def _word(word: Any) -> bool:
    return isinstance(word, str | int | float) and not isinstance(word, bool)


def _folder_errors(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for one in parameters:
        if one.name == "runs_dir" and not (len(one.values) == 1 and isinstance(one.values[0], str) and one.values[0]):
            yield "runs_dir: all runs of a study are in one folder: give one value, a path as text"


def _metric_errors(metric: Any) -> Iterator[str]:
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
        yield f"metric must have a name, e.g. val/accuracy, found {cut(metric)}"
        return
    if metric.get("goal", "minimize") not in GOALS:
        yield f"metric.goal must be {' or '.join(GOALS)}, found {cut(metric['goal'])}"
    target = metric.get("target", 0)
    if not isinstance(target, int | float) or isinstance(target, bool) or not math.isfinite(target):
        yield f"metric.target must be a finite number, found {cut(target)}"
    yield from (
        f"metric takes name, goal and target, found {key}" for key in metric.keys() - {"name", "goal", "target"}
    )
    if metric["name"].startswith("test/"):
        yield f"metric {metric['name']}: the test split is for the end; search by the same figure of val/"


def _termination_errors(given: Any, metric: Any) -> Iterator[str]:
    if not isinstance(given, Mapping) or given.get("type") != "hyperband":
        yield f"early_terminate must have type: hyperband, found {cut(given)}"
        return
    yield from (f"early_terminate takes {', '.join(HYPERBAND)}, found {key}" for key in given if key not in HYPERBAND)
    if ("min_iter" in given) == ("max_iter" in given):
        yield "early_terminate needs either min_iter, or max_iter and s"
    elif "max_iter" in given and "s" not in given:
        yield "early_terminate with max_iter needs s, the number of brackets"
    for key in ("min_iter", "max_iter", "s", "eta"):
        value, least = given.get(key, 2), 2 if key == "eta" else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f"early_terminate.{key} must be a whole number of at least {least}, found {cut(value)}"
            return
    if "max_iter" in given and given["max_iter"] < given.get("eta", 3):
        yield f"early_terminate has no bracket: max_iter must be eta at least, found {given['max_iter']}"
    if metric is None:
        yield "early_terminate needs a metric"


def _method_errors(content: Mapping[Any, Any], parameters: tuple[Parameter, ...]) -> Iterator[str]:
    names = [parameter.name for parameter in parameters]
    yield from (f"{name} is there twice" for name in sorted({name for name in names if names.count(name) > 1}))
    yield from (
        f"{one.name}: {one} goes beyond the numbers that a computer has (1.8e308)"
        for one in parameters
        if not representable(one)
    )
    if content.get("method") == "bayes" and content.get("metric") is None:
        yield "method: bayes needs a metric, e.g. name: val/accuracy and goal: maximize"
    if content.get("method") == "grid":
        for parameter in parameters:
            if parameter.distribution not in COUNTABLE:
                yield (
                    f"{parameter.name}: a grid cannot step through {parameter.distribution}: "
                    "write its values, or q_uniform or int_uniform"
                )
