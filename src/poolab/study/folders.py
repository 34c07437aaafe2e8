"""The folder of a study's runs, which is the same for every verb."""

import os
from collections.abc import Sequence
from pathlib import Path

from poolab.configuration import expanded_path
from poolab.errors import ConfigError, PoolabError
from poolab.study.sweep.sweep_file import Study

DEFAULT = "runs"
KEY = "runs_dir="


def runs_folder(study: Study | None, option: str | None = None, extra: Sequence[str] = ()) -> Path:
    """Return the folder of the runs: that of --runs, else of runs_dir=..., else of the study file, else `runs`.

    Args:
        option: what --runs says.
        extra: key=value words of the command line.

    Raises:
        ConfigError: two folders are named, an empty name, or a home folder (~) that there is not.

    >>> runs_folder(None, "elsewhere")
    PosixPath('elsewhere')
    """
    named = [text.removeprefix(KEY) for text in extra if text.startswith(KEY)]
    if option is not None and named:
        raise ConfigError(f"--runs {option} and runs_dir={named[-1]} name two folders: leave one out")
    given = option if option is not None else named[-1] if named else study.runs_dir if study else None
    return expanded(DEFAULT if given is None else given)


def expanded(folder: str | Path) -> Path:
    """Return a folder with `~` and `~user` replaced by the home folder.

    Raises:
        ConfigError: the name is empty, or there is no such home folder.
    """
    text = _unquoted(str(folder))
    if not text or "\0" in text:
        raise ConfigError(f"the folder of the runs must have a name, found {text!r}")
    return Path(expanded_path(text, "runs_dir"))


def working_folder() -> str:
    """Return the working folder of this process.

    Raises:
        PoolabError: it was deleted.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise PoolabError("the working folder of this process is gone: go to another one (cd) and try again") from error


def without_folder(extra: Sequence[str]) -> list[str]:
    """Return the arguments of the command line without those that name the folder of the runs."""
    return [text for text in extra if not text.startswith(KEY)]


def _unquoted(text: str) -> str:
    """Return a path without the quotes that Hydra needs around a blank or a `~`."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
