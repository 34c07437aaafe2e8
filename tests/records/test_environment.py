import json
import subprocess
from importlib import metadata

from poolab.records import environment


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


def test_no_environment_variable_is_kept(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret-of-the-user")
    assert "secret-of-the-user" not in json.dumps(environment())
