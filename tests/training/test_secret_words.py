"""No password and no key reaches a message."""

import pytest

from poolab.study.wandb.uploader import reach
from poolab.training.secret_words import without_secrets
from poolab.training.wandb_access import has_key


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path


@pytest.mark.parametrize("text", [
    "http://me:hunter22@host:80/x", "https://hunter22@host", "HTTPConnectionPool('http://me:hunter22@h')",
    "two http://a:hunter22@h and https://b:hunter22@i", "http://me:hun@ter22@host", "socks5://me:hunter22@proxy:1",
    "wss://:hunter22@host",
])  # fmt: skip
def test_the_login_of_an_address_is_left_out(text):
    shown = without_secrets(text)
    assert "hunter22" not in shown
    assert "ter22" not in shown
    assert "://" in shown


@pytest.mark.parametrize("text", ["mail me@host.org", "http://host/a@b", "a: b @ c", "", "http://host:80"])
def test_what_is_no_login_stays(text):
    assert without_secrets(text) == text


@pytest.mark.parametrize(("name", "value"), [
    ("WANDB_API_KEY", "hunter22"),
    ("WANDB_BASE_URL", "https://me:hunter22@host"),
    ("HTTPS_PROXY", "http://me:hunter22@proxy:8080"),
    ("http_proxy", "http://me:hunter22@proxy:8080"),
    ("HTTPS_PROXY", "me:hunter22@proxy:8080"),
    ("HTTPS_PROXY", "http://me:hunter%32%32@proxy"),
])  # fmt: skip
def test_what_the_environment_keeps_is_hidden_wherever_it_stands(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert without_secrets("the word hunter22 in a text") == "the word *** in a text"


def test_what_netrc_keeps_is_hidden(home):
    (home / "netrc").write_text("machine host login user password hunter22\n")
    (home / "netrc").chmod(0o600)
    assert without_secrets("hunter22") == "***"


@pytest.mark.parametrize("content", [b"no netrc", b"\xff\xfe", b"machine host login user password a\n"])
def test_a_netrc_of_any_form(home, content):
    (home / "netrc").write_bytes(content)
    (home / "netrc").chmod(0o600)
    assert without_secrets("a text") == "a text"
    assert not has_key("http://elsewhere")


def test_a_login_of_the_address_does_not_hide_the_key_of_its_host(home):
    (home / "netrc").write_text("machine 10.0.0.1:8080 login user password hunter22\n")
    (home / "netrc").chmod(0o600)
    assert has_key("http://me:secret@10.0.0.1:8080")


@pytest.mark.parametrize("address", [
    "http://me:hunter22@127.0.0.1:9", "http://me:hunter22@127.0.0.1:nine", "https://me:hunter22@[::1", "ftp://hunter22@h",
    "file:///etc/hostname", "me:hunter22@host", "http://", "http://me:hunter22@host name/",
])  # fmt: skip
def test_a_server_that_cannot_be_reached_is_named_without_its_login(monkeypatch, address):
    from poolab.errors import PoolabError

    monkeypatch.setenv("WANDB_BASE_URL", address)
    with pytest.raises(PoolabError, match="W&B's server") as told:
        reach(address)
    assert "hunter22" not in str(told.value)
