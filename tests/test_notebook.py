"""The notebook of docs/notebooks, executed in a kernel of its own; and the bar that a kernel shows."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from poolab import notebook

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"
FILE = NOTEBOOKS / "first_study.ipynb"


def code(cells):
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def shown(cells):
    """What the code cells show: the texts of each by its kind."""
    return [
        {
            kind: "".join(text)
            for output in cell["outputs"]
            for kind, text in {**output.get("data", {}), output.get("name", "none"): output.get("text", "")}.items()
        }
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def test_it_has_at_most_25_lines_of_code():
    lines = [line for cell in code(json.loads(FILE.read_text())["cells"]) for line in cell.splitlines() if line.strip()]
    assert len(lines) <= 25


@pytest.mark.services
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # jupyter's own
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `dev`")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("onnxscript", reason="needs the extra `export`")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # `!poolab`
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    read = nbformat.read(FILE, as_version=4)
    for cell in read.cells:  # a third of the time
        cell.source = cell.source.replace(
            "trainer.epochs=3", "trainer.epochs=1 data.image_size=16 measure.seconds=0.01"
        )
    nbclient.NotebookClient(read, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    plan, ran, table, best, picture, exported = shown(read.cells)
    assert "<table>" in plan["text/html"]
    assert '<progress value="9" max="9">' in ran["text/html"]
    assert ran["text/plain"].startswith("9 of 9 cells completed")
    assert "avg_topk" in table["text/html"]
    assert "test/accuracy" in best["text/html"]
    assert picture["stdout"].startswith("[('")
    assert "image/png" in picture
    assert exported["text/plain"].startswith("model.onnx: onnx, float32, ")
    assert (tmp_path / "model.onnx").stat().st_size > 10_000
    assert not any("stderr" in one for one in (plan, table, best, picture, exported))
    if "POOLAB_KEEP_NOTEBOOK" in os.environ:
        nbformat.write(read, os.environ["POOLAB_KEEP_NOTEBOOK"])


@pytest.mark.services
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # jupyter's own
def test_the_tutorials_walk_runs_on_small_data(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `dev`")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # `!poolab`
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    read = nbformat.read(NOTEBOOKS / "cifar10_tutorial.ipynb", as_version=4)
    small = {
        '"cifar10"': '"digits"',
        '"trainer.epochs=10"': '"trainer.epochs=1", "data.limit_train=200"',
        "trainer.epochs=10": "trainer.epochs=1 measure.seconds=0.01",
        "data.limit_train=10000": "data.limit_train=100 data.limit_test=50",
        "seed=0,1,2,3,4,5": "seed=0,1",
    }
    for cell in read.cells:
        for long, short in small.items():
            cell.source = cell.source.replace(long, short)
    nbclient.NotebookClient(read, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    loaded, _, built, trained, curves, predicted, _, ran, table = shown(read.cells)
    assert loaded["text/plain"].startswith("(1290, 143, 364, (32, 32)")
    assert "pool1" in built["stdout"]
    assert 0 < float(trained["text/plain"].strip("()").split(",")[0]) <= 1
    assert "image/png" in curves
    assert predicted["stdout"].count("(is ") == 5
    assert ran["text/plain"].startswith("10 of 10 cells completed")
    assert all(arm in table["text/html"] for arm in ("max", "avg", "mixed", "avg_topk", "strided_conv"))


def test_a_bar_is_updated_in_place_and_only_where_it_changes():
    told = []
    handle = SimpleNamespace(update=lambda content, raw: told.append(("update", content["text/html"])))

    def display(content, raw, display_id):
        told.append(("display", content["text/html"]))
        return handle

    bar = notebook.Bar(display)
    for done in (1, 1, 2):
        bar.update(done, 9, "<b> & 1\x1b[2J")
    assert told == [
        ("display", '<progress value="1" max="9"></progress> &lt;b&gt; &amp; 1\\x1b[2J'),
        ("update", '<progress value="2" max="9"></progress> &lt;b&gt; &amp; 1\\x1b[2J'),
    ]


def test_a_run_shows_its_epochs_in_a_bar():
    from poolab.training.notebook_progress import NotebookProgress

    told = []
    progress = NotebookProgress(SimpleNamespace(update=lambda *shown: told.append(shown)), "avg, seed 1")
    trainer = SimpleNamespace(current_epoch=0, max_epochs=2, num_training_batches=4)
    for batch in range(4):  # all within the time between two updates
        progress.on_train_batch_end(trainer, None, None, None, batch)
    progress.on_train_epoch_end(trainer, None)
    trainer.current_epoch = 1
    progress.on_train_epoch_end(trainer, None)
    assert told == [
        (0.25, 2, "avg, seed 1, epoch 1 of 2"),
        (1, 2, "avg, seed 1, epoch 2 of 2"),
        (2, 2, "avg, seed 1, epoch 2 of 2"),
    ]


@pytest.mark.parametrize(("wanted", "kernel", "shown"), [(True, True, 1), (False, True, 0), (True, False, 0)])
def test_a_run_has_a_bar_in_a_notebook_unless_it_is_switched_off(
    configured, tmp_path, monkeypatch, wanted, kernel, shown
):
    from poolab.run_config import RunConfig
    from poolab.training.console import Console

    config = RunConfig.from_tree(configured(tmp_path, f"trainer.progress_bar={str(wanted).lower()}"))
    monkeypatch.setattr("poolab.training.console.notebook_bar", lambda: SimpleNamespace() if kernel else None)
    assert len(Console(config, None, None, bar=config.trainer.progress_bar).callbacks()) == shown


def test_a_terminal_with_ipython_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=None)))
    assert notebook.notebook_bar() is None
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert notebook.notebook_bar() is None
