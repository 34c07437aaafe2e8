"""A run's identity: the hash of the settings that can change its result."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

# Where things lie and who watches change no result; how the work is cut up changes its rounding alone. Everything
# else changes results, until shown otherwise: a key that is forgotten here costs a run made twice, a key that is
# wrongly here mixes two runs. A signature names a computation in exact arithmetic. Processor, device and threads round
# it differently, and training makes that larger: 1 and 2 threads gave test accuracies that differ by up to 0.35 points
# (docs/decisions.md, "One signature, up to rounding"). The record names all three, and a report tells where they
# differ.
NOT_IDENTITY = (
    "runs_dir",
    "force",
    "tracker",
    "recipe.checkpoint",  # the hash of its content stands for it
    "data.root",  # the fingerprint of the content stands for it
    "data.cache_dir",
    "data.download",
    "data.eval_batch_size",  # rounds
    "trainer.progress_bar",
    "trainer.threads",  # rounds
    "measure",  # what is measured changes no weight: a finished run is measured again from its checkpoint
)
# Measures were once part of the identity. What conf/measure/costs.yaml said then stands for all of them, so that runs
# with the default measures keep their signatures.
FIRST_MEASURE = {
    "measure.name": "costs",
    "measure.latency_batch_size": 1,
    "measure.throughput_batch_size": 256,
    "measure.seconds": 2.0,
}
PLAIN = (str, int, float, list, type(None))
# Files: a hash of their bytes, in `content`, stands for them. The key stays where it is null, as it always did.
FILES = ("backbone.weights",)
# Settings that were renamed: the hash is taken over their first names, so that earlier records are still found.
FIRST_NAMES = {
    "measure.gradient_support": "measure.footprints",
    "measure.gradient_support_images": "measure.footprint_images",
}


def signature(
    config: Mapping[str, Any], content: str, *, files_by_path: bool = False, with_measure: bool = False
) -> str:
    """Return the twelve hexadecimal digits that name a run.

    Args:
        config: the resolved configuration.
        content: what stands for the data set and the files that the configuration names, wherever they lie.
        files_by_path: as before files were known by their content; to find runs that were made then.
        with_measure: as before measures left the identity; to find runs that were made then.
    """
    flat = flatten(config)
    kept = {
        key: value
        for key, value in flat.items()
        if not below(key, NOT_IDENTITY) and (files_by_path or value is None or key not in FILES)
    }
    measure = {FIRST_NAMES.get(key, key): value for key, value in flat.items() if below(key, ("measure",))}
    kept |= (measure if with_measure else FIRST_MEASURE) if measure else {}
    text = json.dumps({"config": kept, "data": content}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one mapping with dotted keys.

    >>> flatten({"seed": 0, "data": {"name": "digits"}})
    {'seed': 0, 'data.name': 'digits'}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        # Plain values first: most are, and it takes longer to find out that they are no mapping.
        if not isinstance(value, PLAIN) and isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def below(key: str, names: Iterable[str]) -> bool:
    """Return True if a dotted key is one of the names, or lies below one.

    >>> below("tracker.mode", ["tracker"]), below("trackers", ["tracker"])
    (True, False)
    """
    return any(key == name or key.startswith(f"{name}.") for name in names)
