"""C sources compiled by the machine's own compiler into libraries that are kept on disk."""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

# -march=native and the two about errors and traps let the compiler use the machine's vectors; none changes a result.
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-shared", "-fPIC")
# Tried in this order: with threads and glibc's vector functions, and without what this machine lacks.
EXTRAS = (
    ("-fopenmp", "-DVECTOR_MATH=1", "-Wl,--no-as-needed", "-lmvec", "-Wl,-z,defs"),
    ("-fopenmp",),
    (),
)


class NoCompiler(Exception):
    """There is no compiler, or it does not take what it is given."""


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
    raise NoCompiler(f"none of {', '.join(names)} is on the path; install one, or name it in $CC")


def cache_folder() -> Path:
    """Where kernels are kept: the folder kernels in $POOLAB_CACHE, or in ~/.cache/poolab."""
    return Path(os.environ.get("POOLAB_CACHE", Path.home() / ".cache" / "poolab")) / "kernels"


def path_of(source: str) -> Path:
    """Where the library of a source is kept, compiled or not.

    Raises:
        NoCompiler: there is none, so there is no library either.
    """
    told = (source, compiler(), *_flags(), sys.platform, _processor())
    return cache_folder() / f"{hashlib.sha256(chr(0).join(told).encode()).hexdigest()[:24]}.so"


def library(source: str) -> ctypes.CDLL:
    """The library of a source, compiled once for this machine.

    Raises:
        NoCompiler: it cannot be compiled here.
    """
    path = path_of(source)
    if path.exists():
        try:
            return ctypes.CDLL(str(path))
        except OSError:  # cut off by a full disk
            path.unlink()
    _compile(source, path)
    return ctypes.CDLL(str(path))


def _compile(source: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            text, made = Path(folder, "kernel.c"), Path(folder, "kernel.so")
            text.write_text(source, encoding="utf-8")
            for extra in EXTRAS:
                command = [compiler(), *_flags(), str(text), "-o", str(made), *extra, "-lm"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    os.replace(made, path)  # in one step: another process may be at the same kernel
                    return
    except OSError as fault:
        raise NoCompiler(str(fault)) from fault
    raise NoCompiler(f"{Path(compiler()).name} says: {done.stderr.strip()[:1000] or f'exit {done.returncode}'}")


def _flags() -> tuple[str, ...]:
    """Ours, and those of $POOLAB_CFLAGS behind them."""
    return (*FLAGS, *shlex.split(os.environ.get("POOLAB_CFLAGS", "")))


@cache
def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
