"""Finds the object that a name of own code stands for, checks its kind, and hashes its files."""

import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from poolab.errors import ConfigError
from poolab.own_code.importing import imported
from poolab.paths import config_dir

# The groups of choices, and the entry points of packages that belong to each.
ENTRY_POINTS = {
    "pooling": "poolab.poolings",
    "head": "poolab.poolings",
    "backbone": "poolab.backbones",
    "data": "poolab.data",
}
# What a class must be derived from, by its qualified name: nothing is imported here to ask for it.
BASES = {
    "pooling": "poolab.pooling.core.base.Pool",
    "head": "poolab.pooling.core.base.Pool",
    "backbone": "poolab.backbones.base.Backbone",
}
HOW = {
    "pooling": "derive it from poolab.pooling.WindowPool2d and give it a static method formula(windows, ...) (for a "
    "head, from HeadPool2d and formula(map, ...))",
    "backbone": "derive it from poolab.backbones.Backbone, with a constructor (slots, *, in_channels, num_classes, "
    "image_size) and a method features(images)",
    "data": "write a function (request) that returns a poolab.data.Raw, or a poolab.data.DataSource",
}
HOW["head"] = HOW["pooling"]
PAGE = "see docs/your_own_pooling.md"


@dataclass(frozen=True)
class OwnCode:
    """The object that an import path or an entry point names.

    Attributes:
        name: as it was typed.
        value: the class, function or object.
        qualified: its module and its name there.
        files: its source file and those of the classes that it is derived from, other than poolab's and torch's, each
            with the hash of its bytes.
        sha256: the hash of the qualified names and of the files' bytes, wherever they lie.
    """

    name: str
    value: Any
    qualified: str
    files: Mapping[Path, str]
    sha256: str


_FOUND: dict[tuple[str, str], OwnCode] = {}


def is_own(name: object, group: str) -> bool:
    """Return whether a name stands for code outside of poolab: an import path or an entry point. Imports nothing.

    >>> is_own("my_module:MyPool", "pooling"), is_own("avg_topk", "pooling")
    (True, False)
    """
    if not isinstance(name, str) or ":" in name:
        return isinstance(name, str)
    # In this order: to look through the installed packages takes 10 ms.
    return "/" not in name and name.isprintable() and not _is_poolabs(name, group) and name in entry_points(group)


def find_own(name: str, group: str) -> OwnCode:
    """Import what a name stands for, once in a process.

    Args:
        name: MODULE:NAME, or the name of an entry point.
        group: pooling, head, backbone or data.

    Raises:
        ConfigError: there is no such module or name, its import fails, or it is not what the group takes.
    """
    key = (name, ENTRY_POINTS[group])
    if key not in _FOUND:
        where = f"{group}={name}"
        path = name if ":" in name else entry_points(group)[name]
        module, attribute, value = imported(path, where)
        _check_kind(value, group, where)
        _FOUND[key] = _hashed(name, value, module, attribute, where)
    return _FOUND[key]


def find_function(path: str, where: str) -> Callable[..., Any]:
    """Import the function of an import path, MODULE:NAME.

    Args:
        where: what it was given as, for the message.

    Raises:
        ConfigError: there is no such module or name, its import fails, or it is no function.
    """
    _, attribute, value = imported(path, where)
    if not callable(value) or inspect.isclass(value):
        raise ConfigError(f"{where}: {attribute} is {_article(value)}, and a function is wanted")
    return value


def _article(value: Any) -> str:
    return "a class" if inspect.isclass(value) else f"a {type(value).__name__}"


def entry_points(group: str) -> Mapping[str, str]:
    """Return the entry points of the installed packages for a group: the import path of each name.

    A name that poolab itself has stays poolab's.
    """
    points = _entry_points(ENTRY_POINTS[group])
    return {name: path for name, path in points.items() if not _is_poolabs(name, group)}


@cache
def _entry_points(label: str) -> Mapping[str, str]:
    from importlib import metadata

    return {point.name: point.value for point in metadata.entry_points(group=label)}


def _is_poolabs(name: str, group: str) -> bool:
    return (config_dir() / group / f"{name}.yaml").exists()


def all_found() -> list[OwnCode]:
    """Return all own code that this process has imported."""
    return list(_FOUND.values())


def own_files() -> list[Path]:
    """Return the files of all own code that this process has imported."""
    return sorted({file for found in _FOUND.values() for file in found.files})


def _check_kind(value: Any, group: str, where: str) -> None:
    """Check that a value is what the group takes: a class with the right base; for data, what can be called.

    Raises:
        ConfigError: it is not; the message says what to write.
    """
    name = getattr(value, "__qualname__", type(value).__qualname__)
    if group == "data":
        if inspect.isclass(value) or not (callable(value) or type(value).__qualname__ == "DataSource"):
            what = f"the class {name}" if inspect.isclass(value) else f"a {type(value).__name__}"
            raise ConfigError(f"{where}: it is {what}, and data is loaded by a function: {HOW[group]}; {PAGE}")
        return
    noun = "a pooling" if group != "backbone" else "a backbone"
    if not inspect.isclass(value):
        what = "a lambda" if name == "<lambda>" else "a function" if callable(value) else f"a {type(value).__name__}"
        if _kinds(type(value)) & {"torch.nn.modules.module.Module"}:
            what = f"an object of the class {type(value).__name__}; name the class"
        raise ConfigError(f"{where}: it is {what}, and {noun} is a class: {HOW[group]}; {PAGE}")
    if BASES[group] not in _kinds(value):
        module = "an nn.Module" if "torch.nn.modules.module.Module" in _kinds(value) else "a class"
        raise ConfigError(
            f"{where}: {name} is {module} but not {noun} of poolab's kind, which knows its sizes and settings: "
            f"{HOW[group]}; {PAGE}"
        )
    if value.__module__.split(".")[0] == "poolab":
        raise ConfigError(f"{where}: {name} is poolab's: choose it by its name (--help lists them), or derive from it")


def _kinds(cls: type) -> set[str]:
    return {f"{one.__module__}.{one.__qualname__}" for one in cls.__mro__}


def _hashed(name: str, value: Any, module: ModuleType, attribute: str, where: str) -> OwnCode:
    """Return what was found with the hash of its files."""
    sources = [
        (one.__module__, f"{one.__module__}.{one.__qualname__}")
        for one in (value.__mro__ if inspect.isclass(value) else [])
        if one.__module__.split(".")[0] not in ("poolab", "torch", "builtins", "abc", "typing")
    ]
    if not sources:
        own = getattr(value, "__module__", None) if inspect.isroutine(value) else module.__name__
        sources = [(own or module.__name__, f"{own or module.__name__}.{getattr(value, '__qualname__', attribute)}")]
    digest, files = hashlib.sha256(), dict[Path, str]()
    for source, qualified in sources:
        file = getattr(sys.modules.get(source), "__file__", None)
        if file is None:
            raise ConfigError(f"{where}: {qualified} has no source file, so that no run can say what it was made with")
        try:
            files[Path(os.path.realpath(file))] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        except OSError as fault:
            raise ConfigError(f"{where}: {file} cannot be read: {fault.strerror}") from fault
        digest.update(f"{qualified}\0".encode())
    for content in files.values():
        digest.update(content.encode())
    return OwnCode(name, value, sources[0][1], files, digest.hexdigest())
