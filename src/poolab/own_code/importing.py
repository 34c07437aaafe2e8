"""The import of MODULE:NAME, and what is wrong where it fails: the module, the file and the line."""

import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from poolab.errors import ConfigError, nearest

IMPORT_PATH = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


def imported(path: str, where: str) -> tuple[ModuleType, str, Any]:
    """Import what an import path names: the module, the name in it, and what has that name.

    Args:
        path: MODULE:NAME.
        where: what it was given as, for the message.

    Raises:
        ConfigError: it is no import path, there is no such module or name, or the import fails.
    """
    name, attribute = _parts(path, where)
    module = _module(name, where)
    return module, attribute, _attribute(module, attribute, where)


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
