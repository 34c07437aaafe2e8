"""A study file: a plain W&B sweep file, read and checked; all faults at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from poolab.errors import ConfigError, nearest
from poolab.study.parameters import COUNTABLE, Parameter, read_parameters

METHODS = ("grid", "random", "bayes")
GOALS = ("minimize", "maximize")
KEYS = (
    *("program", "method", "metric", "parameters", "command", "early_terminate", "run_cap"),
    *("name", "description", "project", "entity"),  # of the sweep's page on W&B
)
HYPERBAND = ("type", "min_iter", "max_iter", "s", "eta", "strict")
MACROS = ("${program}", "${args_no_hyphens}")


class Metric(NamedTuple):
    """What a search goes by: a name of the run's summary, whether the least or the most of it is best, and how much of
    it ends the search.
    """

    name: str
    goal: str
    target: float | None = None


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
    early_terminate: Mapping[str, Any] | None = None
    run_cap: int | None = None
    description: str = ""

    @property
    def trains(self) -> bool:
        """Whether its program is poolab's: then a cell is a configuration, and its run has a signature."""
        return Path(self.program).name == "train.py"


def read_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises:
        ConfigError: it cannot be read, or W&B or poolab would refuse it: every fault on a line of its own.

    >>> study = read_study("sweeps/slots.yaml")
    >>> study.program, study.method, [parameter.name for parameter in study.parameters][:2]
    ('train.py', 'grid', ['pooling', 'pooling.slots'])
    """
    path = Path(path)
    content = _load(path)
    faults: list[str] = []
    parameters = tuple(read_parameters(content.get("parameters"), faults))
    faults = [*_faults(content), *faults, *_method_faults(content, parameters)]
    if faults:
        raise ConfigError("\n".join([f"{path} is no study:", *(f"  {fault}" for fault in faults)]))
    metric = content.get("metric")
    return Study(
        path=path,
        name=path.stem,
        program=content["program"],
        method=content["method"],
        metric=metric and Metric(metric["name"], metric.get("goal", "minimize"), metric.get("target")),
        parameters=parameters,
        command=tuple(content.get("command", ())),
        early_terminate=content.get("early_terminate"),
        run_cap=content.get("run_cap"),
        description=str(content.get("description") or ""),
    )


class _Loader(yaml.SafeLoader):
    """YAML as W&B reads it, but a key that stands twice is a fault: YAML would take the last one without a word."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = [key for index, key in enumerate(keys) if key in keys[:index]]
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"{twice[0]} stands there twice", node.start_mark)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _load(path: Path) -> Mapping[Any, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader
    except (OSError, UnicodeDecodeError) as fault:
        near = sorted(str(one) for one in path.parent.glob("*.yaml")) or sorted(map(str, Path("sweeps").glob("*.yaml")))
        also = f"; there are {', '.join(near)}" if near else ""
        raise ConfigError(f"the study file {path} cannot be read: {fault}{also}") from fault
    except yaml.YAMLError as fault:
        raise ConfigError(f"{path} is no YAML: {fault}") from fault
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} is no study: it must be a mapping with program, method and parameters")
    return content


def _faults(content: Mapping[Any, Any]) -> Iterator[str]:
    for key in content:
        if key not in KEYS:
            yield f"there is no key {key}; {nearest(str(key), list(KEYS))}a study takes {', '.join(KEYS)}"
    program = content.get("program")
    if not isinstance(program, str) or not program:
        yield f"program must be the script of a run, train.py, found {program!r}"
    elif Path(program).name == "train.py":
        yield from _command_faults(content.get("command"))
    elif not isinstance(content.get("command", []), list):
        yield f"command must be a list of words, found {content['command']!r}"
    method = content.get("method")
    if method not in METHODS:
        yield f"method must be one of {', '.join(METHODS)}, found {method!r}"
    cap = content.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        yield f"run_cap must be a whole number above 0, found {cap!r}"
    if content.get("metric") is not None:
        yield from _metric_faults(content["metric"])
    if content.get("early_terminate") is not None:
        yield from _termination_faults(content["early_terminate"], content.get("metric"))


def _command_faults(command: Any) -> Iterator[str]:
    """W&B's own command gives --key=value, which is not Hydra's form."""
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        yield (
            "command must be the list ${env}, ${interpreter}, ${program}, ${args_no_hyphens}: "
            f"W&B's own gives --key=value, which train.py does not take; found {command!r}"
        )
        return
    for macro in MACROS:
        if macro not in command:
            yield f"command lacks {macro}, found {', '.join(command)}"


def _metric_faults(metric: Any) -> Iterator[str]:
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
        yield f"metric must have a name, e.g. val/accuracy, found {metric!r}"
        return
    if metric.get("goal", "minimize") not in GOALS:
        yield f"metric.goal must be {' or '.join(GOALS)}, found {metric['goal']!r}"
    target = metric.get("target", 0)
    if not isinstance(target, int | float) or isinstance(target, bool):
        yield f"metric.target must be a number, found {target!r}"
    yield from (
        f"metric takes name, goal and target, found {key}" for key in metric.keys() - {"name", "goal", "target"}
    )
    if metric["name"].startswith("test/"):
        yield f"metric {metric['name']}: the test split is for the end; search by the same figure of val/"


def _termination_faults(given: Any, metric: Any) -> Iterator[str]:
    if not isinstance(given, Mapping) or given.get("type") != "hyperband":
        yield f"early_terminate must have type: hyperband, found {given!r}"
        return
    yield from (f"early_terminate takes {', '.join(HYPERBAND)}, found {key}" for key in given if key not in HYPERBAND)
    if ("min_iter" in given) == ("max_iter" in given):
        yield "early_terminate needs either min_iter, or max_iter and s"
    elif "max_iter" in given and "s" not in given:
        yield "early_terminate with max_iter needs s, the number of brackets"
    for key in ("min_iter", "max_iter", "s", "eta"):
        value, least = given.get(key, 2), 2 if key == "eta" else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f"early_terminate.{key} must be a whole number of at least {least}, found {value!r}"
            return
    if "max_iter" in given and given["max_iter"] < given.get("eta", 3):
        yield f"early_terminate has no bracket: max_iter must be eta at least, found {given['max_iter']}"
    if metric is None:
        yield "early_terminate needs a metric"


def _method_faults(content: Mapping[Any, Any], parameters: tuple[Parameter, ...]) -> Iterator[str]:
    names = [parameter.name for parameter in parameters]
    yield from (f"{name} stands there twice" for name in sorted({name for name in names if names.count(name) > 1}))
    if content.get("method") == "bayes" and content.get("metric") is None:
        yield "method: bayes needs a metric, e.g. name: val/accuracy and goal: maximize"
    if content.get("method") == "grid":
        for parameter in parameters:
            if parameter.distribution not in COUNTABLE:
                yield (
                    f"{parameter.name}: a grid cannot step through {parameter.distribution}: "
                    "write its values, or q_uniform or int_uniform"
                )
