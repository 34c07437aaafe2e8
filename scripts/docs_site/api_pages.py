"""The API reference: a page for each public package, with every name that it exports."""

import inspect
from importlib import import_module
from pkgutil import resolve_name
from typing import Any

from poolab.catalogue import listed
from poolab.catalogue.chosen import known, own
from poolab.pooling import functional
from poolab.pooling.registry import SIBLINGS

# What each package is for. `__all__` says its names, but for those below.
PACKAGES = {
    "poolab": "One run, many runs, their records, and a trained network.",
    "poolab.pooling": "The layers, and what a layer of your own is made from.",
    "poolab.pooling.core": "The kinds of options of a pooling, for a method of your own.",
    "poolab.backbones": "Networks, and the exchange of poolings in any network.",
    "poolab.data": "Data sets: images, splits and batches.",
    "poolab.measure": "What is measured of a network: costs, robustness, calibration, gradient support.",
    "poolab.export": "Trained networks: predictions, and files for other programs.",
    "poolab.records": "What runs leave.",
    "poolab.study": "Study files and their cells.",
    "poolab.report": "From records to verdicts, tables, figures and pages.",
    "poolab.testing": "The conformance suite.",
    "poolab.training": "A run, its checks and its processes. Mostly for poolab itself: begin with `poolab.run`.",
    "poolab.errors": "What is raised for wrong input.",
}
NAMES = {
    "poolab": ["run", "load", "Model", "Prediction", "Segmentation"],
    "poolab.errors": ["PoolabError", "ConfigError", "DataError"],
}
# Classes that are reached by a call, and that no package exports.
REACHED = {"poolab.study": ["poolab.study.handle:StudyHandle"]}
# The stub of `poolab` declares these packages as the functions that they can be called as, which hides their modules
# from mkdocstrings.
HIDDEN = ("poolab.records", "poolab.study")
CALLS = {
    "poolab": (
        "- `poolab.records(place='runs')` reads all records of a folder: [`Records`](poolab_records.md#records), "
        "a list with `to_frame()`.\n- `poolab.study(file, runs_dir=None)` opens a study file: "
        "[`StudyHandle`](poolab_study.md#studyhandle) with `plan()`, `run(workers=...)` and `table()`."
    ),
}


def pages() -> dict[str, str]:
    """Return the text of each page by its path in the site."""
    seen: dict[str, str] = {}
    found = {f"api/{_file(package)}": _page(package, what, seen) for package, what in PACKAGES.items()}
    rows = "\n".join(f"| [`{package}`]({_file(package)}) | {what} |" for package, what in PACKAGES.items())
    found["api/index.md"] = (
        "# API\n\nEvery public name, made from the classes and their docstrings. The layers and functions of "
        f"`poolab.pooling` have a page of their own.\n\n| package | what it is for |\n|---|---|\n{rows}\n"
        "| [layers and functions](poolings.md) | Signatures of all layers and functions. |\n"
    )
    found["api/poolings.md"] = _poolings()
    return found


def names(package: str) -> list[str]:
    """Return the public names of a package."""
    if package in NAMES:
        return NAMES[package]
    module = import_module(package)
    exported = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    return [name for name in exported if not inspect.ismodule(getattr(module, name))]


def _file(package: str) -> str:
    return f"{package.replace('.', '_')}.md"


def _page(package: str, what: str, seen: dict[str, str]) -> str:
    """Return a page; what another page has already (`seen`) is a link to it."""
    parts = [f"# {package}\n\n{what}\n"]
    if package == "poolab.pooling":
        parts.append("The layers and functions of all methods are on [a page of their own](poolings.md).\n")
    if package in CALLS:
        parts.append(f"{CALLS[package]}\n")
    constants = []
    for name in names(package):
        found = getattr(import_module(package), name)
        if _is_layer(found):
            continue
        if not getattr(found, "__module__", "").startswith("poolab") or not hasattr(found, "__qualname__"):
            constants.append(f"`{name}`")
            continue
        place = f"{found.__module__}.{found.__qualname__}"
        other = seen.setdefault(place, package)
        if other != package:
            parts.append(f"## {name}\n\nSee [{other}]({_file(other)}).\n")
            continue
        parts.append(_plainly(found) if package in HIDDEN else f"::: {place}\n")
    parts += [_plainly(resolve_name(place)) for place in REACHED.get(package, ())]
    if constants:
        parts.append(f"## Constants and types\n\n{', '.join(constants)}\n")
    return "\n".join(parts)


def _plainly(found: Any) -> str:
    """Return the heading, the signature and the docstring of a class or a function, and the methods of a class."""
    methods = {
        name: one
        for name, one in vars(found).items()
        if inspect.isclass(found) and not name.startswith("_") and inspect.isfunction(getattr(one, "__func__", one))
    }
    code = [f"{found.__name__}{_plain(found)}"]
    code += [f"{found.__name__}.{name}{_plain(getattr(found, name))}" for name in methods]
    told = [f"- `{name}`: {_first_line(getattr(found, name))}" for name in methods]
    signatures = "\n".join(code)
    text = inspect.getdoc(found) or ""
    return f"## {found.__name__}\n\n```python\n{signatures}\n```\n\n```text\n{text}\n```\n\n" + "\n".join(told) + "\n"


def _first_line(found: Any) -> str:
    return (inspect.getdoc(found) or "").partition("\n")[0].replace("<", "&lt;")


def _is_layer(found: Any) -> bool:
    return inspect.isclass(found) and found in {*SIBLINGS.values(), *(known(name) for name in listed())}


def _poolings() -> str:
    """Return the signatures of all layers and functions: their meaning is on the page of each method."""
    parts = [
        "# Layers and functions\n\nSignatures of the layers of `poolab.pooling` and of the functions of "
        "`poolab.pooling.functional`. The link leads to the method's page: formula, options, source, cost.\n"
    ]
    for name in (name for name in listed() if name in own()):
        cls = known(name)
        others = [SIBLINGS[name, dims].__name__ for dims in (1, 3) if (name, dims) in SIBLINGS]
        also = f"\n\nAlso `{'` and `'.join(others)}`." if others else ""
        twin = getattr(functional, f"{name}_pool{cls.dims}d", None)
        call = f"\n{twin.__name__}{_plain(twin)}" if twin else ""
        code = f"```python\n{cls.__name__}{_plain(cls)}{call}\n```"
        parts.append(f"## {cls.__name__}\n\n[{name}](../poolings/{name}.md)\n\n{code}{also}\n")
    return "\n".join(parts)


def _plain(called: Any) -> str:
    """Return a signature without types, which say less than the options on the method's page."""
    try:
        shown = inspect.signature(called)
    except ValueError:  # an exception has none of its own
        return "(...)"
    bare = [one.replace(annotation=one.empty) for one in shown.parameters.values()]
    return str(shown.replace(parameters=bare, return_annotation=inspect.Signature.empty))
