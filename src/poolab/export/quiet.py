"""Keep exporters' progress, notices and deprecations from the terminal, and their changes from the caller's process."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Silence printing, warnings and logging, and give logging back as it was.

    ONNX Runtime's quantisation calls `logging.warning`, which would give the root logger a handler for good.
    """
    handler, disabled = logging.NullHandler(), logging.root.manager.disable
    logging.root.addHandler(handler)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        logging.root.removeHandler(handler)
