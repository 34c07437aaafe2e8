"""`poolab.run`: one run from Python, which leaves the caller's process as it was."""

import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from poolab.errors import ConfigError, PoolabError
from poolab.records import Record

LOGGERS = ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.utilities.rank_zero")
VARIABLES = ("HOME", "USER")  # given where the system knows none


def run(*words: str, **settings: Any) -> Record:
    """Train, test and measure one network, and return its record. A run that is finished already is not made again.

    The settings are those of `train.py`; those that are not given have the defaults of conf/. The folder of the run,
    with its weights and pictures, is `record.folder`.

    Args:
        words: settings as on the command line, e.g. "optim.lr=0.01".
        settings: settings by name. A group is chosen by a name, `pooling="avg_topk"`, or by a mapping with its
            settings, `pooling={"name": "avg_topk", "k": 3}`; a mapping without a name changes settings of the default
            choice, `trainer={"epochs": 2}`.

    Raises:
        ConfigError: wrong settings, all at once.
        DataError: the data set is missing or damaged.
        PoolabError: another process makes this run.
        KeyboardInterrupt: the run was interrupted; it has a checkpoint, from which the same call goes on.

    Example:
        >>> import poolab
        >>> record = poolab.run(pooling="avg_topk", data="digits", seed=1)  # doctest: +SKIP
        >>> record.metrics["test/accuracy"]  # doctest: +SKIP
    """
    from poolab.configuration import compose
    from poolab.training import launch

    with preserved():
        record, folder, _ = launch(compose([*_checked(words), *_words(settings)]))
        if record is None:
            raise PoolabError(f"the record of {folder} is written by the first process of this run: read it there")
    if record.status == "interrupted":
        raise KeyboardInterrupt(record.reason)
    return record.at(folder)


def _checked(words: tuple[Any, ...]) -> list[str]:
    wrong = [word for word in words if not isinstance(word, str) or "=" not in word]
    if wrong:
        raise ConfigError(f'{wrong[0]!r} is not a setting: write "key=value", e.g. "optim.lr=0.01", or key=value')
    return list(words)


def _words(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return settings as Hydra's command line has them.

    >>> _words({"pooling": {"name": "avg_topk", "k": 3}, "trainer": {"threads": None}, "seed": 1})
    ['pooling=avg_topk', 'pooling.k=3', 'trainer.threads=null', 'seed=1']
    """
    from poolab.study.sweep.cells import in_words

    found = []
    for name, value in settings.items():
        if not isinstance(value, Mapping):
            found.append(f"{prefix}{name}={in_words(_plain(value))}")
            continue
        rest = dict(value)
        if not prefix and "name" in rest:
            found.append(f"{name}={in_words(rest.pop('name'))}")
        found += _words(rest, f"{prefix}{name}.")
    return found


def _plain(value: Any) -> Any:
    """Return a number of numpy's or torch's as Python's, and a path as text."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


@contextmanager
def preserved() -> Iterator[None]:
    """Give logging levels, warnings filters, random states, threads and environment back as they were."""
    import torch

    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    variables = {name: os.environ.get(name) for name in VARIABLES}
    states = random.getstate(), torch.get_rng_state(), _numpy_state()
    threads = torch.get_num_threads()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=devices):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(states[0])
        torch.set_rng_state(states[1])
        if states[2] is not None:
            sys.modules["numpy"].random.set_state(states[2])
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _numpy_state() -> Any:
    numpy = sys.modules.get("numpy")
    return None if numpy is None else numpy.random.get_state()
