"""The folder of compiled kernels, which nobody else may write to: what lies there is executed.

The rule is that of ssh's StrictModes: the folder belongs to the user (or to root), no group and nobody else may write
to it, and the same holds for each folder above it, unless that one is sticky as /tmp is.
"""

import os
import shlex
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path

if os.name == "posix":  # elsewhere no kernel is compiled for the CPU
    import grp
    import pwd

WRITABLE = stat.S_IWGRP | stat.S_IWOTH
ANOTHER = "or name a folder of your own in POOLAB_CACHE"


class NotPrivate(Exception):
    """Tell that a folder or file cannot be trusted, or not be used at all; the message says why and how to mend it."""


def cache_folder() -> Path:
    """Return the folder of kernels: `kernels` in $POOLAB_CACHE, or in ~/.cache/poolab if that is empty or not set.

    Raises:
        NotPrivate: the path begins with a home folder that is not known.
    """
    return _absolute(os.environ.get("POOLAB_CACHE") or "~/.cache/poolab", os.environ.get("HOME")) / "kernels"


@cache  # a relative path means the working folder of its first use
def _absolute(text: str, home: str | None) -> Path:
    expanded = os.path.expanduser(text)
    if text.startswith("~") and not os.path.isabs(expanded):
        raise NotPrivate(f"the home folder of {text!r} is not known: set HOME, {ANOTHER}")
    return Path(os.path.abspath(expanded))


def open_folder(path: Path, *, make: bool) -> int:
    """Open a folder that nobody else can write to; return its file descriptor.

    Args:
        path: the folder; what is missing of it is made if `make` is true.
        make: whether to make it.

    Raises:
        NotPrivate: others can write to it, or it cannot be made or opened.
    """
    try:
        if make:
            _make(path)
        folder = os.open(os.path.realpath(path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise NotPrivate(f"{str(path)!r} cannot be used ({error.strerror}): mend that, {ANOTHER}") from error
    try:
        _check(str(path), os.fstat(folder))
        check_parents(path)
    except BaseException:
        os.close(folder)
        raise
    return folder


def check_parents(path: Path) -> None:
    """Check the folders above a path, both as it is written and as its links lead.

    Raises:
        NotPrivate: others can put another folder in the place of one of them.
    """
    check_folders({*path.parents, *Path(os.path.realpath(path)).parents})


def check_folders(folders: Iterable[Path]) -> None:
    """Check folders that others may write to if they are sticky, as /tmp is.

    Raises:
        NotPrivate: others can put another file in the place of one of ours.
    """
    for folder in sorted(folders):
        try:
            found = os.stat(folder)
        except OSError as error:
            raise NotPrivate(f"{str(folder)!r} cannot be read ({error.strerror}): mend that, {ANOTHER}") from error
        _check(str(folder), found, is_above=True)


def read_file(name: str, folder: int) -> bytes | None:
    """Read a file of an open folder; None if there is none, or none that is ours alone."""
    try:
        # Not through a link, and without waiting for the other end of a FIFO.
        number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            return None
        _check(name, found)
        with os.fdopen(number, "rb", closefd=False) as file:
            return file.read()
    except (OSError, NotPrivate):
        return None
    finally:
        os.close(number)


def write_file(name: str, data: bytes, folder: int) -> None:
    """Write a file of an open folder in one step, in the place of what lies there.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = f".{name}.{os.getpid()}.{os.urandom(4).hex()}"
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        os.replace(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(unfinished, dir_fd=folder)
        raise


def _make(path: Path) -> None:
    missing = []
    while not path.exists() and not path.is_symlink():
        missing.append(path)
        path = path.parent
    for place, folder in enumerate(reversed(missing), start=1):
        # Whatever the umask is: others may read the folders above, which images share, and write to none.
        os.makedirs(folder, 0o700 if place == len(missing) else 0o755, exist_ok=True)


def _check(path: str, found: os.stat_result, *, is_above: bool = False) -> None:
    trusted = {0, os.geteuid(), *(_unmapped() if is_above else ())}
    if found.st_uid not in trusted:
        raise NotPrivate(f"{path!r} belongs to user {_user(found.st_uid)}: take it over with chown, {ANOTHER}")
    is_sticky = is_above and found.st_mode & stat.S_ISVTX
    writable = found.st_mode & WRITABLE
    if writable == stat.S_IWGRP and _is_own_group(found.st_gid):
        return
    if writable and not is_sticky:
        who = "everybody" if writable & stat.S_IWOTH else f"group {found.st_gid}"
        mode = stat.S_IMODE(found.st_mode)
        raise NotPrivate(f"{path!r} is writable by {who} (mode {mode:o}): chmod go-w {shlex.quote(path)}, {ANOTHER}")


def _is_own_group(group: int) -> bool:
    """Return True if a group is that of the user alone, as many systems give one to each user (and a umask of 002)."""
    try:
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    is_alone = user.pw_gid == group and members.gr_name == user.pw_name
    return is_alone and set(members.gr_mem) <= {user.pw_name}


@cache
def _unmapped() -> tuple[int, ...]:
    """Return the user that stands for root, among others, in a container that knows nobody but the user himself."""
    try:
        with open("/proc/self/uid_map", encoding="utf-8") as file:
            mapped = [tuple(map(int, line.split())) for line in file]
        with open("/proc/sys/kernel/overflowuid", encoding="utf-8") as file:
            stranger = int(file.read())
    except (OSError, ValueError):
        return ()
    is_whole = any(outside == 0 and length >= stranger for _, outside, length in mapped)
    return () if is_whole else (stranger,)


def _user(number: int) -> str:
    try:
        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except KeyError:
        return str(number)
