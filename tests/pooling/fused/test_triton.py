"""The Triton kernels where no GPU is: interpreted, and compiled for GPUs that are not there."""

import hashlib
import inspect
import re
import subprocess
import sys

import pytest
import torch

from poolab.pooling.fused import kernels, triton_kernel, triton_source
from poolab.pooling.fused.recorder import NotFusable
from tests.pooling.fused.cases import OVERLAPPING, WHOLE, local, recipe_of, results
from tests.pooling.oracles import Shape

GROUPS = ["draws", "functions", "dtypes", *(pytest.param(g, marks=pytest.mark.long) for g in ("shapes", "methods"))]
TYPES = {torch.float32: "fp32", torch.float64: "fp64", torch.bfloat16: "bf16", torch.float16: "fp16"}


@pytest.mark.parametrize("group", GROUPS)
def test_interpreted_kernels_give_what_plain_torch_gives(group: str, pytestconfig, tmp_path, monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    command = [sys.executable, "-W", "ignore", "-m", "tests.pooling.fused.interpreted", group]
    done = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Compiles a recipe's two kernels for a GPU that need not be there; the PTX of each."""
    pytest.importorskip("triton")
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "sources"))
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "binaries"))
    monkeypatch.setattr(triton_kernel.TritonKernel, "_compile", lambda self: None)

    def compile(recipe, dtype=torch.float32, is_channels_last=False, architecture=90):
        kernel = triton_kernel.TritonKernel(recipe, dtype, is_channels_last)
        return [_ptx(kernel, direction, architecture) for direction in ("forward", "backward")]

    return compile


def _ptx(kernel, direction, architecture):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    named, g = kernel.names[direction], kernel.recipe.geometry
    launch = triton_kernel.launch_of(g, (2, 16, *(9,) * g.dims), kernel._vector(16), direction)
    types = {name: f"*{TYPES.get(kernel._dtype_of(name), 'i64')}" for name in named.pointers}
    types |= dict.fromkeys(named.sizes, "i32") | dict.fromkeys(named.constants, "constexpr")
    source = ASTSource(
        fn=getattr(kernel.functions, direction),
        signature=types,
        constexprs={name: launch.constants[name] for name in named.constants},
        attrs={(place,): [["tt.divisibility", 16]] for place in range(len(named.pointers))},
    )
    return triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=triton_kernel.OPTIONS).asm["ptx"]


def check(ptx: str) -> None:
    """Nothing that adds in the order of arrival, and no map in the local memory of a thread."""
    assert not re.search(r"\b(atom|red)\.", ptx)
    assert "ld.global" in ptx
    assert "st.global" in ptx


@pytest.mark.parametrize("name", ["gem", "rank_stochastic"])
@pytest.mark.parametrize("architecture", [80, 90])
def test_kernels_compile_without_a_gpu(compiled, name: str, architecture: int):
    for ptx in compiled(recipe_of(name, WHOLE), architecture=architecture):
        check(ptx)
        assert f".target sm_{architecture}" in ptx


@pytest.mark.long
@pytest.mark.parametrize("is_channels_last", [False, True])
def test_every_method_compiles(compiled, is_channels_last: bool):
    for name in local():
        for ptx in compiled(recipe_of(name, WHOLE), is_channels_last=is_channels_last):
            check(ptx)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("shape", [OVERLAPPING, Shape((3,), (1,)), Shape((2, 2, 2), (2, 1, 2))], ids=str)
def test_other_dtypes_and_geometries_compile(compiled, shape: Shape, dtype: torch.dtype):
    for name in ("lp", "lse", "max_dropout"):
        for ptx in compiled(recipe_of(name, shape), dtype, is_channels_last=len(shape.kernel_size) > 1):
            check(ptx)


@pytest.mark.parametrize(("dtype", "wide"), [(torch.float32, "v4.b32"), (torch.bfloat16, "v4.b32")])
def test_a_thread_takes_16_bytes_of_channels_at_once(compiled, dtype: torch.dtype, wide: str):
    for ptx in compiled(recipe_of("avg_topk", WHOLE), dtype, is_channels_last=True):
        assert set(re.findall(r"(?:ld|st)\.global\.(\S+)", ptx)) == {wide}


def test_a_backward_that_is_too_long_has_no_kernel(monkeypatch):
    monkeypatch.setattr(triton_source, "MOST_STATEMENTS", 100)
    with pytest.raises(NotFusable, match="statements"):
        triton_kernel.TritonKernel(recipe_of("rank_weighted", OVERLAPPING), torch.float32, False)


def test_without_triton_there_is_one_warning_and_plain_torch(monkeypatch, fresh):
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in [name for name in sys.modules if name.startswith("poolab_kernels_")]:
        monkeypatch.delitem(sys.modules, name)
    made = kernels._made
    monkeypatch.setattr(kernels, "_made", lambda key: made((*key[:3], "cuda")))
    with pytest.warns(UserWarning, match="plain torch") as caught:
        found = [results(name, WHOLE, "fused") for name in ("lse", "avg_topk")]
    assert len(caught) == 1
    for name, result in zip(("lse", "avg_topk"), found, strict=True):
        torch.testing.assert_close(result, results(name, WHOLE, "plain"))


def test_the_source_is_not_read_from_the_cache_folder(monkeypatch, tmp_path):
    source = "def forward():\n    return 'ours'\n"
    planted = tmp_path / "kernels" / f"poolab_kernels_{hashlib.sha256(source.encode()).hexdigest()[:24]}.py"
    planted.parent.mkdir()
    planted.write_text("def forward():\n    return 'planted'\n")
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path))
    made = triton_kernel.module(source)
    monkeypatch.delitem(sys.modules, made.__name__)
    assert made.forward() == "ours"
    assert inspect.getsource(made.forward) == source
