"""`import poolab.pooling` needs torch alone and costs what `import torch` costs."""

import os
import subprocess
import sys

# What torch itself declares or, like numpy, takes where it finds it; everything else but poolab is refused.
BLOCKING = """
import sys
from importlib.metadata import packages_distributions, requires, PackageNotFoundError
from re import match

def requirements(name, seen):
    if name in seen:
        return seen
    seen.add(name)
    try:
        needed = requires(name) or []
    except PackageNotFoundError:
        return seen
    for line in needed:
        if "extra ==" not in line:
            requirements(match(r"[A-Za-z0-9._-]+", line)[0].lower().replace("_", "-"), seen)
    return seen

allowed = requirements("torch", {"poolab", "numpy"})
known = packages_distributions()
refused = {top for top, owners in known.items() if not {o.lower().replace("_", "-") for o in owners} & allowed}
refused |= {"lightning", "pytorch_lightning", "torchvision", "hydra", "omegaconf", "wandb", "torchmetrics", "sklearn"}
refused |= {"matplotlib", "rich", "scipy", "timm", "yaml"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"{name} is blocked in this test", name=name)

sys.meta_path.insert(0, Refuse())
for name in ("torchvision", "pytorch_lightning", "sklearn", "hydra", "pytest"):
    try:
        __import__(name)
    except ModuleNotFoundError as fault:
        assert "blocked" in str(fault)
    else:
        raise AssertionError(f"{name} is not blocked")
from poolab.pooling import AvgTopKPool2d, create_pool, list_pools
import torch
for name in list_pools("window"):
    assert create_pool(name, kernel_size=2, channels=3)(torch.rand(1, 3, 4, 4)).shape == (1, 3, 2, 2)
for name in list_pools("global"):
    create_pool(name, channels=3)(torch.rand(1, 3, 4, 4))
print(AvgTopKPool2d(2, k=3))
"""

TIMED = """
import sys, time
import torch
start = time.process_time()
from poolab.pooling import AvgTopKPool2d, create_pool, list_pools
print(time.process_time() - start)
heavy = {"torchvision", "pytorch_lightning", "lightning", "sklearn", "matplotlib", "hydra", "wandb", "torchmetrics"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def run(script: str, **environment: str) -> str:
    command = [sys.executable, "-c", script]
    env = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torch_is_all_that_the_poolings_need():
    assert run(BLOCKING).strip() == "AvgTopKPool2d(kernel_size=2, stride=2, k=3)"


def test_the_import_costs_at_most_a_tenth_of_a_second_beyond_torch():
    """Processor time, with compiled bytecode as an installed package has it: a process writes what is missing."""
    bytecode = {"PYTHONDONTWRITEBYTECODE": ""}  # beside the modules: in a folder of its own torch would be compiled too
    assert any(float(run(TIMED, **bytecode)) <= 0.1 for _ in range(4)), "the best of four processes took longer"


CALLED = """
import sys, torch
from poolab.pooling import create_pool, list_pools
map_ = torch.rand(1, 3, 4, 4, requires_grad=True)
before = "torch._dynamo" in sys.modules
for name in list_pools("window"):
    create_pool(name, kernel_size=2, channels=3)(map_).sum().backward()
print(before, "torch._dynamo" in sys.modules)
"""


def test_calls_do_not_import_torch_s_compiler():
    """It takes 1.3 s, of which a user's first call is to be free."""
    assert run(CALLED).split() == ["False", "False"]
