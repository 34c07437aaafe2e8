"""Classes and functions of the user's own modules as choices: `pooling=my_module:MyPool`.

A name with a colon is an import path, MODULE:NAME. The module is found as `python -m` finds it: in the working folder
first, then among the installed packages. A name without a colon may be an entry point of an installed package. What a
run of such code is depends on the file that holds it, so that a hash of it stands in the configuration.
"""

import hashlib
import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from poolab.errors import ConfigError, nearest
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
CODE = "code_sha256"  # the setting that holds the hash
IMPORT_PATH = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
GIVEN = {  # arguments of a constructor that poolab sets, and that are no settings of the choice
    "pooling": (
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "ceil_mode",
        "channels",
        "generator",
        "dims",
        "slots",
        "at",
    ),
    "backbone": ("slots", "in_channels", "num_classes", "image_size", "match", "match_to"),
}
GIVEN["head"] = GIVEN["pooling"]


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
        module_name, attribute = _parts(path, where)
        module = _module(module_name, where)
        value = _attribute(module, attribute, where)
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
    module, attribute = _parts(path, where)
    value: Any = _attribute(_module(module, where), attribute, where)
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


def own_options(name: str, group: str) -> dict[str, Any]:
    """Return the arguments of a class's constructor that are settings, with their defaults; "???" stands for none.

    A default that no configuration file can hold (a dtype, a function) makes no setting.
    """
    value = find_own(name, group).value
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return {}
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    settings = {one.name: "???" if one.default is one.empty else one.default for one in named}
    return {
        key: _plain(value) for key, value in settings.items() if key not in GIVEN.get(group, ()) and _is_plain(value)
    }


def own_files() -> list[Path]:
    """Return the files of all own code that this process has imported."""
    return sorted({file for found in _FOUND.values() for file in found.files})


def with_code(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which each choice of own code holds the hash of that code, where it does not yet.

    >>> with_code({"seed": 0, "pooling": {"name": "max", "at": {}}})
    {'seed': 0, 'pooling': {'name': 'max', 'at': {}}}

    Raises:
        ConfigError: as `find_own`.
    """
    found = dict(config)
    for group in ENTRY_POINTS:
        choice = found.get(group)
        if isinstance(choice, Mapping):
            found[group] = _chosen(choice, group)
    return found


def _chosen(choice: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    changed = dict(choice)
    if isinstance(choice.get("at"), Mapping) and choice["at"]:
        changed["at"] = {slot: _whole(one, "pooling") for slot, one in choice["at"].items()}
    if choice.get("match_to") is not None:
        changed["match_to"] = _whole(choice["match_to"], "pooling")
    if is_own(choice.get("name"), group):
        changed.setdefault(CODE, find_own(choice["name"], group).sha256)
    return changed


def _whole(choice: Any, group: str) -> Any:
    """Return a pooling that is given by its name or with its options."""
    if isinstance(choice, Mapping):
        return _chosen(choice, group)
    return _chosen({"name": choice}, group) if is_own(choice, group) else choice


def code_facts(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the own code of a configuration, for its record: the qualified name, and the hashes of the files."""
    facts = {}
    for group, choice in _choices(config):
        if is_own(choice["name"], group):
            found = find_own(choice["name"], group)
            facts[found.qualified] = ", ".join(f"{file.name} {value}" for file, value in found.files.items())
    return facts


def code_faults(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each choice whose code is not that which the configuration was made with."""
    return [f"{what} was changed after this run was planned: start it again" for _, what in changed_code(config)]


def changed_code(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the group of each choice whose code is not that which the configuration was made with, and its files."""
    found = []
    for group, choice in _choices(config):
        if is_own(choice["name"], group):
            own = find_own(choice["name"], group)
            if choice.get(CODE) not in (None, own.sha256):
                found.append((group, f"{group}={choice['name']}: {', '.join(map(str, own.files))}"))
    return list(dict.fromkeys(found))


def _choices(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every named choice that may be own code, with its group."""
    for group in ENTRY_POINTS:
        choice = config.get(group)
        if not isinstance(choice, Mapping):
            continue
        inner = [*(choice.get("at") or {}).values(), choice.get("match_to")]
        yield from ((group, one) for one in [choice] if isinstance(one.get("name"), str))
        yield from (("pooling", one) for one in inner if isinstance(one, Mapping) and isinstance(one.get("name"), str))


def _parts(path: str, where: str) -> tuple[str, str]:
    match = IMPORT_PATH.fullmatch(path)
    if match and not match[1].endswith(".py"):
        return match[1], match[2]
    form = "code of your own is MODULE:NAME, e.g. my_module:MyPool for the class MyPool of my_module.py"
    module, _, attribute = path.partition(":")
    mended = f"{module.removesuffix('.py').strip('./').replace('/', '.')}:{attribute}"
    hint = f"; write {mended}" if IMPORT_PATH.fullmatch(mended) else ""
    raise ConfigError(f"{where}: {form}{hint}")


def _module(name: str, where: str) -> ModuleType:
    """Import a module, or say what is wrong with it: file and line."""
    if name == "__main__":
        raise ConfigError(
            f"{where}: what is defined in a notebook or script (__main__) is not there in the other processes of a "
            "run or study: put it into a file beside it, my_module.py, and name that: my_module:NAME"
        )
    folder = _typed_folder()
    try:
        with _found_first(folder):
            return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if fault.name is not None and (name == fault.name or name.startswith(f"{fault.name}.")):
            raise ConfigError(f"{where}: {_no_module(fault, name, folder)}") from fault
        raise ConfigError(f"{where}: the import of {name} fails: {_place(fault, name)}") from fault
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # the module may do anything, also end the process
        raise ConfigError(f"{where}: the import of {name} fails: {_place(fault, name)}") from fault


def _typed_folder() -> Path:
    """Return the folder in which the command was typed: Hydra may have changed into another one since."""
    hydra = sys.modules.get("hydra.core.hydra_config")
    if hydra is not None and hydra.HydraConfig.initialized():
        return Path(hydra.HydraConfig.get().runtime.cwd)
    return Path.cwd()


@contextmanager
def _found_first(folder: Path) -> Iterator[None]:
    """Look for modules in a folder first; afterwards last, so that its files take the place of no library's modules."""
    text = str(folder)
    known = text in sys.path or ("" in sys.path and folder == Path.cwd())
    sys.path.insert(0, text)
    importlib.invalidate_caches()  # a file that was written a moment ago
    try:
        yield
    finally:
        sys.path.remove(text)
        if not known:
            sys.path.append(text)


def _no_module(fault: ModuleNotFoundError, name: str, folder: Path) -> str:
    missing = str(fault.name)
    if "is not a package" in str(fault):
        return f"{missing}: {missing.rpartition('.')[0]} is a module and no package"
    beside = [path.stem for path in folder.glob("*.py")] if missing == name.partition(".")[0] else []
    known = f"the folder has {', '.join(sorted(beside)[:8])}" if beside else "start in the folder that has it"
    hint = nearest(missing, beside)
    return f"there is no module {missing} in {folder} nor among the installed packages; {hint}{known}"


def _place(fault: BaseException, name: str) -> str:
    """Return a fault and the line of the user's file that it came from."""
    kind = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{type(fault).__name__}: {fault.msg} ({fault.filename}, line {fault.lineno})"
    frames = [one for one in traceback.extract_tb(fault.__traceback__) if not one.filename.startswith("<frozen")]
    frames = [one for one in frames if one.filename != __file__ and not one.filename.endswith("importlib/__init__.py")]
    stem, folder = name.rpartition(".")[2], _typed_folder()
    own = [one for one in frames if Path(one.filename).stem == stem or folder in Path(one.filename).parents] or frames
    return f"{kind} ({own[-1].filename}, line {own[-1].lineno})" if own else kind


def _attribute(module: ModuleType, attribute: str, where: str) -> Any:
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            break
        value = getattr(value, part)
    else:
        return value
    place = getattr(module, "__file__", None) or "built into Python"
    beside = _typed_folder() / f"{module.__name__}.py"
    if beside.is_file() and not (os.path.exists(place) and beside.samefile(place)):
        why = f"{beside} was not read, since Python has loaded another module of that name: rename the file"
        raise ConfigError(f"{where}: {module.__name__} ({place}) has no {attribute}; {why}")
    defined = [
        key
        for key, one in vars(module).items()
        if not key.startswith("_") and getattr(one, "__module__", None) == module.__name__
    ]
    known = f"it defines {', '.join(defined[:12])}" if defined else "it defines nothing"
    raise ConfigError(f"{where}: {module.__name__} ({place}) has no {attribute}; {nearest(attribute, defined)}{known}")


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


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, list | tuple) else value
