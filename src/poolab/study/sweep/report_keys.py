"""Settings of a study's report, declared before it runs: the margin, the looks at the results, and what was tuned.

They stand in a file beside the study's, study.report.yaml for study.yaml: a study file is a plain sweep file, and W&B's
schema of those (package sweeps 0.3.0, sweeps/config/schema.json: additionalProperties is false) allows no further keys.
The client 0.31 itself sends such keys to its server without a word (tests/study/test_report_wandb.py).
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from poolab.errors import nearest
from poolab.study.sweep.parameters import cut
from poolab.study.sweep.yaml_file import read_yaml

ANSWER_KEYS = ("margin", "looks", "tuned")


class Declared(NamedTuple):
    """The declarations of a study's report; None where the file leaves one out."""

    margin: float | None = None
    looks: tuple[int, ...] | None = None
    tuned: tuple[str, ...] = ()


def beside(path: Path, errors: list[str]) -> Declared:
    """Return the declarations of the file beside a study file; empty if there is none.

    Args:
        errors: takes what is wrong with it, a sentence each.
    """
    other = path.with_name(f"{path.stem}.report.yaml")
    if not other.is_file():
        return Declared()
    try:
        content = read_yaml(other)
    except (OSError, ValueError) as error:
        errors.append(f"{other.name} cannot be read: {error}")
        return Declared()
    if not isinstance(content, Mapping):
        errors.append(f"{other.name} must be a mapping with {' or '.join(ANSWER_KEYS)}, found {cut(content)}")
        return Declared()
    found = [f"{other.name}: {error}" for error in answer_errors(content)]
    errors += found
    if found:
        return Declared()
    margin, looks = content.get("margin"), content.get("looks")
    return Declared(
        None if margin is None else float(margin),
        None if looks is None else tuple(looks),
        tuple(content.get("tuned") or ()),
    )


def answer_errors(content: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the errors of the keys, the margin, the tuned settings and the looks."""
    for key in content:
        if key not in ANSWER_KEYS:
            yield f"there is no key {key}; {nearest(str(key), list(ANSWER_KEYS))}it takes {' and '.join(ANSWER_KEYS)}"
    margin = content.get("margin")
    fits = isinstance(margin, int | float) and not isinstance(margin, bool) and math.isfinite(margin) and margin > 0
    if margin is not None and not fits:
        yield f"margin must be a number above 0, in points (0.5 is half a point of accuracy), found {cut(margin)}"
    tuned = content.get("tuned")
    if tuned is not None and not (isinstance(tuned, list) and all(isinstance(one, str) for one in tuned)):
        yield f"tuned must be a list of settings that were chosen for each arm, e.g. [optim.lr], found {cut(tuned)}"
    looks = content.get("looks")
    if looks is None:
        return
    whole = isinstance(looks, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in looks)
    if not whole or looks != sorted(set(looks)) or (looks and looks[0] < 2):
        yield (
            "looks must be a list of ascending numbers of seeds, each at least 2, e.g. [3, 5, 8], or [] for seeds that "
            f"are added without a plan, found {cut(looks)}"
        )
