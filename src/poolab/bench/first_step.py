"""`python -m poolab.bench.first_step STAMPS.json train.py [OVERRIDE ...]`: the command, with its first step noted.

The command runs as it is typed, its imports in its own order. Noted are the spans of the imports of torch and Lightning
and the end of the first optimizer step; then the run is asked to stop, with the signal that a scheduler sends. All that
watches is two entries of `sys.meta_path` and a hook that torch calls after a step.
"""

import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARIES = ("torch", "pytorch_lightning")
Span = tuple[float, float]


class Watched(MetaPathFinder):
    """Notes the span in which a module is executed, with all that it imports, and then calls `after`."""

    def __init__(self, name: str, after: Callable[[Span], None]):
        self.name = name
        self.after = after

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec, which times its execution."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == self.name else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def timed(module: ModuleType) -> None:
            begun = time.monotonic()
            execute(module)
            self.after((begun, time.monotonic()))

        spec.loader.exec_module = timed  # type: ignore[method-assign]
        return spec


def exclusive(torch: Span, lightning: Span) -> tuple[float, float]:
    """Return the seconds of either import, without those of torch inside Lightning's where Lightning comes first.

    >>> exclusive((0.0, 2.0), (3.0, 7.0)), exclusive((1.0, 3.0), (0.0, 7.0))
    ((2.0, 4.0), (2.0, 5.0))
    """
    inside = lightning[0] <= torch[0] and torch[1] <= lightning[1]
    seconds = torch[1] - torch[0]
    return seconds, lightning[1] - lightning[0] - (seconds if inside else 0.0)


def main() -> None:
    """Run the command, and leave the stamps in the file."""
    path, command = Path(sys.argv[1]), sys.argv[2:]
    spans: dict[str, Span] = {}

    def note(name: str, span: Span) -> None:
        spans[name] = span
        if name == "torch":
            from torch.optim.optimizer import register_optimizer_step_post_hook

            handles.append(register_optimizer_step_post_hook(stepped))

    def stepped(*_: Any) -> None:
        now = time.monotonic()
        import torch

        handles.pop().remove()
        alone = exclusive(*(spans[name] for name in LIBRARIES))
        stamps = {"step": now, **dict(zip(LIBRARIES, alone, strict=True)), "threads": torch.get_num_threads()}
        path.write_text(json.dumps(stamps))
        os.kill(os.getpid(), signal.SIGTERM)

    handles: list[Any] = []
    for name in LIBRARIES:
        sys.meta_path.insert(0, Watched(name, lambda span, name=name: note(name, span)))  # type: ignore[misc]
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
