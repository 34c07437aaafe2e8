"""Short names of arms and settings: what tells them apart, and no more. Values are words already (`value_words`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from poolab.records import Content, below, short_key, told_apart

MATCH = ("backbone.match", "backbone.match_to")
# Facts of a record that stand for the content of files, which no plan knows; runs on other content are other settings.
CONTENT = ("data_fingerprint", "weights_sha256")
NONE = "null"
SHOWN = 8  # characters of a hash

Settings = Mapping[str, str]


def arm_labels(arms: Sequence[Settings]) -> list[str]:
    """Name arms by their pooling, and by the options in which arms of one pooling differ. No two names are alike.

    >>> lp = {"pooling.name": "lp", "pooling.p": "2"}
    >>> arm_labels([{"pooling.name": "max"}, lp, {**lp, "pooling.p": "3"}])
    ['max', 'lp p=2', 'lp p=3']
    """
    names = [_choice(own, arms) for own in arms]
    peers: dict[tuple[str, ...], list[Settings]] = {}
    for own, name in zip(arms, names, strict=True):
        peers.setdefault(tuple(name), []).append(own)
    differing = {name: _differing(alike) for name, alike in peers.items()}
    labels = [
        " ".join([*name, *_options(own, differing[tuple(name)]), *_matched(own)])
        for own, name in zip(arms, names, strict=True)
    ]
    return _numbered(labels)


def _choice(own: Settings, everyone: Sequence[Settings]) -> list[str]:
    """The pooling, and the head where arms differ by it."""
    pooling = own.get("pooling.name", "")
    poolings = {one.get("pooling.name") for one in everyone}
    heads = {one.get("head.name") for one in everyone}
    head = [own.get("head.name", "")] if len(heads) > 1 else []
    return [*([pooling] if len(poolings) > 1 or not head else []), *head]


def _differing(alike: Sequence[Settings]) -> list[str]:
    """The options that differ among arms of the same pooling and head.

    An option that some arms lack, since their pooling of a slot is another, is told only where nothing else tells.
    """
    keys = sorted({key for one in alike for key in one if not below(key, (*MATCH, "pooling.name", "head.name"))})
    differing = [key for key in keys if len({one.get(key) for one in alike}) > 1]
    needed = [key for key in differing if key.endswith(".name") or len({one[key] for one in alike if key in one}) > 1]
    tells = len({tuple(one.get(key) for key in (*needed, *MATCH)) for one in alike}) == len(alike)
    return needed if tells else differing


def _options(own: Settings, keys: Sequence[str]) -> list[str]:
    return [f"{short_key(key).removeprefix('backbone.')}={_short(key, own[key])}" for key in keys if key in own]


def _short(key: str, value: str) -> str:
    return value[:SHOWN] if key.endswith("_sha256") else value


def _matched(own: Settings) -> list[str]:
    """The matched control in words, e.g. "with as many parameters as lip"."""
    by, to = MATCH
    if own.get(by, NONE) == NONE:
        return []
    name = own.get(to) or own.get(f"{to}.name", "")
    options = [
        f"{k.removeprefix(f'{to}.')}={v}" for k, v in own.items() if k.startswith(f"{to}.") and k != f"{to}.name"
    ]
    return [f"with as many {own[by].replace('_', ' ')} as {' '.join([name, *options])}"]


def _numbered(labels: Sequence[str]) -> list[str]:
    """Labels of which no two are alike: where nothing else tells them apart, a number does."""
    often, seen, found = Counter(labels), Counter[str](), []
    for label in labels:
        seen[label] += 1
        found.append(f"{label} ({seen[label]})" if often[label] > 1 else label)
    return found


def setting_labels(settings: Sequence[Settings]) -> list[str]:
    """Name settings by data set and network, and by whatever else they differ in.

    >>> setting_labels([{"data.name": "digits", "backbone.name": "keras_cnn", "trainer.epochs": "3"},
    ...                 {"data.name": "digits", "backbone.name": "keras_cnn", "trainer.epochs": "9"}])
    ['digits, keras_cnn, epochs=3', 'digits, keras_cnn, epochs=9']
    """
    named = ("data.name", "backbone.name")
    peers: dict[tuple[str | None, ...], list[Settings]] = {}
    for own in settings:
        peers.setdefault(tuple(own.get(name) for name in named), []).append(own)
    differing = {place: _varying(alike, named) for place, alike in peers.items()}
    contents = {place: told_apart(map(_content, alike)) for place, alike in peers.items()}
    labels = []
    for own in settings:
        place = tuple(own.get(name) for name in named)
        parts = [own[name] for name in named if name in own]
        parts += [f"{key.rpartition('.')[2]}={own.get(key) or NONE}" for key in differing[place]]
        labels.append(", ".join([*parts, *filter(None, [contents[place][_content(own)]])]))
    return _numbered(labels)


def _varying(alike: Sequence[Settings], named: Sequence[str]) -> list[str]:
    """The keys in which settings of one data set and network differ."""
    keys = sorted({key for one in alike for key in one if key not in (*named, *CONTENT)})
    return [key for key in keys if len({one.get(key) for one in alike}) > 1]


def _content(own: Settings) -> Content:
    """What stands for the content of the data and the weights of a setting."""
    data, weights = (own.get(key) for key in CONTENT)
    return Content(data, weights, None)
