"""Where W&B is and whether it has a key, without W&B."""

from dataclasses import replace

import pytest

from poolab.records import Record
from poolab.training.wandb_access import FORMER, PUBLIC, has_key, in_sweep, server, stopped_by_agent


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("API_KEY", "BASE_URL", "CONFIG_DIR", "SWEEP_ID", "IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "known"), [
    (None, False),
    ("machine api.forge.coreweave.com login user password x\n", True),
    ("machine api.wandb.ai login user password x\n", True),  # of before client 0.31
    ("machine elsewhere.org login user password x\n", False),
    ("this is no netrc", False),
])  # fmt: skip
@pytest.mark.parametrize("name", [".netrc", "_netrc", "elsewhere"])
def test_a_key_in_netrc(home, monkeypatch, name, text, known):
    if name == "elsewhere":
        monkeypatch.setenv("NETRC", "~/elsewhere")
    if text is not None:
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    assert has_key(PUBLIC) is known


def test_a_server_of_ones_own_has_its_port_in_netrc(home):
    (home / ".netrc").write_text("machine 10.0.0.1:8080 login user password x\n")
    (home / ".netrc").chmod(0o600)
    assert has_key("http://10.0.0.1:8080")
    assert not has_key("http://10.0.0.1")


def test_the_public_server_is_the_clients():
    from wandb.sdk.lib.urls import DEFAULT_BASE_URL, forge_upstream_url

    assert (PUBLIC, f"https://{FORMER}") == (DEFAULT_BASE_URL, forge_upstream_url(DEFAULT_BASE_URL))


@pytest.mark.parametrize("name", ["API_KEY", "IDENTITY_TOKEN_FILE"])
def test_a_key_in_the_environment(monkeypatch, name):
    monkeypatch.setenv(f"WANDB_{name}", "x")
    assert has_key(PUBLIC)


def test_the_server_is_the_one_that_the_client_would_take(home, monkeypatch):
    assert server() == PUBLIC
    for folder, host in ((home / ".config" / "wandb", "all"), (home / "wandb", "here")):
        folder.mkdir(parents=True)
        (folder / "settings").write_text(f"[default]\nbase_url = https://{host}.org/\n")
        assert server() == f"https://{host}.org"
    (home / "wandb" / "settings").write_text("no settings")
    assert server() == "https://all.org"
    monkeypatch.setenv("WANDB_BASE_URL", "http://mine:1")
    assert server() == "http://mine:1"


def test_a_signal_is_an_early_stop_in_a_sweep_alone(monkeypatch):
    stopped = Record(status="interrupted", reason="stopped by SIGTERM")
    assert not in_sweep()
    assert not stopped_by_agent(stopped)
    monkeypatch.setenv("WANDB_SWEEP_ID", "x")
    assert in_sweep()
    assert stopped_by_agent(stopped)
    assert stopped_by_agent(replace(stopped, reason="stopped by SIGINT"))  # the button on its page
    assert not stopped_by_agent(replace(stopped, reason="SystemExit: 1"))
    assert not stopped_by_agent(replace(stopped, status="failed"))
