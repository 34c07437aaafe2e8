"""A process that is forked after kernels have used several threads goes on with kernels of its own."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, threading, time
import torch
from poolab.pooling import create_pool, use_backend
from poolab.pooling.fused import forks

torch.set_num_threads(2)
pool = create_pool("avg_topk", kernel_size=2)
x = torch.randn(4, 8, 16, 16, requires_grad=True)  # below what torch itself shares among threads

def work():
    with use_backend("fused"):
        y = pool(x)
        y.sum().backward()
    return y.detach()

def forked(act, seconds=60):
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException as fault:
            print(repr(fault), flush=True)
            os._exit(1)
        os._exit(0)
    for _ in range(20 * seconds):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, status
            return
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    sys.exit("the child hangs")

def same():
    assert torch.equal(work(), expected)

expected = work()
"""
CASES = {
    "kernel": "forked(same); same()",
    "twice": "forked(lambda: (same(), forked(same), same())); same()",
    "torch first": "torch.randn(10**6).exp(); forked(same)",
    "torch in the child": "torch.randn(10**6).exp(); forked(lambda: (torch.randn(10**6).exp(), same())); same()",
    "many": "[forked(same) for _ in range(5)]; same()",
    "from a thread": """
def in_thread():
    same()
    forked(same)
    same()
thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
same()
""",
    "threads in the child": "forked(lambda: (print(forks.threads()), same()))",
    "a number of threads of its own": "forked(lambda: [(torch.set_num_threads(n), same()) for n in (4, 1)])",
    "while another thread compiles": """
from poolab.pooling.fused import backend, kernels
for lock in kernels._making.values():
    lock.acquire()
def fresh():
    kernels._kernels.clear()
    same()
forked(fresh)
for lock in kernels._making.values():
    lock.release()
same()
""",
    "an OpenMP that cannot end its threads": """
class Old:
    pass
forks._openmp = Old()
def one():
    assert forks.threads() == 1
    same()
    forked(same)
forked(one)
assert forks.threads() == 2
same()
""",
    "an OpenMP that refuses": """
class Refusing:
    @staticmethod
    def omp_pause_resource_all(kind):
        return -1
forks._openmp = Refusing()
forked(same)
""",
}


OWN = ("an OpenMP that cannot end its threads", "an OpenMP that refuses")  # each leaves the process changed
PROGRAMS = {
    "one after another": "".join(
        f'print("begin {case}", flush=True)\n{CASES[case]}\n' for case in CASES if case not in OWN
    ),
    **{case: CASES[case] for case in OWN},
}  # a fresh process for each case would import torch eleven times


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.processes
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_forked_process_goes_on(kernels, program):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM + PROGRAMS[program]], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if program not in OWN:
        assert "begin threads in the child\n2\nbegin " in done.stdout


LOADER = """
from torch.utils.data import DataLoader, Dataset

class Pooled(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return work()[0]

if __name__ == "__main__":
    for workers in (1, 2):
        batches = list(DataLoader(Pooled(), 4, num_workers=workers, multiprocessing_context="fork", timeout=60))
        assert all(torch.equal(image, expected[0]) for batch in batches for image in batch)
    same()
"""


@pytest.mark.processes
def test_workers_of_a_loader_pool(kernels):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM + LOADER], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_process_without_kernels_is_left_as_it_is():
    """The fork server of a study has none: its cells keep all their threads."""
    code = """
import os, torch
from poolab.pooling.fused import forks
import poolab.pooling
torch.set_num_threads(3)
if os.fork() == 0:
    os._exit(forks.threads())
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout == "3\n", done.stderr
