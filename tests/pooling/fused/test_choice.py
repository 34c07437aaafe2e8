"""A choice of the backend holds for the thread or task that makes it."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from poolab.pooling import AvgTopKPool2d, get_backend, set_backend, use_backend
from poolab.pooling.fused import kernels

NAMES = ("plain", "fused", "auto")


@pytest.fixture
def put_back():
    """The choice of the process, as it was."""
    yield
    set_backend("auto")


def test_eight_threads_do_not_see_each_others_choice():
    together = threading.Barrier(8, timeout=60)

    def work(number: int) -> list[str]:
        found = []
        for turn in range(20):
            together.wait()
            with use_backend(NAMES[(number + turn) % 3]):
                together.wait()
                found.append(get_backend() == NAMES[(number + turn) % 3])
                together.wait()
            found.append(get_backend() == "auto")
        return found

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(work, range(8)))
    assert all(all(found) for found in results)
    assert get_backend() == "auto"


def test_eight_threads_compute_by_their_own_choice(fresh):
    x, together, used = torch.randn(1, 3, 8, 8, requires_grad=True), threading.Barrier(8, timeout=60), {}
    pool = AvgTopKPool2d(2)

    def work(number: int) -> None:
        with use_backend("fused" if number % 2 else "plain"):
            together.wait()
            used[number] = type(pool(x).grad_fn.kernel).__name__
            together.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [used[number] for number in range(8)] == ["TorchKernel", "CpuKernel"] * 4


def test_set_backend_is_for_the_whole_process(put_back):
    set_backend("plain")
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(get_backend).result() == "plain"
        with use_backend("fused"):
            assert thread.submit(get_backend).result() == "plain"
            assert contextvars.copy_context().run(get_backend) == "fused"


def test_the_inner_choice_goes_first(put_back):
    with use_backend("plain"):
        set_backend("fused")
        assert get_backend() == "plain"
        with use_backend("auto"):
            assert get_backend() == "auto"
        assert get_backend() == "plain"
    assert get_backend() == "fused"


def test_tasks_do_not_see_each_others_choice():
    async def work(name: str) -> list[str]:
        found = []
        for _ in range(5):
            with use_backend(name):
                await asyncio.sleep(0)
                found.append(get_backend())
            await asyncio.sleep(0)
            found.append(get_backend())
        return found

    async def all_of_them():
        return await asyncio.gather(*map(work, NAMES))

    assert asyncio.run(all_of_them()) == [[name, "auto"] * 5 for name in NAMES]


def test_a_generator_that_another_thread_closes():
    def numbers():
        with use_backend("plain"):
            yield 1

    generator = contextvars.copy_context().run(lambda: (made := numbers(), next(made)))[0]
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: (generator.close(), get_backend())).result() == (None, "auto")
    assert get_backend() == "auto"


def test_as_a_decorator_and_after_a_fault():
    assert use_backend("plain")(get_backend)() == "plain"
    with pytest.raises(KeyError), use_backend("fused"):
        raise KeyError
    with pytest.raises(ValueError, match="no backend is called 'fast'"), use_backend("fast"):
        pass
    assert get_backend() == "auto"


@pytest.mark.parametrize("name", ["plain", "fused"])
def test_a_backward_in_another_thread_takes_what_its_forward_took(fresh, name):
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    pool = AvgTopKPool2d(2)
    with use_backend(name):
        y = pool(x)
        (expected,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    other = {"plain": "fused", "fused": "plain"}[name]

    def later():
        with use_backend(other):
            return torch.autograd.grad(y.sum(), x)[0]

    before = dict(kernels._kernels)
    with ThreadPoolExecutor(1) as thread:
        assert torch.equal(thread.submit(later).result(), expected)
    assert kernels._kernels == before


def test_inside_torch_compile():
    """A choice inside a traced function keeps the graph whole: dynamo does not trace a ContextVar's set."""
    x, pool = torch.randn(1, 3, 8, 8), AvgTopKPool2d(2)

    def work(x):
        with use_backend("plain"):
            return pool(x) * 2

    expected = work(x)
    assert torch.equal(torch.compile(work, backend="eager", fullgraph=True)(x), expected)
    assert get_backend() == "auto"
