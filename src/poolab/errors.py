"""The errors that a user can correct. Other exceptions are bugs, and show their traceback."""

INTERRUPTED = 130  # the exit code of a run that Ctrl-C or a signal ended, as a shell gives it


class PoolabError(Exception):
    """A fault in what the user asked for: the message names it, what is allowed, and how to mend it."""


class ConfigError(PoolabError, ValueError):
    """A setting is wrong or does not fit the others."""


class DataError(PoolabError, ValueError):
    """A data set is missing, incomplete or damaged; the message names the file or folder."""


def nearest(name: str, known: list[str]) -> str:
    """Return a hint with the known names that are closest to a mistyped one.

    >>> nearest("avgtopk", ["avg", "avg_topk", "max"])
    'did you mean avg_topk or avg? '
    >>> nearest("zzz", ["avg", "max"])
    ''
    >>> nearest("GPU", ["cpu", "gpu"])
    'did you mean gpu? '
    """
    import difflib

    same = [one for one in known if one.lower() == name.lower()]
    near = same or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}? " if near else ""
