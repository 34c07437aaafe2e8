"""Say what to write where a study gives an option of one pooling to another one too."""

import re
from collections.abc import Iterable, Sequence

from poolab.configuration import presets_with
from poolab.study.sweep.cells import Cell, assignments

UNKNOWN = re.compile(r"(\w+)\.(\w+): there is no such setting; \2 is for \1=")


def ways_out(errors: Iterable[str], cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each setting that only some of the study's choices take.

    >>> cells = [Cell({"pooling": name, "pooling.k": 3}) for name in ("max", "avg_topk")]
    >>> found = ways_out(["pooling.k: there is no such setting; k is for pooling=avg_topk or t_max_avg"], cells)
    >>> found[0][:70]
    'a study gives pooling.k to each of its poolings (max,avg_topk): make a'
    """
    found = (UNKNOWN.match(error.strip()) for error in errors)
    keys = dict.fromkeys((match[1], match[2]) for match in found if match)
    sentences = (_way_out(group, key, _choices(group, cells)) for group, key in keys)
    return [sentence for sentence in sentences if sentence]


def _choices(group: str, cells: Sequence[Cell]) -> list[str]:
    given = (dict(assignments(cell.overrides)).get(group) for cell in cells)
    return list(dict.fromkeys(choice for choice in given if choice is not None))


def _way_out(group: str, key: str, choices: Sequence[str]) -> str:
    if len(choices) < 2:
        return ""
    presets = presets_with(group, key)
    brought = f"; or name choices that bring their own {key}: {group}={','.join(presets)}" if presets else ""
    return (
        f"a study gives {group}.{key} to each of its {group}s ({','.join(choices)}): make a study of those that take "
        f"it and one of the others, and report both: poolab report A.yaml B.yaml (docs/how_do_i.md){brought}"
    )
