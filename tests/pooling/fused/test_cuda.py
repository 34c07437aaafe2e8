"""The Triton kernels on a GPU, where there is one."""

import pytest
import torch

from poolab.pooling.fused import backend, kernels
from poolab.pooling.fused.triton_kernel import TritonKernel
from tests.pooling.fused.cases import OVERLAPPING, SHAPES, WHOLE, differences, local, results
from tests.pooling.oracles import Shape
from tests.pooling.support import make

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
LOCAL = local()


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """Those that were made: a test that silently ran plain torch would show nothing."""
    monkeypatch.setattr(kernels, "_kernels", {})
    yield kernels._kernels
    assert kernels._kernels
    assert all(isinstance(kernel, TritonKernel) for kernel in kernels._kernels.values())


@pytest.mark.parametrize("is_channels_last", [False, True])
@pytest.mark.parametrize("name", LOCAL)
def test_every_method_gives_what_plain_torch_gives(name: str, is_channels_last: bool):
    for shape in (WHOLE, OVERLAPPING):
        assert not differences(name, shape, is_channels_last=is_channels_last, device="cuda")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_geometry_gives_what_plain_torch_gives(shape: Shape, dtype: torch.dtype):
    for name in ("avg_topk", "gem", "max_dropout"):
        for is_channels_last in (False, True)[: len(shape.kernel_size)]:
            for channels in (3, 8):
                how = {"is_channels_last": is_channels_last, "channels": channels}
                assert not differences(name, shape, dtype=dtype, device="cuda", **how)


def test_the_interpreter_and_the_gpu_agree_on_the_random_numbers():
    """`draws` of the interpreted tests, on the device: the drawn element is the same to the last bit."""
    for name in ("stochastic", "rank_stochastic", "mixed_random", "max_dropout"):
        fused, plain = (results(name, WHOLE, way, device="cuda") for way in ("fused", "plain"))
        torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [WHOLE, OVERLAPPING], ids=str)
@pytest.mark.parametrize("name", ["gem", "ordinal", "stochastic"])
def test_the_same_call_gives_the_same_bits(name: str, shape: Shape):
    first, second = (results(name, shape, "fused", device="cuda") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["gem", "stochastic", "avg_topk"])
def test_the_host_never_waits(name: str):
    pool = make(name, OVERLAPPING).train().cuda()
    x = torch.randn(4, 2, 16, 16, device="cuda", requires_grad=True)
    with backend.use_backend("fused"):
        pool(x).sum().backward()  # compiles
        torch.cuda.set_sync_debug_mode("error")
        try:
            pool(x).backward(torch.ones_like(pool(x)))
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_other_sizes_compile_nothing():
    pool = make("avg_topk", OVERLAPPING).cuda()
    with backend.use_backend("fused"):
        pool(torch.randn(2, 2, 16, 16, device="cuda"))
        (kernel,) = kernels._kernels.values()
        count = lambda: sum(len(caches[0]) for caches in kernel.functions.forward.device_caches.values())  # noqa: E731
        before = count()
        for shape in ((1, 2, 9, 9), (3, 2, 7, 32), (16, 2, 33, 16), (64, 2, 1, 1)):
            pool(torch.randn(*shape, device="cuda"))
        assert count() == before
