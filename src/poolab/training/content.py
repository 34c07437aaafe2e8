"""The content that a run depends on beside its settings: data set, the source's checkpoint, the file of weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import poolab.data
from poolab.data import data_fingerprint
from poolab.errors import ConfigError, PoolabError
from poolab.own_code import code_facts, code_faults
from poolab.records import RunFolder, file_sha256, signature
from poolab.run_config import RunConfig
from poolab.training.source_run import source_fingerprint, source_sha256

# What conf/measure/full.yaml said when measures were part of the identity.
FIRST_FULL = {
    "name": "full",
    "latency_batch_size": 1,
    "throughput_batch_size": 256,
    "seconds": 2.0,
    "robustness": ["shift", "corruption", "scale"],
    "calibration": True,
    "gradient_support": True,
    "images": None,
    "max_shift": None,
    "shift_padding": "circular",
    "corruptions": ["gaussian_noise", "gaussian_blur", "contrast", "jpeg", "pixelate"],
    "severities": [1, 2, 3, 4, 5],
    "scales": [0.5, 0.75, 1.0, 1.25, 1.5],
    "scale_mode": "canvas",
    "gradient_support_images": 64,
}


def content_of(config: RunConfig) -> str:
    """Return what stands for data and files in a run's identity.

    Raises:
        ConfigError, DataError: a file or a data set is missing or cannot be read.
    """
    data = data_fingerprint(config.data.name, root=config.data.root)
    return f"{data}{files_of(config)}"


def files_of(config: RunConfig) -> str:
    """Return the part of `content_of` that stands for files; empty where the configuration names none."""
    weights = weights_sha256(config)
    return source_fingerprint(config) + (f"|weights-{weights}" if weights else "")


def weights_sha256(config: RunConfig) -> str | None:
    """Return the hash of `backbone.weights`, or None where it is null.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    path = config.backbone.weights
    if path is None:
        return None
    try:
        return file_sha256(Path(path).expanduser())
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise ConfigError(f"backbone.weights={path}: there is no such file") from fault
    except IsADirectoryError as fault:
        raise ConfigError(f"backbone.weights={path} is a folder: name a file of weights in it") from fault
    except (OSError, ValueError, RuntimeError) as fault:  # ValueError: a NUL in the name; RuntimeError: ~ without home
        raise ConfigError(
            f"backbone.weights={path} cannot be read: {getattr(fault, 'strerror', 0) or fault}"
        ) from fault


def file_facts(config: RunConfig) -> dict[str, Any]:
    """Return the hashes of the files that a run was made with, for its record; of own code, by qualified name."""
    facts = {
        "weights_sha256": weights_sha256(config),
        "source_sha256": source_sha256(config),
        "own_code": code_facts(config.tree()),
    }
    return {name: value for name, value in facts.items() if value}


def run_names(tree: Mapping[str, Any], content: str) -> tuple[str, ...]:
    """Return the signature of a run, and behind it the names that it may have had in earlier versions.

    Measures were once part of the identity. A run of that time keeps its folder: it is found by the measures that are
    asked for now, and by the defaults of `measure=full` (see `run_folder`).

    Args:
        tree: the resolved configuration.
        content: what `content_of` gives.
    """
    measures = (tree["measure"], FIRST_FULL)
    earlier = (signature({**tree, "measure": measure}, content, with_measure=True) for measure in measures)
    return tuple(dict.fromkeys([signature(tree, content), *earlier]))


def check_code(config: RunConfig) -> None:
    """Check that the code outside of poolab is that which the configuration was made with.

    Raises:
        ConfigError: its file was changed since.
    """
    faults = code_faults(config.tree())
    if faults:
        raise ConfigError("\n".join(faults))


def earlier_run(config: RunConfig, name: str) -> str | None:
    """Return a sentence on a finished run that code before content hashes would have taken for this one, or None.

    Args:
        name: the signature of today.
    """
    # Of data whose identity never was names and sizes, it gives what `data_fingerprint` gives.
    fingerprint = getattr(poolab.data, "legacy_fingerprint", data_fingerprint)
    data = fingerprint(config.data.name, root=config.data.root)
    old = signature(config.tree(), f"{data}{source_fingerprint(config)}", files_by_path=True, with_measure=True)
    folder = RunFolder(config.runs_dir, old)
    try:
        found = old != name and folder.finished
    except PoolabError:
        return None
    if not found:
        return None
    return (
        f"{folder.path} is a run with these settings that was made before signatures included the content of data and "
        "files: its record does not say what they held then, so it is not used for this run, which is made again as "
        f"{RunFolder(config.runs_dir, name).path}. The old folder is left as it is; delete it if you do not need it"
    )
