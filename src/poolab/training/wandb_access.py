"""Where W&B is and whether there is a key for it, as its client finds out: without importing it, without a prompt."""

import configparser
import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from poolab.records import Record

# W&B's own since client 0.31, and the one before it, whose keys are still good there.
PUBLIC, FORMER = "https://api.forge.coreweave.com", "api.wandb.ai"


def server() -> str:
    """The server's address: WANDB_BASE_URL, else what `wandb login --host` has written down, else the public one."""
    given = os.environ.get("WANDB_BASE_URL")
    written = (_base_url(path) for path in (Path("wandb/settings"), _config_dir() / "settings"))
    return (given or next(filter(None, written), PUBLIC)).rstrip("/")


def has_key(address: str) -> bool:
    """A key in the environment or in netrc; asking W&B itself would prompt for one."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(address).netloc.rpartition("@")[2]  # with the port, as W&B writes it, and without a login
    hosts = [host, *([FORMER] if address == PUBLIC else [])]
    try:
        known = netrc(netrc_file())
        return any(known.authenticators(host) is not None for host in hosts)
    except (OSError, NetrcParseError, UnicodeDecodeError, RuntimeError):
        return False


def in_sweep() -> bool:
    """Whether an agent of a W&B sweep has started this process."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))


def stopped_by_agent(record: Record) -> bool:
    """Whether a sweep has ended the run early, which is no failure: after three of them an agent would give up."""
    return in_sweep() and record.status == "interrupted" and str(record.reason).startswith("stopped by ")


def _config_dir() -> Path:
    return Path(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser()


def _base_url(path: Path) -> str | None:
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(path)
    except (configparser.Error, UnicodeDecodeError):
        return None
    return settings.get("default", "base_url", fallback=None)


def netrc_file() -> Path:
    """Return where the keys of hosts are kept."""
    if os.environ.get("NETRC"):
        return Path(os.environ["NETRC"]).expanduser()
    home = Path("~/.netrc").expanduser()
    other = Path("~/_netrc").expanduser()
    return other if other.exists() and not home.exists() else home
