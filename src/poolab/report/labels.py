"""Short names of settings: data set and network, and what else tells them apart. Values are words (`value_words`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from poolab.records import Content, numbered, told_apart

# Facts of a record that stand for the content of files, which no plan knows; runs on other content are other settings.
CONTENT = ("data_fingerprint", "weights_sha256")
NONE = "null"

Settings = Mapping[str, str]


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
    return numbered(labels)


def _varying(alike: Sequence[Settings], named: Sequence[str]) -> list[str]:
    """Return the keys in which settings of one data set and network differ."""
    keys = sorted({key for one in alike for key in one if key not in (*named, *CONTENT)})
    return [key for key in keys if len({one.get(key) for one in alike}) > 1]


def _content(own: Settings) -> Content:
    """Return what stands for the content of the data and the weights of a setting."""
    data, weights = (own.get(key) for key in CONTENT)
    return Content(data, weights, None)
