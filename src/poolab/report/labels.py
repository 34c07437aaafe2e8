"""Short names of arms and settings: what tells them apart, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from poolab.records.identity import below

AT = "pooling.at."
MATCH = ("backbone.match", "backbone.match_to")

Settings = Mapping[str, str]


def arm_labels(arms: Sequence[Settings]) -> list[str]:
    """Name arms by their pooling, and by the options in which arms of one pooling differ.

    >>> arm_labels([{"pooling.name": "max"}, {"pooling.name": "lp", "pooling.p": "2"}, {"pooling.name": "lp", "pooling.p": "3"}])
    ['max', 'lp p=2', 'lp p=3']
    """
    names = [_choice(own, arms) for own in arms]
    return [" ".join([*name, *_options(own, [o for o, n in zip(arms, names, strict=True) if n == name]), *_matched(own)])
            for own, name in zip(arms, names, strict=True)]  # fmt: skip


def _choice(own: Settings, everyone: Sequence[Settings]) -> list[str]:
    """The pooling, and the head where arms differ by it."""
    pooling = own.get("pooling.name", "")
    poolings = {one.get("pooling.name") for one in everyone}
    heads = {one.get("head.name") for one in everyone}
    head = [own.get("head.name", "")] if len(heads) > 1 else []
    return [*([pooling] if len(poolings) > 1 or not head else []), *head]


def _options(own: Settings, alike: Sequence[Settings]) -> list[str]:
    """The options that differ among arms of the same pooling and head."""
    keys = sorted({key for one in alike for key in one if not below(key, MATCH) and not key.endswith("ing.name")})
    differing = [key for key in keys if len({one.get(key) for one in alike}) > 1]
    return [f"{_short(key)}={_value(own[key])}" for key in differing if key in own]


def _short(key: str) -> str:
    if key.startswith(AT):
        return key.removeprefix(AT).removesuffix(".name")
    return key.removeprefix("pooling.").removeprefix("backbone.") if not key.startswith("head.") else key


def _value(text: str) -> str:
    """A value as it is typed: [stage2] for "['stage2']", null for "None"."""
    return {"None": "null", "True": "true", "False": "false"}.get(text, text.replace("'", "").replace(", ", ","))


def _matched(own: Settings) -> list[str]:
    """The matched control in words, e.g. "with as many parameters as lip"."""
    by, to = MATCH
    if own.get(by, "None") == "None":
        return []
    name = own.get(to) or own.get(f"{to}.name", "")
    options = [
        f"{k.removeprefix(f'{to}.')}={v}" for k, v in own.items() if k.startswith(f"{to}.") and k != f"{to}.name"
    ]
    return [f"with as many {own[by].replace('_', ' ')} as {' '.join([name, *options])}"]


def setting_labels(settings: Sequence[Settings]) -> list[str]:
    """Name settings by data set and network, and by whatever else they differ in.

    >>> setting_labels([{"data.name": "digits", "backbone.name": "keras_cnn", "trainer.epochs": "3"},
    ...                 {"data.name": "digits", "backbone.name": "keras_cnn", "trainer.epochs": "9"}])
    ['digits, keras_cnn, epochs=3', 'digits, keras_cnn, epochs=9']
    """
    named = ("data.name", "backbone.name")
    labels = []
    for own in settings:
        parts = [own[name] for name in named if name in own]
        peers = [one for one in settings if all(one.get(name) == own.get(name) for name in named)]
        keys = sorted({key for one in peers for key in one if key not in named})
        for key in keys:
            if len({one.get(key) for one in peers}) > 1:
                parts.append(_fact(key, own.get(key)))
        labels.append(", ".join(parts))
    return labels


def _fact(key: str, value: str | None) -> str:
    if key == "data_fingerprint":
        return f"images {(value or 'unknown').rpartition('-')[2][:8]}"
    if key.endswith("_sha256"):
        return f"{key.removesuffix('_sha256')} {(value or 'none')[:8]}"
    return f"{key.rpartition('.')[2]}={_value(str(value))}"
