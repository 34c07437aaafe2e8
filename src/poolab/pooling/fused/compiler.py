"""The machine's C compiler and the flags that it is given."""

import importlib.util
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from poolab.pooling.fused.notices import warn_once

# -march=native and the two about errors and traps let the compiler use the machine's vectors; none changes a result.
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-shared", "-fPIC")

# What $POOLAB_CFLAGS and $CC may add: how well the code is optimised, for which processor, what is told about it.
# Everything else is refused, since most other flags change the results (-ffast-math, -Ofast, -mrecip, -D) or what is
# built and where (-o, -x, -include, @file, -Wl,).
ALLOWED = re.compile(
    r"-O[0123sgz]?"
    r"|-m(arch|tune|cpu)=[\w.+-]+"
    r"|-mprefer-vector-width=(none|128|256|512)"
    r"|-m(no-)?(avx(2|512[a-z0-9]*)?|fma)"
    r"|-g(gdb)?[0-3]?|-gdwarf(-[2-5])?"
    r"|-w|-pedantic|-W(?![alp],)[a-z0-9=+-]*"
    r"|-pipe"
    r"|-f(no-)?(omit-frame-pointer|unroll-loops|inline-functions|tree-vectorize|tree-slp-vectorize|plt"
    r"|semantic-interposition|stack-protector(-strong|-all)?|stack-clash-protection|diagnostics-color)"
)
IN_WORDS = "-O0 to -O3, -Os, -Og, -march=, -mtune=, -mcpu=, -mavx2 and the like, -g, -W... and -funroll-loops"


class NoCompiler(Exception):
    """Tell that there is no compiler, or that it refuses what it is given."""


def compiler() -> tuple[str, ...]:
    """Return the command of the C compiler: $CC with its arguments, else cc, gcc or clang, else that of `ziglang`.

    Raises:
        NoCompiler: none of them is there, or $CC has a flag that is not allowed.
    """
    if os.name != "posix":
        raise NoCompiler("kernels for the CPU are made on Linux and macOS")
    wanted = os.environ.get("CC", "").strip()
    if wanted:
        command = _command(wanted)
        if command:
            return command
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            if wanted:
                warn_once("CC", f"CC={wanted!r} is not on the path: {found} compiles the kernels of poolings instead")
            return (found,)
    found_wheel = of_wheel()
    if found_wheel:
        return found_wheel
    names = ", ".join([*([repr(wanted)] if wanted else []), "cc", "gcc", "clang"])
    raise NoCompiler(
        f"none of {names} is on the path. Install one (Debian and Ubuntu: apt install gcc; Fedora: dnf install gcc; "
        "macOS: xcode-select --install), or the one that comes as a wheel: pip install 'poolab[compiler]'; or name "
        "yours in $CC"
    )


def of_wheel() -> tuple[str, ...] | None:
    """Return the command of the C compiler in the package `ziglang` (the extra `compiler`), where that is installed."""
    found = importlib.util.find_spec("ziglang")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    program = next((path for folder in folders if os.access(path := os.path.join(folder, "zig"), os.X_OK)), None)
    return None if program is None else (program, "cc")


def _command(text: str) -> tuple[str, ...] | None:
    """Split a compiler such as `ccache gcc -march=x86-64-v3`; None if there is no such program."""
    whole = shutil.which(text)  # a path with spaces
    if whole:
        return (whole,)
    program, *arguments = _split("CC", text) or [""]
    found = shutil.which(program) if program else None
    if found is None:
        return None
    _check_flags("CC", [word for word in arguments if word.startswith(("-", "@"))])
    return (found, *arguments)


def flags() -> tuple[str, ...]:
    """Return poolab's flags, and those of $POOLAB_CFLAGS behind them.

    Raises:
        NoCompiler: a flag is not allowed, or a quote is not closed.
    """
    more = _split("POOLAB_CFLAGS", os.environ.get("POOLAB_CFLAGS", ""))
    _check_flags("POOLAB_CFLAGS", more)
    return (*FLAGS, *more)


def _split(variable: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise NoCompiler(f"{variable}={text!r} cannot be read ({error}): close the quote") from error


def _check_flags(variable: str, words: Sequence[str]) -> None:
    refused = [word for word in words if not ALLOWED.fullmatch(word)]
    if refused:
        raise NoCompiler(
            f"{variable} has {', '.join(map(repr, refused))}, which may change the results or what is built: "
            f"leave out what is not one of {IN_WORDS}"
        )


def machine() -> tuple[str, ...]:
    """Return what a compiled kernel depends on beside its source and flags: compiler, processor and C library."""
    programs = [found for word in compiler() if (found := shutil.which(word))]
    versions = [f"{found.st_size} {found.st_mtime_ns}" for found in map(os.stat, programs)]
    return (*compiler(), *versions, sys.platform, platform.machine(), *platform.libc_ver(), _processor())


@cache
def _processor() -> str:
    """Return what -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.processor()} of {platform.node()}"  # a home may be shared by machines that differ
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU"))}))
