"""The environment of a run: versions, machine and commit."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

CODE = ("src", "conf", "train.py")
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "hydra-core", "wandb", "numpy", "scikit-learn")


def environment(device: str = "cpu", **facts: Any) -> dict[str, Any]:
    """Return versions, processor, device and commit. Environment variables are left out, since they may hold keys.

    >>> sorted(environment())[:3]
    ['commit', 'cpus', 'device']
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "device": device,
        "packages": _versions(),
        **commit(),
        **facts,
    }


def commit() -> dict[str, Any]:
    """Return the commit of poolab's checkout and whether its code has uncommitted changes; None for an installed wheel.

    Code is what a run reads: a changed page or a new file of results beside it says nothing about the run.
    """
    package = Path(__file__).resolve().parents[1]
    root = package.parents[1]
    if not (root / ".git").exists() or package != root / "src" / "poolab":
        return {"commit": None, "dirty": None}
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", *CODE)
    return {"commit": head or None, "dirty": None if changes is None else bool(changes)}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _versions() -> dict[str, str]:
    found = {}
    for name in ("poolab", *PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the processor's model. (On Linux platform.processor() is empty or only "x86_64".)"""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
