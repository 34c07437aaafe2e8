"""The result of a benchmark as a JSON document, with its provenance; written after each group, in one step."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import cast

from poolab.bench.result import Comparison, Document, MadeWith
from poolab.errors import PoolabError
from poolab.records import environment, strict, write_atomically

FORMAT = 1
MORE_PACKAGES = ("triton", "timm", "kornia", "antialiased-cnns")


def made_with(devices: Sequence[str]) -> MadeWith:
    """Return command, date, commit, versions, processor, threads and devices, which a figure depends on."""
    import torch

    facts = environment(devices[0])
    del facts["device"]
    packages = {**facts.pop("packages"), "torch": torch.__version__}  # with its build, e.g. 2.11.0+cu128
    for name in MORE_PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    on_cuda = any(torch.device(name).type == "cuda" for name in devices)
    made = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "packages": packages,
        "threads": torch.get_num_threads(),
        "devices": {name: _device_name(name) for name in devices},
        **({"cuda": torch.version.cuda} if on_cuda else {}),
        "load_average": os.getloadavg()[0],
    }
    return cast(MadeWith, made)


def machine(made: MadeWith) -> str:
    """Return the processor and the threads, in words.

    >>> machine({"processor": "Some CPU", "threads": 1})
    'Some CPU, 1 thread'
    """
    threads = made["threads"]
    return f"{made['processor']}, {threads} thread{'s' if threads > 1 else ''}"


def new_document(benchmark: str, devices: Sequence[str], settings: dict[str, object]) -> Document:
    """Return a document without a group."""
    return {
        "benchmark": benchmark,
        "format": FORMAT,
        "complete": False,
        "made_with": made_with(devices),
        "settings": settings,
        "groups": [],
    }


def write(document: Document | Comparison, path: Path | None) -> None:
    """Write the document, where a path was asked for."""
    if path:
        write_atomically(path, json.dumps(strict(document), indent=1, allow_nan=False) + "\n")


def read(path: Path) -> Document:
    """Read a document that `ops` or `net` wrote.

    Raises:
        PoolabError: there is none, or it is something else.
    """
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as fault:
        raise PoolabError(f"{path} cannot be read as a result: {fault}; make one with --json {path}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT or "groups" not in found:
        raise PoolabError(
            f"{path} is not a result of format {FORMAT} of `bench.py ops` or `net`; make it again with --json"
        )
    return cast(Document, found)


def _device_name(name: str) -> str:
    import torch

    return torch.cuda.get_device_name(name) if torch.device(name).type == "cuda" else platform.machine()
