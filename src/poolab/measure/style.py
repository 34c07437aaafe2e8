"""Draw with matplotlib's own defaults: a user's matplotlibrc and environment do not change a picture."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def default_style() -> Iterator[None]:
    """Enter a block in which matplotlib has its own defaults.

    A matplotlibrc with `text.usetex: true` needs a LaTeX that may be missing. MPLBACKEND names the backend of a
    notebook, which may not be installed; matplotlib refuses to be imported then. No window is opened here.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib.style
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    with matplotlib.style.context("default"):
        yield
