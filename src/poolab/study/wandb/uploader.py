"""Upload W&B sessions with W&B's own client, as processes; the results are read from its output."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from poolab.errors import PoolabError
from poolab.study.wandb.sessions import Session
from poolab.training import LOGIN, without_secrets

PARALLEL = 4  # uploads of one client at a time
REACH = 10.0  # seconds for a server to answer
# The client would try again for many minutes. Names of its settings; what the user has set stands.
RETRIES = {
    f"WANDB__{what}_{setting}": value
    for what in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
    for setting, value in (("RETRY_MAX", "4"), ("RETRY_WAIT_MIN_SECONDS", "1"), ("RETRY_WAIT_MAX_SECONDS", "5"))
}
ERROR = re.compile(r"^wandb: ERROR (.*)$", re.MULTILINE)
LONGEST = 300  # characters of a reason


def reach(address: str) -> None:
    """Check that the server answers; any answer will do.

    Raises:
        PoolabError: none comes.
    """
    shown = without_secrets(address)
    if not re.match(r"https?://", address):
        raise PoolabError(f"W&B's server {shown} is not a web address: WANDB_BASE_URL=https://...")
    try:
        urllib.request.urlopen(LOGIN.sub("", address), timeout=REACH).close()  # it would take a login for the port
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PoolabError(
            f"W&B's server {shown} cannot be reached: {without_secrets(str(error))}; nothing is lost, the same command "
            "goes on from here"
        ) from None


class Uploader:
    """Runs `wandb sync`, whose output goes to the file `log`.

    Args:
        options: further words of `wandb sync`.
        held: an open file that the client keeps open, whoever is killed, and with it its lock.
        patience: seconds without a session that ends, after which the client is killed.
    """

    def __init__(self, log: Path, options: Sequence[str], held: int, patience: float):
        self.log, self.options, self.held, self.patience = log, options, held, patience

    def upload(self, batch: Sequence[Session]) -> dict[str, str]:
        """Upload some sessions; return why each one failed, by its name."""
        words = ["sync", "-n", str(PARALLEL), "--include-online", *self.options, *(str(one.path) for one in batch)]
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "wandb", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**RETRIES, **os.environ, "WANDB_DIR": str(self.log.parent), "WANDB_SILENT": "false"},
                pass_fds=[self.held],
                process_group=0,
            )
        try:
            late = self._wait(process, batch)
        finally:
            if process.poll() is None:
                _kill(process)
        said = self.log.read_text(errors="replace")
        self.log.write_text(without_secrets(said))  # it tells the server's address with its login
        return failures(batch, self.log, late)

    def _wait(self, process: subprocess.Popen[bytes], batch: Sequence[Session]) -> str:
        """Wait for the client; return why it was given up, or None."""
        done, since = 0, time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
                return ""
            ended = sum(session.marker.exists() for session in batch)
            if ended > done:
                done, since = ended, time.monotonic()
            if time.monotonic() - since > self.patience:
                return f"given up after {self.patience:g} s without progress (--patience)"


def failures(batch: Sequence[Session], log: Path, late: str = "") -> dict[str, str]:
    """Return why sessions failed, by their names, from the client's markers and output.

    The client exits with 0 whatever happened, and marks a session as synced after "Fatal error while uploading data"
    too. Of such a one the marker is removed, so that `wandb sync` by hand would upload it.
    """
    words = without_secrets(log.read_text(errors="replace")) if log.exists() else ""
    said = " ".join(ERROR.findall(words))
    found = {}
    for session in batch:
        own = [line for line in ERROR.findall(words) if f"/{session.id}]" in line]
        if own or not session.marker.exists():
            session.marker.unlink(missing_ok=True)
            found[session.name] = (" ".join(own) or late or said or "the client ended without a word")[:LONGEST]
    return found


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
