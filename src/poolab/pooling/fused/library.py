"""Compiled kernels: made once for a machine, kept on disk, and checked before they are loaded."""

import ctypes
import hashlib
import os
import tempfile
from pathlib import Path

from poolab.pooling.fused import forks
from poolab.pooling.fused.building import build
from poolab.pooling.fused.compiler import NoCompiler, flags, machine
from poolab.pooling.fused.loading import load
from poolab.pooling.fused.notices import warn_once
from poolab.pooling.fused.private_folder import (
    NotPrivate,
    cache_folder,
    check_folders,
    check_parents,
    open_folder,
    read_file,
    write_file,
)

FORM = "2"  # of the files: a library and the digest of its name and itself
DIGEST = hashlib.sha256().digest_size


def library(source: str) -> ctypes.CDLL:
    """Return the library of a source, compiled once for this machine.

    Raises:
        NoCompiler: it cannot be compiled here.
    """
    name = file_name(source)
    loaded = _load(_kept(name))
    if loaded is None:
        data = build(source, _folders())
        _keep(name, data)
        loaded = _load(data)
    if loaded is None:
        raise NoCompiler("the new kernel runs in a process of its own, but cannot be loaded into this one")
    forks.prepare(loaded)
    return loaded


def file_name(source: str) -> str:
    """Return the name of a source's library: a digest of all that it depends on.

    Raises:
        NoCompiler: there is none, so there is no library either.
    """
    told = (FORM, source, *flags(), *machine())
    return f"{hashlib.sha256(chr(0).join(told).encode(errors='surrogateescape')).hexdigest()[:32]}.so"


def is_kept(source: str) -> bool:
    """Return True if the library of a source lies on disk, undamaged.

    Raises:
        NoCompiler: there is none.
    """
    return _kept(file_name(source)) is not None


def _load(data: bytes | None) -> ctypes.CDLL | None:
    try:
        return None if data is None else load(data, _folders())
    except OSError:  # what it was linked with is no longer there
        return None


def _kept(name: str) -> bytes | None:
    """Return the bytes of a library of the cache folder, or None where it has no such file."""
    try:
        folder = open_folder(cache_folder(), make=False)
    except NotPrivate:
        return None
    try:
        found = read_file(name, folder)
    finally:
        os.close(folder)
    if found is None or _digest(name, found[:-DIGEST]) != found[-DIGEST:]:
        return None
    return found[:-DIGEST]


def _keep(name: str, data: bytes) -> None:
    """Write a library to the cache, for later processes; warn where that is impossible."""
    try:
        folder = open_folder(cache_folder(), make=True)
        try:
            write_file(name, data + _digest(name, data), folder)
        finally:
            os.close(folder)
    except NotPrivate as fault:
        reason = str(fault)
    except OSError as error:
        reason = f"{str(cache_folder() / name)!r} cannot be written ({error.strerror})"
    else:
        return
    warn_once("cache", f"kernels of poolings are not kept, so that each process compiles its own: {reason}")


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + data).digest()


def _folders() -> list[str]:
    """Return the folders for temporary files: the cache, and the system's own if others cannot meddle there."""
    found = []
    try:
        os.close(open_folder(cache_folder(), make=True))
        found.append(os.path.realpath(cache_folder()))
    except NotPrivate:
        pass
    try:
        temporary = Path(os.path.abspath(tempfile.gettempdir()))
        check_folders([temporary, Path(os.path.realpath(temporary))])
        check_parents(temporary)
        found.append(str(temporary))
    except (OSError, NotPrivate):
        pass
    return found
