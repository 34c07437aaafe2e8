"""Find out how much memory a process of this machine, container or job may still take."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def free_memory(meminfo: Path = Path("/proc/meminfo"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Return the bytes that can be taken without swapping: the system's, or what the control group leaves, if less.

    >>> free_memory() > 0
    True
    """
    return min([_of_the_system(meminfo), *_of_groups(own)])


def _of_the_system(meminfo: Path) -> int:
    """Return the kernel's own estimate (MemAvailable, since Linux 3.14); elsewhere half of the machine's memory."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _of_groups(own: Path) -> list[int]:
    """Return what each control group around this process leaves: those of containers and of SLURM's jobs."""
    try:
        entries = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    left = []
    for _, controllers, path in (entry for entry in entries if len(entry) == 3):
        if controllers == "":  # version 2
            root, limit, used, cache = CGROUPS, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, used = CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        folder = root / path.lstrip("/")
        for place in (folder, *folder.parents):
            most, now = _number(place / limit), _number(place / used)
            if most is not None and now is not None:
                left.append(max(0, most - max(0, now - _stat(place / "memory.stat", cache))))
            if place == root:
                break
    return left


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no limit
        return None


def _stat(path: Path, key: str) -> int:
    """Return a line of memory.stat: pages of files that the kernel drops when memory is wanted."""
    try:
        found = [line.split()[1] for line in path.read_text(encoding="ascii").splitlines() if line.split()[0] == key]
        return int(found[0])
    except (OSError, ValueError, IndexError):
        return 0
