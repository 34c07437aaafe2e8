"""poolab: which pooling should this CNN use, and how sure are we?

`poolab.pooling` has the layers; it needs torch and nothing else. `poolab.run` makes one run, `poolab.study` many,
`poolab.records` reads what they left, and `poolab.load` returns a trained network. The command line is `poolab --help`.
"""

from typing import Any

__version__ = "0.1.0"

# `__init__.pyi` says what each is. `records` and `study` are packages that can be called.
_PLACES = {
    **dict.fromkeys(("load", "Model", "Prediction", "Segmentation"), "poolab.export"),
    "run": "poolab.python_api",
    **dict.fromkeys(("records", "study"), ""),
}
_PACKAGES = ("backbones", "data", "export", "measure", "pooling", "report", "testing", "training")


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _PACKAGES or _PLACES.get(name) == "":
        return import_module(f"poolab.{name}")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'poolab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES, *_PACKAGES})
