"""Find W&B's server and its key as its client does, without importing W&B and without a prompt."""

import configparser
import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from poolab.records import Record

# W&B's own since client 0.31, and the one before it, whose keys are still good there.
PUBLIC, FORMER = "https://api.forge.coreweave.com", "api.wandb.ai"


def server() -> str:
    """Return the server's address: WANDB_BASE_URL, else what `wandb login --host` has written, else the public one."""
    given = os.environ.get("WANDB_BASE_URL")
    written = (_base_url(path) for path in (Path("wandb/settings"), _config_dir() / "settings"))
    return (given or next(filter(None, written), PUBLIC)).rstrip("/")


def has_key(address: str) -> bool:
    """Return True if there is a key in the environment or in netrc. (W&B itself would prompt for one.)"""
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
    """Return True if an agent of a W&B sweep has started this process."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))


def stopped_by_agent(record: Record) -> bool:
    """Return True if a sweep has stopped the run early, which is no failure: an agent gives up after three failures."""
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
    """Return the file in which the keys of hosts are stored."""
    if os.environ.get("NETRC"):
        return Path(os.environ["NETRC"]).expanduser()
    home = Path("~/.netrc").expanduser()
    other = Path("~/_netrc").expanduser()
    return other if other.exists() and not home.exists() else home
