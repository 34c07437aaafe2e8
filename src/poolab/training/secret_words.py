"""Keep passwords and keys out of messages, journals and records."""

import os
import re
from netrc import NetrcParseError, netrc
from urllib.parse import unquote, urlsplit

# The user and the password of an address; a password may hold an @ itself.
LOGIN = re.compile(r"(?<=://)[^\s/'\"<>]*@")
HIDDEN = "***"
VARIABLES = ("WANDB_API_KEY",)
ADDRESSES = ("WANDB_BASE_URL", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
SHORTEST = 4  # characters; to hide shorter ones would hide parts of words


def without_secrets(text: str) -> str:
    """Return the text without the logins of addresses, and without the keys and passwords that this process knows.

    >>> without_secrets("cannot reach http://me:secret@host:8080/x")
    'cannot reach http://host:8080/x'
    """
    shown = LOGIN.sub("", text)
    for secret in sorted(_known(), key=len, reverse=True):
        shown = shown.replace(secret, HIDDEN)
    return shown


def _known() -> set[str]:
    found = {os.environ.get(name, "") for name in VARIABLES}
    for name in ADDRESSES:
        try:
            value = os.environ.get(name, "")
            password = urlsplit(value if "://" in value else f"//{value}").password or ""  # a proxy may say no scheme
        except ValueError:
            continue
        found |= {password, unquote(password)}
    return {secret for secret in found | _of_netrc() if len(secret) >= SHORTEST}


def _of_netrc() -> set[str]:
    from poolab.training.wandb_access import netrc_file

    try:
        hosts = netrc(netrc_file()).hosts
    except (OSError, NetrcParseError, UnicodeDecodeError, RuntimeError):
        return set()
    return {str(login[2]) for login in hosts.values() if login[2]}
