"""The labels of arms in all tables, plans and reports: the pooling, and the settings that differ between arms."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from poolab.records.identity import below
from poolab.text import one_line

AT = "pooling.at."  # poolings of single slots
POOLING, HEAD = "pooling.name", "head.name"
CHECKPOINT = "recipe.checkpoint"  # of a path its last part tells
MATCH = ("backbone.match", "backbone.match_to")
DATA_CONTENT = "data content"  # what differs in the content of files, in words
NULL = "null"
SHOWN = 8  # characters of a hash
# Texts that would be read as another type if they stood without quotes. (inf and nan are kept as texts in JSON.)
OTHER_TYPE = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|null|true|false|~?", re.IGNORECASE)

Words = Mapping[str, str]


def arm_labels(arms: Sequence[Words]) -> list[str]:
    """Name arms by pooling or head, and by the settings in which they differ. No two names are alike.

    An option is compared among the arms that have its pooling (of its slot), any other setting among all arms.

    Args:
        arms: the settings that make an arm, with dotted keys, their values in words (`words_of`).

    >>> lp = {"pooling.name": "lp", "pooling.p": "2"}
    >>> arm_labels([{"pooling.name": "max"}, lp, {**lp, "pooling.p": "3"}])
    ['max', 'lp p=2', 'lp p=3']
    """
    several = {key for key in (POOLING, HEAD) if len({own.get(key) for own in arms}) > 1}
    values: dict[tuple[str, str | None], set[str | None]] = defaultdict(set)
    for key in {key for own in arms for key in own}:
        for own in arms:
            values[key, _peers(key, own)].add(own.get(key))
    labels = []
    for own in arms:
        differing = [key for key in own if len(values[key, _peers(key, own)]) > 1]
        labels.append(" ".join([*_choice(own, several), *_options(own, differing), *_matched(own)]))
    return numbered(labels)


def _peers(key: str, own: Words) -> str | None:
    """Return the pooling or head that has this option: the option is compared among the arms that share it."""
    if key.startswith(AT) and not key.endswith(".name"):
        return own.get(f"{key.rpartition('.')[0]}.name")
    group = key.partition(".")[0]
    return own.get(f"{group}.name") if group in ("pooling", "head") else None


def _choice(own: Words, several: set[str]) -> list[str]:
    """Return the pooling, the head, or both: what the arms differ by."""
    keys = [key for key in (POOLING, HEAD) if key in several] or [POOLING]
    return [own[key] for key in keys if key in own]


def _options(own: Words, differing: Sequence[str]) -> list[str]:
    """Return the settings in which an arm differs from others: those of pooling and head first, each group sorted."""
    kept = [key for key in differing if not below(key, (*MATCH, POOLING, HEAD, DATA_CONTENT))]
    words = [f"{short_key(key)}={_short(key, own[key])}" for key in sorted(kept, key=_sorting)]
    return [*words, *(f"({own[key]})" for key in differing if key == DATA_CONTENT)]


def _sorting(key: str) -> tuple[bool, str]:
    return not below(key, ("pooling", "head")), key.removesuffix(".name")


def _short(key: str, words: str) -> str:
    if key == CHECKPOINT:
        return PurePath(words).name
    return words[:SHOWN] if key.endswith("_sha256") else words


def _matched(own: Words) -> list[str]:
    """Return the matched control in words, e.g. "with as many parameters as lip"."""
    by, to = MATCH
    if own.get(by, NULL) == NULL:
        return []
    name = own.get(to) or own.get(f"{to}.name", "")
    options = [
        f"{key.removeprefix(f'{to}.')}={words}"
        for key, words in own.items()
        if below(key, [to]) and key not in (to, f"{to}.name")
    ]
    return [f"with as many {own[by].replace('_', '-')} as {' '.join([name, *options])}"]


def numbered(labels: Sequence[str]) -> list[str]:
    """Return labels that are all different: equal ones get a number."""
    often, seen, found = Counter(labels), Counter[str](), []
    for label in labels:
        seen[label] += 1
        found.append(f"{label} ({seen[label]})" if often[label] > 1 else label)
    return found


def words_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings with their values as text."""
    return {key: value_words(value) for key, value in settings.items()}


def short_key(key: str) -> str:
    """Return the key without the parts that every reader knows: the group `pooling`, and `.name` at the end.

    >>> short_key("pooling.slots"), short_key("pooling.at.pool1.name"), short_key("pooling.at.pool1.k")
    ('slots', 'pool1', 'pool1.k')
    """
    if key.startswith(AT):
        return key.removeprefix(AT).removesuffix(".name")
    return key.removeprefix("pooling.").removesuffix(".name")


def value_words(value: Any) -> str:
    """Return a value on one line, as it is typed on the command line.

    >>> value_words([1, "a"]), value_words(None), value_words(0.10), value_words(True)
    ('[1,a]', 'null', '0.1', 'true')
    >>> value_words(3), value_words("3"), value_words({"k": "null"})
    ('3', "'3'", "{k:'null'}")
    """
    return _scalar(value) if isinstance(value, str | int | float | None) else _container(value)


def _container(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(value_words, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{value_words(one)}' for key, one in value.items())}}}"
    return one_line(value)


@lru_cache(maxsize=65536, typed=True)
def _scalar(value: str | float | bool | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: NULL, True: "true", False: "false"}[value]
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, str) and OTHER_TYPE.fullmatch(value):
        return f"'{value}'"
    return one_line(value)
