"""Which path is taken, and what happens where there is none."""

import gc
import os
import subprocess
import sys
import threading
import warnings

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from poolab.pooling import (
    AvgTopKPool2d,
    MaxPool2d,
    SoftPool2d,
    WindowPool2d,
    create_pool,
    get_backend,
    set_backend,
    use_backend,
)
from poolab.pooling.functional import avg_topk_pool2d
from poolab.pooling.fused import backend, background, compiler, engine, kernels, keys, library
from poolab.pooling.fused.cpu_kernel import CpuKernel
from poolab.pooling.fused.torch_kernel import TorchKernel


class MidrangePool2d(WindowPool2d):
    """A user's own method."""

    @staticmethod
    def formula(windows):
        return (windows.maximum() + windows.minimum()) / 2


def compiled():
    return [kernel for kernel in kernels._kernels.values() if kernel is not None]


def test_an_unknown_backend_is_told():
    with pytest.raises(ValueError, match=r"no backend is called 'fuse': did you mean fused\?"):
        set_backend("fuse")
    assert get_backend() == "auto"


def test_the_backend_is_put_back():
    with pytest.raises(ValueError, match="too small"), use_backend("fused"):
        AvgTopKPool2d(3)(torch.randn(1, 1, 2, 2))
    assert get_backend() == "auto"
    with use_backend("plain"):
        assert get_backend() == "plain"


def test_plain_compiles_nothing(fresh):
    with use_backend("plain"):
        create_pool("avg_topk", kernel_size=2)(torch.randn(1, 3, 8, 8))
    assert not compiled()
    assert not fresh.exists()


def settle():
    """Wait for what is made in the background."""
    worker = background._worker
    if worker is not None:
        worker.join(60)


@pytest.mark.parametrize("cls", [AvgTopKPool2d, MaxPool2d])
def test_auto_compiles_once_it_pays_and_nobody_waits(cls, fresh, monkeypatch):
    monkeypatch.setattr(engine, "CONTIGUOUS", engine.Range(0, 9, 9))
    pool, x = cls(2), torch.randn(1, 3, 8, 8)
    pool(x)
    assert not background._asked, "no time has passed"
    monkeypatch.setattr(background, "LOOKS_FROM", 0.0)
    may_build, build = threading.Event(), library.build
    monkeypatch.setattr(library, "build", lambda *given: may_build.wait(60) and build(*given))
    pool(x)  # looks on the disk, where nothing is
    settle()
    assert not compiled()
    monkeypatch.setattr(background, "PAYS_FROM", 0.0)
    for _ in range(3):
        pool(x)
    assert not compiled(), "it goes on in plain torch while a compiler runs"
    may_build.set()
    settle()
    assert len(compiled()) == 1
    monkeypatch.setattr(CpuKernel, "forward", lambda *_: pytest.fail("the kernel is taken"))
    with pytest.raises(pytest.fail.Exception, match="is taken"):
        pool(x)


def test_the_backward_counts_as_time_in_plain_torch(fresh):
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    output = AvgTopKPool2d(2)(x)
    before = sum(keys._seconds.values())
    output.sum().backward()
    assert sum(keys._seconds.values()) > before > 0


def test_a_process_that_ends_does_not_wait_for_the_compiler(tmp_path):
    """The compiler is stopped, its folder deleted, and the thread ends in order."""
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\ntouch $0.runs\nsleep 60\n")
    compiler.chmod(0o755)
    code = (
        "import os, time, torch\n"
        "from poolab.pooling import AvgTopKPool2d\n"
        "from poolab.pooling.fused import background\n"
        "background.LOOKS_FROM = background.PAYS_FROM = 0.0\n"
        "pool, x = AvgTopKPool2d(2), torch.randn(1, 3, 8, 8)\n"
        "pool(x), pool(x)\n"
        "while not os.path.exists(os.environ['CC'] + '.runs'): time.sleep(0.01)\n"
    )
    environment = {**os.environ, "CC": str(compiler), "POOLAB_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not list(tmp_path.glob("cache/kernels/poolab-*"))


def test_auto_keeps_its_bits_when_asked_for_determinism(fresh, monkeypatch):
    monkeypatch.setattr(background, "LOOKS_FROM", 0.0)
    monkeypatch.setattr(background, "PAYS_FROM", 0.0)
    pool, x = AvgTopKPool2d(2), torch.randn(1, 3, 8, 8)
    torch.use_deterministic_algorithms(True)
    try:
        for _ in range(3):
            pool(x)
        assert not background._asked
    finally:
        torch.use_deterministic_algorithms(False)
    pool(x)
    settle()
    assert len(compiled()) == 1


def test_auto_takes_a_kernel_that_lies_on_disk(fresh, monkeypatch):
    pool, x = AvgTopKPool2d(2), torch.randn(1, 3, 8, 8)
    with use_backend("fused"):
        pool(x)
    monkeypatch.setattr(kernels, "_kernels", {})
    monkeypatch.setattr(library, "build", lambda *_: pytest.fail("compiled again"))
    monkeypatch.setattr(background, "LOOKS_FROM", 0.0)
    pool(x)  # has taken no time before
    pool(x)
    settle()
    assert len(compiled()) == 1


def test_small_maps_are_left_to_the_formula(fresh, monkeypatch):
    """A short script waits neither for a compiler nor for a recording."""
    monkeypatch.setattr(backend, "BLOCKS_FROM", 193)
    monkeypatch.setattr(backend, "_in_blocks", lambda *_: pytest.fail("in blocks"))
    AvgTopKPool2d(2)(torch.randn(1, 3, 8, 8))
    with pytest.raises(pytest.fail.Exception, match="in blocks"):
        AvgTopKPool2d(2)(torch.randn(1, 4, 8, 8))


def test_other_batches_and_sizes_take_the_same_kernel(fresh):
    pool = AvgTopKPool2d(3, 2, 1)
    with use_backend("fused"):
        for shape in ((1, 3, 8, 8), (7, 3, 8, 8), (2, 5, 9, 30), (3, 8, 8)):
            pool(torch.randn(shape))
    assert len(compiled()) == 1
    assert len(list(fresh.glob("*.so"))) == 1


def test_without_a_compiler_it_warns_once_and_computes_plainly(fresh, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "of_wheel", lambda: None)
    x = torch.randn(1, 3, 8, 8)
    with use_backend("plain"):
        expected = AvgTopKPool2d(2)(x), SoftPool2d(2)(x)
    with (
        use_backend("fused"),
        pytest.warns(UserWarning, match="plain torch, since no kernel can be made: none of cc"),
    ):
        found = AvgTopKPool2d(2)(x)
    with use_backend("fused"), warnings.catch_warnings():
        warnings.simplefilter("error")
        again = AvgTopKPool2d(2)(x), SoftPool2d(2)(x)
    assert torch.equal(found, expected[0])
    assert torch.equal(again[0], expected[0])
    assert torch.equal(again[1], expected[1])


def test_what_goes_wrong_in_the_background_is_told_in_the_foreground(fresh, monkeypatch):
    monkeypatch.setattr(background, "LOOKS_FROM", 0.0)
    monkeypatch.setattr(background, "PAYS_FROM", 0.0)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "of_wheel", lambda: None)
    pool, x = AvgTopKPool2d(2), torch.randn(1, 3, 8, 8)
    expected = pool(x)
    pool(x)
    settle()
    with pytest.warns(UserWarning, match=r"plain torch.*none of cc.*pip install 'poolab\[compiler\]'"):
        assert torch.equal(pool(x), expected)


def test_a_method_of_ones_own_is_fused_too(fresh):
    x = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])
    with use_backend("fused"):
        assert MidrangePool2d(2)(x).item() == 2.5
    assert isinstance(compiled()[0], CpuKernel)


def test_a_function_takes_the_kernel_of_its_class(fresh):
    x = torch.randn(1, 3, 8, 8)
    with use_backend("fused"):
        assert torch.equal(avg_topk_pool2d(x, 2, k=3), AvgTopKPool2d(2, k=3)(x))
    assert len(compiled()) == 1


@pytest.mark.parametrize("path", ["plain", "fused"])
@pytest.mark.parametrize("name", ["avg_topk", "median", "softpool", "lp", "adapool", "stochastic", "max_dropout"])
def test_nothing_is_kept_for_the_backward_but_the_map(name, path):
    kept = []
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    pool = create_pool(name, kernel_size=2)
    with use_backend(path), saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        pool(x)
    assert {tensor.data_ptr() for tensor in kept if tensor.numel() > 3} == {x.data_ptr()}


@pytest.mark.parametrize("path", ["plain", "fused"])
def test_gradients_of_gradients(path):
    pool = create_pool("softpool", kernel_size=2, learnable=True).double()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    with use_backend(path):
        assert torch.autograd.gradgradcheck(pool, x)
        slope = torch.randn(1, 2, 2, 2, dtype=torch.float64)
        grads = torch.autograd.grad(pool(x), [x, *pool.parameters()], slope, create_graph=True)
        assert all(g.requires_grad for g in grads)


def test_transforms_see_the_formula(fresh):
    x = torch.randn(3, 2, 8, 8)
    pool = AvgTopKPool2d(2)
    with use_backend("fused"):
        each = torch.func.vmap(pool)(x.unsqueeze(1))
        gradient = torch.func.grad(lambda x: pool(x).square().sum())(x)
    assert not compiled()
    assert torch.equal(each.squeeze(1), pool(x))
    assert gradient.shape == x.shape


def test_no_memory_is_lost():
    """Kernels, buffers and maps are freed: the same work again takes no more."""
    pool, x = SoftPool2d(3, 2, 1), torch.randn(2, 3, 16, 16, requires_grad=True)

    def work():
        for path in ("plain", "fused"):
            with use_backend(path):
                pool(x).sum().backward()
        gc.collect()
        return sum(1 for thing in gc.get_objects() if type(thing) is torch.Tensor)

    work()
    assert work() == work()


def test_a_map_that_is_cut_out_of_another_is_made_dense():
    whole = torch.randn(2, 6, 12, 12)
    for x in (
        whole[:, ::2],
        whole[..., 2:10],
        whole.transpose(2, 3),
        whole.expand(2, 6, 12, 12)[:1].expand(3, -1, -1, -1),
    ):
        for path in ("plain", "fused"):
            with use_backend(path):
                assert torch.equal(AvgTopKPool2d(2)(x), AvgTopKPool2d(2)(x.contiguous()))


def test_maxima_and_means_are_left_to_torchs_own_kernels(monkeypatch):
    monkeypatch.setattr(backend, "_in_blocks", lambda *_: pytest.fail("in blocks"))
    with use_backend("plain"):
        for name in ("min", "mixed", "mixed_random"):
            create_pool(name, kernel_size=2)(torch.randn(1, 2, 4, 4))


def test_plain_torch_works_in_blocks(monkeypatch):
    from poolab.pooling.fused import torch_kernel

    x = torch.randn(5, 7, 8, 8, requires_grad=True)
    pool = create_pool("adapool", kernel_size=3, stride=2, padding=1, channels=7, sharing="channel")
    found = []
    for size in (10**6, 16 * 7 * 2, 16 * 3):  # the whole map, two samples, three channels of a sample
        monkeypatch.setattr(torch_kernel, "BLOCK", size)
        with use_backend("plain"):
            y = pool(x)
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *pool.parameters()])])
    for other in found[1:]:
        for ours, whole in zip(other, found[0], strict=True):
            torch.testing.assert_close(ours, whole)
    assert TorchKernel.__name__ in {type(k).__name__ for k in [backend._in_blocks(*_key(pool, x))]}


def _key(pool, x):
    from poolab.pooling.fused.call import to_spec

    return to_spec(type(pool).formula, pool.geometry, pool.arguments(), x.shape[1])[0], x.dtype
