"""A damaged library, or a compiler that misbehaves, never ends the process."""

import os
import random
import shutil
import stat
import time
import warnings
from pathlib import Path

import pytest

from poolab.pooling.fused import building, library, loading
from poolab.pooling.fused.compiler import NoCompiler
from tests.pooling.fused.small import SOURCE


@pytest.fixture
def kept(fresh):
    """The file of a library that has been compiled."""
    library.library(SOURCE)
    (path,) = fresh.iterdir()
    return path


def _truncated(path, size):
    os.truncate(path, size)


def _flipped(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)


def _random(path, size):
    path.write_bytes(random.Random(size).randbytes(size))


def _renamed(path, name):
    """The library of another source under this one's name."""
    library.library(SOURCE.replace("41", name))
    (other,) = {*path.parent.iterdir()} - {path}
    shutil.move(other, path)


DAMAGE = [
    *((_truncated, size) for size in (0, 1, 31, 32, 33, 4096, 8192, 12000)),
    *((_flipped, place) for place in (0, 16, 4000, 4096, 5000, -1, -33)),
    *((_random, size) for size in (7, 40, 20000)),
    (_renamed, "13"),
]


@pytest.mark.parametrize(("damage", "amount"), DAMAGE)
def test_a_damaged_library_is_made_again(kept, damage, amount):
    size = kept.stat().st_size
    damage(kept, amount)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert library.library(SOURCE).forward() == 41
    assert kept.stat().st_size == size
    assert library.is_kept(SOURCE)


def test_a_fifo_in_its_place_is_replaced(kept):
    kept.unlink()
    os.mkfifo(kept)
    assert library.library(SOURCE).forward() == 41
    assert stat.S_ISREG(kept.stat().st_mode)


def test_a_folder_in_its_place_is_told(kept):
    kept.unlink()
    kept.mkdir()
    with pytest.warns(UserWarning, match=r"not kept.*cannot be written \(Is a directory\)"):
        assert library.library(SOURCE).forward() == 41
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_library_in_use_is_not_the_file(kept):
    loaded = library.library(SOURCE)
    os.truncate(kept, 0)
    assert (loaded.forward(), loaded.backward()) == (41, 42)


def test_many_libraries_are_told_apart(fresh):
    """The system gives the same file numbers again, and the loader goes by names."""
    made = [building.build(SOURCE.replace("41", str(number)), [str(fresh.parent)]) for number in range(3)]
    found = [loading.load(data, []) for data in made * 2]
    assert [each.forward() for each in found] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("way", ["no memory files", "no /proc"])
def test_without_files_in_memory_a_copy_is_loaded(fresh, monkeypatch, tmp_path, way):
    if way == "no memory files":
        monkeypatch.delattr(os, "memfd_create")
    else:
        real = loading.ctypes.CDLL
        monkeypatch.setattr(loading.ctypes, "CDLL", lambda path: real(path.replace("/proc/", "/no proc/")))
    copies = tmp_path / "copies"
    copies.mkdir()
    loaded = loading.load(building.build(SOURCE, [str(tmp_path)]), [str(tmp_path / "missing"), str(copies)])
    assert loaded.forward() == 41
    assert list(copies.iterdir()) == []


def script(tmp_path, text):
    path = tmp_path / "my compiler"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


GARBLED = r"printf '\377\376 \033[31m bad' >&2; exit 1"
TARGET = 'while [ "$1" != -o ]; do shift; done; target="$2"'
COMPILERS = {
    "writes nothing": ("exit 0", "ended well, but it did not write a library"),
    "writes an empty file": (f'{TARGET}; : > "$target"', "does not run: OSError: .*"),
    "writes text": (f'{TARGET}; echo no library > "$target"', "does not run: OSError: .*"),
    "makes a folder": (f'{TARGET}; mkdir "$target"', "did not write a library"),
    "makes a dangling link": (f'{TARGET}; ln -sf /nowhere/x "$target"', "did not write a library"),
    "cuts it off": (f'cc "$@"; {TARGET}; truncate -s 6000 "$target"', "the library that my compiler built "),
    "another processor": (
        f'cc "$@"; {TARGET}; printf "\\267" | dd of="$target" bs=1 seek=18 conv=notrunc 2>/dev/null',
        "does not run: OSError: .*",
    ),
    "lacks functions": ('cc "$@" -Dbackward=other', "does not run: OSError: the library has no function backward"),
    "crashes": ('cc "$@" "-Dprobe(x)=probe(x){__builtin_trap();} int unused(x)"', "is killed by SIG(ILL|TRAP|ABRT)"),
    "wrong answer": ('cc "$@" "-Dprobe(x)=probe(x){return 7;} int unused(x)"', "probe does not return 1"),
    "no UTF-8": (GARBLED, r"says: \S+ \\x1b\[31m bad"),
    "is killed": ("kill -9 $$", "says: exit -9"),
    "says nothing": ("exit 3", "says: exit 3"),
}


@pytest.mark.parametrize("kind", COMPILERS)
def test_a_compiler_that_misbehaves_is_quoted(fresh, monkeypatch, tmp_path, kind):
    text, message = COMPILERS[kind]
    monkeypatch.setenv("CC", str(script(tmp_path, text)))
    with pytest.raises(NoCompiler, match=message) as fault:
        library.library(SOURCE)
    assert "\x1b" not in str(fault.value)
    assert list(fresh.iterdir()) == []


def is_running(process: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def test_a_compiler_that_does_not_end_is_stopped_with_what_it_started(fresh, monkeypatch, tmp_path):
    monkeypatch.setattr(building, "COMPILE_SECONDS", 0.5)
    monkeypatch.setenv("CC", str(script(tmp_path, f"sleep 301 & echo $! > '{tmp_path}/pid'; wait")))
    with pytest.raises(NoCompiler, match=r"was stopped after 0.5 s: name another compiler in \$CC"):
        library.library(SOURCE)
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not is_running(child):
            break
        time.sleep(0.05)
    else:
        pytest.fail("what the compiler started still runs")
    with pytest.raises(NoCompiler, match="did not end before"):
        library.library(SOURCE + "\n")


def test_a_library_that_does_not_end_is_told(fresh, monkeypatch):
    monkeypatch.setattr(building, "PROBE_SECONDS", 0.5)
    with pytest.raises(NoCompiler, match="does not end"):
        library.library(SOURCE.replace("int probe(void) { return 1; }", "int probe(void) { for (;;) {} }"))


def test_where_one_folder_is_full_the_next_one_is_taken(fresh, tmp_path):
    assert building.build(SOURCE, [str(tmp_path / "missing"), str(tmp_path)])
    with pytest.raises(NoCompiler, match=r"nothing can be compiled in .*missing': No such file"):
        building.build(SOURCE, [str(tmp_path / "missing")])
    with pytest.raises(NoCompiler, match="no folder to compile in: name one of your own in TMPDIR"):
        building.build(SOURCE, [])


def test_a_new_kernel_runs_both_ways_when_it_is_tried(fresh):
    """Of a real kernel, so that one with instructions that this processor lacks ends the trial, not the process."""
    import torch

    from poolab.pooling.fused.cpu_kernel import source_of
    from tests.pooling.fused.cases import SHAPES, recipe_of

    kinds = [("adapool", torch.float32), ("lp", torch.float16), ("rank_stochastic", torch.float64)]
    for number, (name, dtype) in enumerate(kinds):
        recipe = recipe_of(name, list(SHAPES.values())[number + 1])
        source = source_of(recipe, dtype, number == 1)
        assert library.library(source).probe() == 1
