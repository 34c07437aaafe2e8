"""The stub files of `poolab.pooling`: what editors and type checkers cannot see, since it is made at import.

The constructors take their options as `**options`, the siblings for one and three dimensions and the functions are made
by the program. The stubs declare all of them, with the types and defaults of the declared options.
"""

import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from poolab import pooling
from poolab.pooling import Pool, functional
from poolab.pooling.core import parsed

WIDTH = 120
FOLDER = Path("src/poolab/pooling")
MEND = "python -m poolab.catalogue stubs"
NOTE = f"# Made by `{MEND}` from the classes; to change this file, change the class.\n"


def stubs() -> dict[str, str]:
    """Return the text of each stub file by its name, as it should be now."""
    return {"__init__.pyi": _package(), "functional.pyi": _functions()}


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the names of the stub files that are not as they should be."""
    return [name for name, text in stubs().items() if _read(folder / name) != text]


def write(folder: Path = FOLDER) -> list[str]:
    """Write the stub files and return the names of those that changed."""
    changed = stale(folder)
    for name in changed:
        (folder / name).write_text(stubs()[name], encoding="utf-8")
    return changed


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def exported() -> dict[str, Any]:
    """Return the public names of the package and what they stand for; of its modules, `functional` alone."""
    return {
        name: value
        for name, value in sorted(vars(pooling).items())
        if not name.startswith("_") and (value is functional or not inspect.ismodule(value))
    }


def _package() -> str:
    names = exported()
    leaves = {name: cls for name, cls in names.items() if _is_leaf(cls)}
    others = {name: value for name, value in names.items() if name not in leaves}
    lines = [f"from {_home(value)} import {name} as {name}" for name, value in others.items()]
    lines += {f"from {_parent(cls)} import {_stem(cls)} as {_alias(cls)}" for cls in leaves.values() if cls.dims == 2}
    head = [NOTE, "from typing import Literal", "", "import torch", "", *sorted(lines, key=_as_ruff_sorts)]
    # A sibling derives from the class for two dimensions, which therefore comes first.
    ordered = sorted(leaves.values(), key=lambda cls: (cls.dims != 2, cls.__name__))
    return "\n".join([*head, "", *("\n".join(_class(cls)) for cls in ordered)])


def _as_ruff_sorts(line: str) -> tuple[str, bool, str]:
    _, module, _, name, *_ = line.split()
    return module, not name.isupper(), name


def _is_leaf(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Pool) and "name" in vars(value) | vars(value.__base__)


def _home(value: Any) -> str:
    return "poolab.pooling" if inspect.ismodule(value) else str(value.__module__)


def _parent(cls: type) -> str:
    return cls.__module__.rpartition(".")[0]


def _stem(cls: type) -> str:
    return cls.__module__.rpartition(".")[2]


def _alias(cls: type) -> str:
    """Return the name of a class's module in the stub; there is a `basic` for windows and one for heads."""
    return f"_{'_'.join(cls.__module__.split('.')[2:])}"


def _class(cls: type[Pool]) -> Iterator[str]:
    base = f"{_alias(cls)}.{cls.__name__}" if cls.dims == 2 else cls.__base__.__name__  # type: ignore[union-attr]
    yield f"class {cls.__name__}({base}):"
    described = textwrap.wrap(f'"""{parsed(cls).formula}', WIDTH - 7, break_long_words=False, break_on_hyphens=False)
    yield from (f"    {line}" for line in described[:-1])
    yield f'    {described[-1]}"""'
    yield ""
    declared = {name for parent in cls.__mro__ for name in inspect.get_annotations(parent)}
    declared |= {name for name in cls.options if isinstance(inspect.getattr_static(cls, name, None), property)}
    attributes = [name for name in cls.options if name not in declared and cls.dims == 2]
    yield from (f"    {name}: {type_text(cls.options[name].kept_annotation)}" for name in attributes)
    parameters = list(cls.__signature__.parameters.values())
    yield from _callable("__init__", parameters, "None", indent="    ", first=["self"])
    yield ""


def _functions() -> str:
    lines = [NOTE, "from typing import Literal", "", "import torch", "from torch import Tensor", ""]
    lines += ["from poolab.pooling.core.base import has_twin as has_twin", ""]
    for name in dir(functional):
        function = getattr(functional, name)
        lines += _callable(name, list(inspect.signature(function).parameters.values()), "Tensor")
    return "\n".join([*lines, ""])


def _callable(
    name: str, parameters: list[inspect.Parameter], returned: str, indent: str = "", first: list[str] | None = None
) -> Iterator[str]:
    """Return a declaration with one parameter a line, as ruff formats it."""
    given = [*(first or []), *_written(parameters)]
    if len(given) < 2:
        yield f"{indent}def {name}({''.join(given)}) -> {returned}: ..."
        return
    yield f"{indent}def {name}("
    yield from (f"{indent}    {parameter}," for parameter in given)
    yield f"{indent}) -> {returned}: ..."


def _written(parameters: list[inspect.Parameter]) -> Iterator[str]:
    is_by_keyword = False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not is_by_keyword:
            is_by_keyword = True
            yield "*"
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        yield f"{parameter.name}: {type_text(parameter.annotation)}{default}"


def _default(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def type_text(annotation: Any) -> str:
    """Return a type as the stubs write it.

    >>> type_text(int | tuple[int, int] | None), type_text(typing.Literal["mean", None]), type_text(torch.Tensor)
    ('int | tuple[int, int] | None', 'Literal["mean", None]', 'Tensor')
    """
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return " | ".join(map(type_text, typing.get_args(annotation)))
    if annotation in (types.NoneType, torch.Generator):
        return {types.NoneType: "None", torch.Generator: "torch.Generator"}[annotation]
    return inspect.formatannotation(annotation).removeprefix("torch.").replace("'", '"')
