"""Calls of W&B's client end in time, whatever they do; its process is known, and so is what its server refused."""

import subprocess
import sys
import threading

import pytest

from poolab.training.wandb_client import NoAnswer, bounded, client_process, is_dead, kill, refusal


def test_a_call_that_never_ends_is_given_up():
    never = threading.Event()
    with pytest.raises(NoAnswer, match=r"has not answered for 0\.05 s"):
        bounded(never.wait, 0.05)
    never.set()


@pytest.mark.parametrize(("fault", "raised"), [
    (ValueError("no"), ValueError), (ImportError("no wandb"), ImportError), (SystemExit(3), RuntimeError),
    (KeyboardInterrupt(), RuntimeError), (TypeError("Descriptors cannot be created directly"), TypeError),
    (OSError(28, "No space left on device"), OSError), (MemoryError(), MemoryError), (RecursionError(), RecursionError),
])  # fmt: skip
def test_what_a_call_raises_arrives(fault, raised):
    def fail():
        raise fault

    with pytest.raises(raised):
        bounded(fail, 10)


def test_a_process_is_seen_to_end():
    code = "import sys, time; sys.stdout.write('up'); sys.stdout.flush(); time.sleep(60)"
    process = subprocess.Popen(["wandb-core-of-a-test", "-c", code], executable=sys.executable, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(2)
    found = client_process()
    assert found == process.pid
    assert not is_dead(found)
    kill(found)
    assert is_dead(found)
    process.communicate()
    assert is_dead(found)
    kill(None)
    assert not is_dead(None)


@pytest.mark.parametrize(("text", "says"), [
    ('{"level":"ERROR+4","msg":"filestream: fatal error: 403"}\n', "filestream: fatal error: 403"),
    ('{"level":"INFO","msg":"all"}\n', None),
    ("a fatal error, and no JSON", "a fatal error, and no JSON"),
    ('{"fatal error": 1}', '{"fatal error": 1}'),
    ("", None),
])  # fmt: skip
def test_what_the_client_writes_of_a_refusal(tmp_path, text, says):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "debug-internal.log").write_text(text)
    assert refusal(tmp_path) == says


def test_without_a_log_nothing_is_known(tmp_path):
    assert refusal(tmp_path) is None
