"""Flags that change the results, or what is built, are refused."""

import pytest
import torch

from poolab.pooling import AvgTopKPool2d, use_backend
from poolab.pooling.fused import building, compiler, library
from poolab.pooling.fused.compiler import NoCompiler
from tests.pooling.fused.small import SOURCE

REFUSED = [
    "-ffast-math",
    "-Ofast",
    "-funsafe-math-optimizations",
    "-fassociative-math",
    "-freciprocal-math",
    "-ffinite-math-only",
    "-fno-signed-zeros",
    "-fsingle-precision-constant",
    "-mrecip",
    "-mrecip=all",
    "-frounding-math",
    "-fcx-limited-range",
    "-fexcess-precision=fast",
    "-ffp-contract=fast",
    "-ffp-model=fast",
    "-mdaz-ftz",
    "-mpc32",
    "-mfpmath=387",
    "-m32",
    "-mx32",
    "-msoft-float",
    "-mlong-double-64",
    "-mabi=ms",
    "@flags",
    "-include",
    "-includemath.h",
    "-Dfloat=int",
    "-Uexp",
    "-DVECTOR_MATH=0",
    "-x",
    "-xc++",
    "-o",
    "-ofile",
    "-c",
    "-S",
    "-E",
    "-M",
    "-save-temps",
    "-I/tmp",
    "-isystem",
    "-L/tmp",
    "-lm",
    "-l",
    "-Wl,-rpath,/tmp",
    "-Wa,-a",
    "-Wp,-Dx=y",
    "-Xlinker",
    "-B/tmp",
    "-specs=/tmp/x",
    "-fplugin=/tmp/x.so",
    "-wrapper",
    "-std=c99",
    "-static",
    "-fopenmp",
    "-fno-builtin",
    "-fprofile-use",
    "-flto",
    "-fsanitize=address",
    "-ftrapv",
    "-fwrapv",
    "-march=",
    "-march=a,b",
    "-march=native;ls",
    "other.c",
    "--",
    "-",
    "-Q",
    "-v",
    "--version",
    "--help",
    "-nostdlib",
    "-pg",
    "-O4x",
    "-Ounsafe",
    "-gx",
    "-fshort-enums",
    "-fpack-struct",
    "-freg-struct-return",
]
ALLOWED = [
    "-O",
    "-O0",
    "-O1",
    "-O2",
    "-O3",
    "-Os",
    "-Og",
    "-Oz",
    "-march=native",
    "-march=x86-64-v3",
    "-march=armv8.2-a+sve",
    "-mtune=skylake",
    "-mcpu=native",
    "-mavx2",
    "-mno-avx512f",
    "-mno-fma",
    "-mprefer-vector-width=256",
    "-g",
    "-g3",
    "-ggdb",
    "-gdwarf-5",
    "-w",
    "-Wall",
    "-Wextra",
    "-Wno-unused",
    "-Werror=return-type",
    "-Wpedantic",
    "-pipe",
    "-fno-omit-frame-pointer",
    "-funroll-loops",
    "-fno-tree-vectorize",
    "-fstack-protector-strong",
    "-fno-plt",
]


@pytest.mark.parametrize("flag", REFUSED)
def test_refused(monkeypatch, flag):
    monkeypatch.setenv("POOLAB_CFLAGS", f"-O1 '{flag}'")
    with pytest.raises(NoCompiler) as fault:
        compiler.flags()
    assert str(fault.value).startswith(f"POOLAB_CFLAGS has {flag!r}, which may change the results or what is built: ")


@pytest.mark.parametrize("flag", ALLOWED)
def test_allowed(monkeypatch, flag):
    monkeypatch.setenv("POOLAB_CFLAGS", flag)
    assert compiler.flags()[-1] == flag


def test_all_are_told_at_once(monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", "-Ofast -O1 -ffast-math ''")
    with pytest.raises(NoCompiler, match="POOLAB_CFLAGS has '-Ofast', '-ffast-math', '', which"):
        compiler.flags()


@pytest.mark.parametrize("variable", ["POOLAB_CFLAGS", "CC"])
@pytest.mark.parametrize("text", ["-O1 '", 'gcc "-O2', "gcc \\"])
def test_a_quote_that_is_not_closed(fresh, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    with pytest.raises(NoCompiler, match=rf"^{variable}=.* cannot be read \(No .*\): close the quote$"):
        library.library(SOURCE)


def test_a_refused_flag_costs_one_warning_and_no_number(fresh, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", "-ffast-math")
    x = torch.tensor([[[[float("nan"), 1.0], [2.0, 3.0]]]])
    with use_backend("plain"):
        expected = AvgTopKPool2d(2)(x)
    with use_backend("fused"), pytest.warns(UserWarning, match="plain torch.*'-ffast-math'") as caught:
        found = [pool(x) for pool in (AvgTopKPool2d(2), AvgTopKPool2d(2, k=1))]
    assert len(caught) == 1
    torch.testing.assert_close(found[0], expected, rtol=0, atol=0, equal_nan=True)


def test_a_compiler_with_arguments(fresh, monkeypatch, tmp_path):
    wrapper = tmp_path / "ccache"
    wrapper.write_text('#!/bin/sh\nexec "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", f"{wrapper} cc -O1")
    assert compiler.compiler() == (str(wrapper), "cc", "-O1")
    assert library.library(SOURCE).forward() == 41
    monkeypatch.setenv("CC", f"{wrapper} cc -ffast-math @more")
    with pytest.raises(NoCompiler, match="CC has '-ffast-math', '@more', which"):
        library.library(SOURCE)


@pytest.mark.parametrize("name", ["no-such-compiler", "/nowhere/gcc -O1", "  "])
def test_a_compiler_that_does_not_exist(fresh, monkeypatch, recwarn, name):
    monkeypatch.setenv("CC", name)
    assert library.library(SOURCE).forward() == 41
    assert library.library(SOURCE + "\n").forward() == 41
    told = [str(warning.message) for warning in recwarn if "is not on the path" in str(warning.message)]
    assert len(told) == (1 if name.strip() else 0)


def test_the_name_follows_what_the_library_depends_on(fresh, monkeypatch, tmp_path):
    copy = tmp_path / "cc"
    copy.write_text('#!/bin/sh\nexec cc "$@"\n')
    copy.chmod(0o755)
    names = [library.file_name(SOURCE), library.file_name(SOURCE + " ")]
    monkeypatch.setenv("POOLAB_CFLAGS", "-O1")
    names.append(library.file_name(SOURCE))
    monkeypatch.setenv("CC", str(copy))
    names.append(library.file_name(SOURCE))
    copy.write_text('#!/bin/sh\n# a newer version\nexec cc "$@"\n')
    names.append(library.file_name(SOURCE))
    assert len({*names}) == len(names)


def test_the_compiler_of_a_wheel_is_found_where_no_other_is(tmp_path, monkeypatch):
    """The extra `compiler` is the package ziglang, which has the program beside its modules."""
    gcc = compiler.compiler()[0]
    program = tmp_path / "wheel" / "ziglang" / "zig"
    program.parent.mkdir(parents=True)
    (program.parent / "__init__.py").touch()
    program.write_text(f'#!/bin/sh\ntest "$1" = cc || exit 3\nshift\nPATH=/usr/bin:/bin exec {gcc} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NoCompiler, match=r"apt install gcc.*pip install 'poolab\[compiler\]'"):
        compiler.compiler()
    monkeypatch.syspath_prepend(str(tmp_path / "wheel"))
    assert compiler.compiler() == (str(program), "cc")
    assert building.build(SOURCE, [str(tmp_path)])
