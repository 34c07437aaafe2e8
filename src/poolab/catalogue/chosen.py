"""A method that somebody asks for by words: its name or a preset's, and key=value options as for `train.py`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from poolab.errors import ConfigError, nearest
from poolab.paths import config_dir
from poolab.pooling import Pool, create_pool, get_pool, list_pools

KERNELS = (2, 4, 3)  # what is tried for a window method, so that also one that is tied to a size is shown
SET = {  # arguments of `create_pool` that are not options, and what sets them
    "name": "the method is the word before the options",
    "channels": "it is that of the map that is shown or measured; in a network it is set automatically",
    "dims": "a card and a picture are those of two dimensions",
    "generator": "the draws are those of seed 0",
}


def known(name: str) -> type[Pool]:
    """Return the class of a name.

    Raises:
        ConfigError: no such method; the message has the near names, of presets too.
    """
    try:
        return get_pool(name)
    except ValueError as fault:
        near = "" if "did you mean" in str(fault) else nearest(name.lower(), presets())
        raise ConfigError(str(fault).replace(": known:", f": {near}known:", 1)) from None


def presets() -> list[str]:
    """Return the names of the files of conf/pooling and conf/head that stand for a method with options.

    >>> "sppf" in presets(), "avg_topk_k3" in presets(), "max" in presets()
    (True, True, False)
    """
    names = {file.stem for group in ("pooling", "head") for file in (config_dir() / group).glob("*.yaml")}
    return sorted(name for name in names if preset(name))


def preset(name: str) -> tuple[str, dict[str, Any]] | None:
    """Return the method and the options that a preset stands for, or None where the name is no preset.

    >>> preset("avg_topk_k3"), preset("avg_topk")
    (('avg_topk', {'k': 3}), None)
    """
    import yaml

    if not name.isidentifier():  # a path or an import path
        return None
    for file in (config_dir() / group / f"{name}.yaml" for group in ("pooling", "head")):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if content.get("defaults") and "name" not in content:
            options = {key: value for key, value in content.items() if key != "defaults"}
            return content["defaults"][0], options
    return None


def own() -> list[str]:
    """Return the names of poolab's own methods, without those that a user registered."""
    return [name for name in list_pools() if get_pool(name).__module__.startswith("poolab.")]


def values(words: Sequence[str]) -> dict[str, Any]:
    """Parse the options of `key=value` words, whose values are written as for `train.py`.

    Raises:
        ConfigError: all arguments that are not options.

    >>> values(["k=3", "kernel_size=[3,2]", "p=inf", "norm=mean", "output_size=null"])
    {'k': 3, 'kernel_size': [3, 2], 'p': inf, 'norm': 'mean', 'output_size': None}
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser, found, faults = OverridesParser.create(), {}, []
    for word in words:
        try:
            key, equals, _ = word.partition("=")
            override = parser.parse_override(word) if equals and key.isidentifier() else None
        except HydraException:
            override = None
        if override is None or override.is_sweep_override():
            faults.append(f"{word} is not an option: write key=value, and a list as key=[1,2]")
        else:
            found[key] = override.value()
    if faults:
        raise ConfigError("; ".join(faults))
    return found


def make(
    cls: type[Pool], given: dict[str, Any], *, channels: int, kernels: Sequence[int] = KERNELS
) -> tuple[Pool, dict[str, Any]]:
    """Create the method with the given options; return also what it was made with beyond them.

    Without options it is made with its defaults; with its trial options where a default is missing or cannot be; a
    window method with the first of `kernels` that it takes. Its weights are drawn from seed 0, so that pictures and
    figures do not change; torch's global generator is left as it was.

    Raises:
        ConfigError: the options do not fit, with all faults of the first try; or some are not for the user to set.
    """
    import torch

    faults = [f"{key} is not to be given here: {why}; leave it out" for key, why in SET.items() if key in given]
    if faults:
        raise ConfigError("; ".join(faults))
    geometries: list[dict[str, Any]] = [{}]
    if cls.role == "window" and "kernel_size" not in given:
        geometries = [{"kernel_size": kernel} for kernel in kernels]
    trials: list[dict[str, Any]] = [{}] if given or not cls.trial else [{}, dict(cls.trial)]
    first = None
    for added in ({**geometry, **trial} for trial in trials for geometry in geometries):
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                return create_pool(cls.name, channels=channels, **{**added, **given}), added
        except ValueError as fault:
            first = first or fault
    raise ConfigError(str(first))


@contextmanager
def refusals(pool: Pool, shape: Sequence[int]) -> Iterator[None]:
    """Turn what a method refuses only when it gets the map into a fault of the options.

    Raises:
        ConfigError: the method refuses the map of this shape.
    """
    try:
        yield
    except ValueError as fault:
        shown = f"with these options {pool.name} cannot pool the map {tuple(shape)} that it is shown or measured on"
        raise ConfigError(f"{shown}: {fault}") from fault


def geometry_of(pool: Pool) -> str:
    """Describe the window of a window method."""
    return str(pool.geometry) if pool.role == "window" else ""
