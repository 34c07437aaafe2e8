"""Compile a C source into a library and try it, both in processes of their own."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from poolab.pooling.fused import loading
from poolab.pooling.fused.compiler import NoCompiler, compiler, flags
from poolab.text import printable

# Tried in this order: with threads and glibc's vector functions, and without what this machine lacks.
EXTRAS = (
    ("-fopenmp", "-DVECTOR_MATH=1", "-Wl,--no-as-needed", "-lmvec", "-Wl,-z,defs"),
    ("-fopenmp",),
    (),
)
# The longest kernels take gcc 20 s on an idle core.
COMPILE_SECONDS = 300.0
PROBE_SECONDS = 60.0

_hung: set[tuple[str, ...]] = set()  # compilers that are not waited for again
_lacks: dict[tuple[str, ...], int] = {}  # how many of EXTRAS a compiler has not, once it has built something
_running: set["subprocess.Popen[bytes]"] = set()
_is_ending = False  # this process


class Ending(Exception):
    """Tell that nothing is compiled any more, since the process ends."""


def stop() -> None:
    """Stop what is being compiled, in whatever thread, and begin nothing: the process ends."""
    global _is_ending
    _is_ending = True
    for process in list(_running):
        _kill(process)


def build(source: str, folders: Sequence[str]) -> bytes:
    """Compile a source; return the library, which has run once.

    Args:
        source: the C text.
        folders: where it may be compiled, tried in this order; nobody else may write to them.

    Raises:
        NoCompiler: it cannot be compiled, or what was built does not run.
        Ending: the process ends.
    """
    reason = "there is no folder to compile in: name one of your own in TMPDIR or POOLAB_CACHE"
    for folder in folders:
        try:
            with tempfile.TemporaryDirectory(prefix="poolab-", dir=folder, ignore_cleanup_errors=True) as place:
                Path(place, "kernel.c").write_text(source, encoding="utf-8")
                for number, extra in list(enumerate(EXTRAS))[_lacks.get(compiler(), 0) :]:
                    try:
                        made = _built(Path(place), f"kernel{number}.so", extra)
                        _lacks[compiler()] = number
                        return made
                    except _Failed as failure:
                        reason = str(failure)
        except OSError as error:  # no room, or a folder that cannot be written
            reason = f"nothing can be compiled in {folder!r}: {error.strerror}"
    raise NoCompiler(reason)


class _Failed(Exception):
    """Tell that one attempt to build failed."""


def _built(place: Path, file: str, extra: Sequence[str]) -> bytes:
    text, made, name = place / "kernel.c", place / file, Path(compiler()[0]).name
    command = [*compiler(), *flags(), str(text), "-o", str(made), *extra, "-lm"]
    if compiler() in _hung:
        raise NoCompiler(f"{name} did not end before")
    # The compiler's own temporary files lie in the same folder, which nobody else can write to.
    status, words = _run(command, b"", {"TMPDIR": str(place), "LC_ALL": "C"}, COMPILE_SECONDS)
    if status is None:
        _hung.add(compiler())
        raise NoCompiler(f"{name} was stopped after {COMPILE_SECONDS:g} s: name another compiler in $CC")
    if status != 0:
        raise _Failed(f"{name} says: {words[:1000] or f'exit {status}'}")
    try:
        data = made.read_bytes()
    except OSError as error:
        raise _Failed(f"{name} ended well, but it did not write a library ({error.strerror})") from error
    _try(data, place, name)
    return data


def _try(data: bytes, place: Path, name: str) -> None:
    """Run a new library in another process: if it is damaged or for another processor, it kills that one."""
    if not sys.executable:  # Python inside another program
        return
    # -S and -P: start quickly, and let no file beside loading.py stand for a module of Python.
    command = [sys.executable, "-S", "-P", loading.__file__, str(place)]
    status, words = _run(command, data, _library_path(), PROBE_SECONDS)
    if status == 0:
        return
    if status is None:
        raise _Failed(f"the library that {name} built does not end")
    last = words.splitlines()[-1][:1000] if words else f"exit {status}"
    how = f"is killed by {_signal(-status)}" if status < 0 else f"does not run: {last}"
    raise _Failed(f"the library that {name} built {how}")


def _library_path() -> dict[str, str]:
    """Let the trial find the libraries that torch brings along (OpenMP's), as this process has."""
    import torch

    paths = [os.environ.get("LD_LIBRARY_PATH", ""), str(Path(torch.__file__).parent / "lib")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths))}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _run(command: list[str], data: bytes, env: Mapping[str, str], seconds: float) -> tuple[int | None, str]:
    """Run a program; its exit status (None: it was stopped after so many seconds) and what it says on stderr.

    It has a process group of its own, so that what it starts ends with it.
    """
    if _is_ending:
        raise Ending
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        start_new_session=True,
    )
    _running.add(process)
    try:
        _, words = process.communicate(data, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        _running.discard(process)
        _end(process)
    if _is_ending:
        raise Ending
    return process.returncode, printable(words.decode(errors="replace")).strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        _kill(process)
        process.wait()
    for pipe in (process.stdin, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
