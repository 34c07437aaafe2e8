"""C sources compiled by the machine's own compiler into libraries that are kept on disk."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-shared", "-fPIC")
# Tried in this order: with threads and glibc's vector functions, and without what this machine lacks.
EXTRAS = (
    ("-fopenmp", "-DVECTOR_MATH=1", "-Wl,--no-as-needed", "-lmvec", "-Wl,-z,defs"),
    ("-fopenmp",),
    (),
)


class NoCompiler(Exception):
    """There is no C compiler, or it does not take what it is given."""


@cache
def compiler() -> str:
    """The C compiler: $CC, cc, gcc or clang.

    Raises:
        NoCompiler: none of them is there.
    """
    names = [name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name]
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise NoCompiler(f"none of {', '.join(names)} is on the path")


def cache_folder() -> Path:
    """Where libraries are kept: $POOLAB_CACHE or ~/.cache/poolab, there the folder kernels."""
    return Path(os.environ.get("POOLAB_CACHE", Path.home() / ".cache" / "poolab")) / "kernels"


def library(source: str) -> ctypes.CDLL:
    """The library of a source, compiled once for this machine.

    Raises:
        NoCompiler: it cannot be compiled here.
    """
    key = hashlib.sha256("\0".join((source, compiler(), *FLAGS, sys.platform, _processor())).encode()).hexdigest()[:24]
    path = cache_folder() / f"{key}.so"
    if not path.exists():
        _compile(source, path)
    return ctypes.CDLL(str(path))


def _compile(source: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            text, made = Path(folder, "kernel.c"), Path(folder, "kernel.so")
            text.write_text(source, encoding="utf-8")
            for extra in EXTRAS:
                command = [compiler(), *FLAGS, str(text), "-o", str(made), *extra, "-lm"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    os.replace(made, path)  # in one step: another process may be at the same kernel
                    return
    except OSError as fault:
        raise NoCompiler(str(fault)) from fault
    raise NoCompiler(f"{compiler()} says: {done.stderr.strip()[:2000]}")


@cache
def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        import platform

        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
