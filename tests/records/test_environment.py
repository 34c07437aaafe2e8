import importlib.util
import json
import subprocess
from importlib import metadata
from pathlib import Path

from poolab.records import environment, machine


def test_versions_commit_and_facts():
    found = environment("cuda: X", processes=2)
    assert found["packages"]["torch"] == metadata.version("torch")
    assert found["packages"]["poolab"] == metadata.version("poolab")
    assert (found["device"], found["processes"]) == ("cuda: X", 2)
    assert found["processor"]


def test_the_commit_is_that_of_the_checkout(pytestconfig):
    root = pytestconfig.rootpath
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True)
    found = environment()
    if head.returncode:  # a source archive
        assert found["commit"] is None
        assert found["dirty"] is None
    else:
        assert found["commit"] == head.stdout.strip()
        assert found["dirty"] in (True, False)


def test_changed_code_is_told_and_a_changed_page_is_not(tmp_path):
    place = tmp_path / "src" / "poolab" / "records" / "machine.py"
    place.parent.mkdir(parents=True)
    place.write_text(Path(machine.__file__).read_text())
    for name in ("README.md", "train.py", "conf/train.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    spec = importlib.util.spec_from_file_location("copied", place)
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    (tmp_path / "README.md").write_text("2")
    assert copied.commit()["dirty"] is False
    for name in ("train.py", "conf/train.yaml", "src/poolab/new.py"):
        (tmp_path / name).write_text("2")
        assert copied.commit()["dirty"] is True
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", name], check=True)
        assert copied.commit()["dirty"] is False


def test_no_environment_variable_is_kept(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret-of-the-user")
    assert "secret-of-the-user" not in json.dumps(environment())
