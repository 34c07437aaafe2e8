"""What an import costs and what the wheel carries; `make lint` holds which room may import which."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HEAVY = {"pytorch_lightning", "torchvision", "torchmetrics", "wandb", "matplotlib", "sklearn", "hydra", "omegaconf"}
LATE = {"rich", "timm", "kornia", "jinja2", "markupsafe", "onnx", "onnxruntime", "onnxscript", "torchao", "IPython"}


def imports_of(nodes, package):
    """What these nodes of a file import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module} if module != "poolab" else {f"poolab.{alias.name}" for alias in node.names}
    return names


@pytest.fixture(scope="module")
def source(pytestconfig):
    return pytestconfig.rootpath / "src" / "poolab"


@pytest.mark.parametrize(("module", "absent"), [
    ("poolab.records", ("torch", "numpy", "hydra")),
    ("poolab.configuration", ("torch", "hydra")),
    ("poolab.cli", ("torch", "hydra", "rich")),
    ("poolab.data", ("torch", "pytorch_lightning")),
    ("poolab.study", (*HEAVY, *LATE, "torch", "numpy", "scipy")),
    ("poolab.study.commands.verbs", (*HEAVY, *LATE, "torch", "numpy", "scipy")),
    ("poolab.report", (*HEAVY, *LATE, "torch", "numpy", "scipy")),
    ("poolab.report.document", (*HEAVY, *LATE, "torch")),
    ("poolab.study.commands.report_verb", (*HEAVY, *LATE, "torch", "numpy", "scipy")),
    ("poolab.bench.ops", ("torch", "numpy", "rich", "matplotlib")),
    ("poolab.bench.compare", ("torch", "numpy", "rich", "matplotlib")),
    ("poolab.pooling", (*HEAVY, *LATE, "scipy")),
    ("poolab.training.launcher", (*HEAVY, *LATE, "scipy")),
    ("poolab.export.formats", (*HEAVY, *LATE, "torch")),
    ("poolab.notebook", (*HEAVY, *LATE, "torch", "numpy")),
    ("poolab.report.statistics", (*HEAVY, *LATE, "torch", "scipy.stats")),
    ("poolab.training.console", (*HEAVY, *LATE, "torch")),
    ("poolab.bench.startup", (*HEAVY, *LATE, "torch")),
])  # fmt: skip
def test_what_an_import_does_not_bring_with_it(module, absent):
    assert brought(f"import {module}", absent) == []


def brought(code, names):
    """Which of the names are loaded when a fresh process has run the code, and ends."""
    told = f"lambda: print([name for name in {names!r} if name in sys.modules])"
    command = [sys.executable, "-c", f"import atexit, sys; atexit.register({told}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout.splitlines()[-1])


def test_help_needs_hydra_alone():
    names = ("hydra", "torch", "numpy", *(HEAVY | LATE) - {"hydra", "omegaconf"})
    assert brought("from poolab.cli import train; train(['--help'])", names) == ["hydra"]


def test_the_words_of_a_study_need_neither_torch_nor_hydra():
    names = ("torch", "numpy", "scipy", *HEAVY | LATE)
    assert brought("from poolab.cli import main; main(['study', 'plan', '--help'])", names) == []


def test_a_table_of_a_study_needs_no_torch(pytestconfig, tmp_path):
    file = pytestconfig.rootpath / "sweeps" / "topk_k.yaml"
    words = [
        "study",
        "table",
        str(file),
        "--runs",
        str(tmp_path),
    ]  # there are none: it says so when it has composed all
    assert brought(f"from poolab.cli import main; print(main({words!r}))", ("torch", "hydra")) == ["hydra"]


@pytest.mark.parametrize("verb", ["export", "new", "predict", "measure"])
def test_help_of_a_verb_needs_no_torch(verb):
    names = ("torch", "numpy", "hydra", *HEAVY | LATE)
    assert brought(f"from poolab.cli import main; main([{verb!r}, '--help'])", names) == []


def test_imports_cost_little_beside_torch():
    """By the time of one process: both poolab.pooling and the console command's help take a small part of torch's."""
    code = (
        "import contextlib, time\n"
        "def spent(): return time.process_time()\n"
        "begin = spent()\n"
        "from poolab.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "help = spent() - begin\n"
        "import torch\n"
        "own = spent() - begin - help\n"
        "import poolab.pooling\n"
        "print(help / own, (spent() - begin - help - own) / own)"
    )
    found = [
        [float(part) for part in subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1].split()]
        for _ in range(2)
    ]  # fmt: skip
    help, pooling = (min(ratios) for ratios in zip(*found, strict=True))
    assert help < 0.1
    assert pooling < 0.15


@pytest.mark.processes
def test_what_a_run_does_without(tiny, tmp_path):
    """A finished run needs no Lightning. (Lightning brings torchvision and matplotlib by torchmetrics, used or not.)"""
    run = f"from poolab.cli import train; train({[*tiny, f'runs_dir={tmp_path}']!r})"
    assert brought(run, ("wandb", "timm", "pytorch_lightning")) == ["pytorch_lightning"]
    assert brought(run, ("torch", *HEAVY - {"hydra", "omegaconf"})) == ["torch"]


def test_what_is_imported_only_where_it_is_used(source):
    """Not at a file's top, whatever imports the file."""
    for path in source.rglob("*.py"):
        tree = ast.parse(path.read_text())
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        found = {name.split(".")[0] for name in imports_of(top, "poolab")}
        assert not found & (LATE | {"torchvision", "wandb", "matplotlib", "sklearn", "hydra", "omegaconf"}), path.name


@pytest.fixture(scope="module")
def wheel(pytestconfig, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(pytestconfig.rootpath)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_carries_the_whole_configuration_and_nothing_else(wheel, pytestconfig):
    root = Path(pytestconfig.rootpath)
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {f"poolab/{path.relative_to(root)}" for path in (root / "conf").rglob("*.yaml")}
    wanted |= {str(path.relative_to(root / "src")) for path in (root / "src").rglob("*.py")} | {"poolab/py.typed"}
    wanted |= {str(path.relative_to(root / "src")) for path in (root / "src").rglob("*.pyi")}
    wanted -= {name for name in wanted if name.startswith("poolab/bench/")}  # scripts/bench.py needs a checkout
    wanted -= {f"poolab/catalogue/{name}.py" for name in ("__main__", "gallery", "pages")}  # so does making docs/
    wanted |= {f"poolab/report/page/page.{kind}" for kind in ("html", "css", "js")}
    wanted |= {
        f"poolab/pooling/fused/{name}.c"
        for name in ("vectors", "functions", "common", "channels_last", "contiguous", "probe")
    }
    assert "poolab/conf/train.yaml" in names
    assert names == wanted


@pytest.mark.processes
def test_the_wheel_runs_from_any_folder(wheel, tmp_path):
    place = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place)]
    subprocess.run([*install, "--disable-pip-version-check", str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}

    def python(*arguments):
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # PYTHONPATH comes before the checkout's editable install
    facts = "import poolab, poolab.records as r; print(poolab.__file__); print(r.environment()['commit'])"
    file, commit = python("-c", facts).splitlines()
    assert Path(file).is_relative_to(place)
    assert commit == "None"
    modules = "import importlib, pkgutil, poolab; missing = [m.name for m in pkgutil.walk_packages(poolab.__path__,"
    modules += (
        " 'poolab.') if '__main__' not in m.name and 'triton' not in m.name and not importlib.import_module(m.name)]"
    )
    assert python("-W", "ignore", "-c", modules + "; print(missing)") == "[]\n", "nothing in it needs what is left out"
    shapes = python("-m", "poolab", "shapes", "pooling=avg_topk", "data=cifar10")
    assert "avg_topk" in shapes
    assert "Choices: group=name" in python("-m", "poolab", "train", "--help")
