"""The check of a whole configuration before anything runs: all faults come at once."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from poolab.data import load_data
from poolab.errors import ConfigError, nearest
from poolab.measure.corruptions import CORRUPTIONS, SEVERITIES
from poolab.measure.full import ROBUSTNESS
from poolab.measure.scales import SCALE_MODES, SCALES
from poolab.measure.shifts import SHIFT_PADDINGS
from poolab.pooling.options import Choice, Integer, Option, Real, checked, flag
from poolab.training.tasks import check_task


class Devices(Option):
    """A number of devices, a list of their indices, or "auto"."""

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        whole = [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int)]
        fits = isinstance(value, list) and value and len(whole) == len(value) and min(whole) >= 0
        if value == "auto" or fits or (whole and not isinstance(value, bool | list) and (value >= 1 or value == -1)):
            return None
        return f"must be a number >= 1, a list of device indices, or auto, found {value!r}"


class Nullable(Option):
    """Another option, or null."""

    def __init__(self, option: Option):
        super().__init__(None)
        object.__setattr__(self, "option", option)

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        return None if value is None else self.option.fault(value, cells)  # type: ignore[attr-defined]


class Betas(Option):
    """Adam's two decay rates."""

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        numbers = isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
        return None if numbers and all(0 <= v < 1 for v in value) else f"must be two numbers in [0, 1), found {value!r}"


class Text(Option):
    """A text that is not empty."""

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        return None if isinstance(value, str) and value else f"must be a text, found {value!r}"


class Texts(Option):
    """A list of texts."""

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        fits = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return None if fits else f"must be a list of texts, found {value!r}"


class Several(Option):
    """A list of values that another option allows, none of them twice; `empty` allows none at all."""

    def __init__(self, default: tuple[Any, ...], option: Option, empty: bool = False):
        super().__init__(default)
        object.__setattr__(self, "option", option)
        object.__setattr__(self, "empty", empty)

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        if not isinstance(value, list | tuple) or not (value or self.empty):  # type: ignore[attr-defined]
            return f"must be a list{'' if self.empty else ' of at least one'}, found {value!r}"  # type: ignore[attr-defined]
        faults = [self.option.fault(one, cells) for one in value]  # type: ignore[attr-defined]
        twice = [one for index, one in enumerate(value) if one in value[:index]]
        faults += [f"must not have {twice[0]!r} twice"] if twice else []
        return next(filter(None, faults), None)


PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "64-true", "bf16-true", "16-true")

TRAINER: dict[str, Option] = {
    "accelerator": Choice("auto", ("auto", "cpu", "gpu", "cuda", "mps")),
    "strategy": Choice("auto", ("auto", "ddp")),
    "devices": Devices(1),
    "num_nodes": Integer(1),
    "precision": Choice("32-true", PRECISIONS),
    "epochs": Integer(10),
    "gradient_clip": Nullable(Real(1.0, least=0.0, open_least=True)),
    "channels_last": flag(False),
    "compile": flag(False),
    # Not auto: a run that goes on from a checkpoint must round as the one that wrote it.
    "backend": Choice("fused", ("fused", "plain", "auto")),
    "sync_batchnorm": flag(False),
    "checkpoint_epochs": Integer(1),
    "progress_bar": flag(True),
    "threads": Nullable(Integer(1)),
}

SCHEDULE: dict[str, Option] = {
    "lr": Real(0.001, least=0.0, open_least=True),
    "weight_decay": Real(0.0, least=0.0),
    "schedule": Choice("cosine", ("cosine", "one_cycle", "constant")),
    "warmup": Real(0.0, least=0.0, most=0.9),
    "label_smoothing": Real(0.0, least=0.0, most=0.99),
}
ADAM: dict[str, Option] = {**SCHEDULE, "betas": Betas((0.9, 0.999))}
OPTIMIZERS: dict[str, dict[str, Option]] = {
    "adam": ADAM,
    "adamw": ADAM,
    "sgd": {**SCHEDULE, "momentum": Real(0.9, least=0.0, most=0.999), "nesterov": flag(True)},
}

# What goes to the batches; the rest of `data` goes to load_data.
LOADER = ("batch_size", "eval_batch_size", "flip", "crop_padding")
GROUPS = ("pooling", "head", "backbone", "data", "optim", "trainer", "tracker", "measure")
ROOT = ("task", "seed", "runs_dir", "force", "recipe", *GROUPS)

COSTS: dict[str, Option] = {
    "latency_batch_size": Integer(1),
    "throughput_batch_size": Integer(256),
    "seconds": Real(2.0, least=0.0, open_least=True),
}
MEASURES: dict[str, dict[str, Option]] = {
    "costs": COSTS,
    "full": {
        **COSTS,
        "robustness": Several(ROBUSTNESS, Choice("shift", ROBUSTNESS), empty=True),
        "calibration": flag(True),
        "footprints": flag(True),
        "images": Nullable(Integer(1)),
        "max_shift": Nullable(Integer(1)),
        "shift_padding": Choice("circular", tuple(SHIFT_PADDINGS)),
        "corruptions": Several(CORRUPTIONS, Choice("jpeg", CORRUPTIONS)),
        "severities": Several(SEVERITIES, Integer(1, least=1, most=5)),
        "scales": Several(SCALES, Real(1.0, least=0.0, open_least=True)),
        "scale_mode": Choice("canvas", SCALE_MODES),
        "footprint_images": Integer(64),
    },
}


# What is the run's and not the network's own; the rest of `backbone` goes to create_backbone.
MATCH: dict[str, Option] = {"match": Nullable(Choice("parameters", ("parameters", "multiply_adds")))}

TRACKERS: dict[str, dict[str, Option]] = {
    "none": {},
    "wandb": {
        "mode": Nullable(Choice("offline", ("offline", "online"))),
        "project": Nullable(Text("")),
        "entity": Nullable(Text("")),
        "group": Nullable(Text("")),
        "tags": Texts(()),
        "init_timeout": Real(20, least=0.0, open_least=True),
        "finish_timeout": Real(60, least=0.0, open_least=True),
    },
}
RECIPES: dict[str, dict[str, Option]] = {"finetune": {"checkpoint": Nullable(Text(""))}}
ROOTS: dict[str, Option] = {"runs_dir": Text("runs"), "force": flag(False)}


def check_settings(config: Mapping[str, Any]) -> None:
    """Check all settings but those of the data, the network and the pooling, which check their own.

    Raises:
        ConfigError: every fault, each on its line; without another, that task, backbone and data set do not fit.
    """
    faults = [
        f"{key}: there is no such setting; {nearest(key, list(ROOT))}the settings are {', '.join(ROOT)}"
        for key in config
        if key not in ROOT
    ]
    known = [name for name in inspect.signature(load_data).parameters if name != "seed"] + list(LOADER)
    for key in config["data"]:
        if key not in known:
            faults.append(f"data.{key}: there is no such setting; {nearest(key, known)}data takes {', '.join(known)}")
    seed = config.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        faults.append(f"seed must be an int from 0 to 2**63 - 1 (0 is a seed), found {seed!r}")
    root = {key: config[key] for key in ROOTS if key in config}
    faults += _faults("settings", ROOTS, root)
    faults += _faults("trainer", TRAINER, config["trainer"])
    faults += _faults_by_name("measure", MEASURES, config["measure"])
    faults += _faults_by_name("optim", OPTIMIZERS, config["optim"])
    faults += _faults_by_name("tracker", TRACKERS, config["tracker"])
    if config.get("recipe") is not None:
        faults += _faults_by_name("recipe", RECIPES, config["recipe"])
    faults += _match_faults(config["backbone"])
    if faults:
        raise ConfigError("\n".join(faults))
    check_task(config)
    _check_global_batch(config["data"]["batch_size"], config["trainer"])


def _check_global_batch(batch: int, trainer: Mapping[str, Any]) -> None:
    """What the loaders would say only once the processes run; devices=auto is left to them."""
    devices = trainer["devices"]
    count = len(devices) if isinstance(devices, list) else devices
    if isinstance(count, int) and count > 0 and batch % (count * trainer["num_nodes"]):
        count *= trainer["num_nodes"]
        below = batch // count * count
        choices = [str(size) for size in (below, below + count) if size > 0]
        raise ConfigError(
            f"data.batch_size={batch} is the batch over all processes and does not divide by {count} processes: "
            f"choose {' or '.join(choices)}"
        )


def _match_faults(backbone: Mapping[str, Any]) -> list[str]:
    match, match_to = backbone.get("match"), backbone.get("match_to")
    if match is None and match_to is not None:
        return [f"backbone.match_to={match_to} needs backbone.match=parameters or multiply_adds: what is to be equal"]
    if match is not None and match_to is None:
        return [f"backbone.match={match} needs backbone.match_to: the other arm's pooling, e.g. backbone.match_to=lip"]
    return _faults("backbone", MATCH, {"match": match})


def _faults(group: str, declared: Mapping[str, Option], given: Mapping[str, Any]) -> list[str]:
    try:
        checked(group, declared, given, None)
    except ValueError as fault:
        return [str(fault)]
    return []


def _faults_by_name(group: str, kinds: Mapping[str, Mapping[str, Option]], settings: Mapping[str, Any]) -> list[str]:
    given = dict(settings)
    name = given.pop("name", None)
    if name not in kinds:
        return [f"{group}.name must be one of {', '.join(kinds)}, found {name!r}"]
    return _faults(group, kinds[name], given)


def warmup_share(optim: Mapping[str, Any]) -> float:
    """The share of the steps over which the rate rises; one-cycle cannot do without."""
    share = float(optim["warmup"])
    return 0.3 if optim["schedule"] == "one_cycle" and math.isclose(share, 0.0) else share
