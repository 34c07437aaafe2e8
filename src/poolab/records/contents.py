"""The content of the files that a run was made from: its data set, its weights, and the run that it starts from.

The same settings with other files are another measurement. A record keeps a hash of each content in its environment.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from poolab.records.record import Record, Tree

SHORTEST = 4  # characters of a hash that is shown
UNKNOWN = "content not recorded"


class Content(NamedTuple):
    """Hashes of the files that a run was made from; None where the record names none.

    `source` is the run that a fine-tuned run goes on from. Each seed has a source of its own.
    """

    data: str | None
    weights: str | None
    source: str | None

    @property
    def shared(self) -> "Content":
        """Return the content that all seeds of one arm share."""
        return self._replace(source=None)


def content_of(record: Record) -> Content:
    """Return the content that a record names.

    >>> content_of(Record(status="completed", environment={"data_fingerprint": "digits-1"}))
    Content(data='digits-1', weights=None, source=None)
    """
    found = record.environment
    keys = ("data_fingerprint", "weights_sha256", "source_sha256")
    return Content(*(None if found.get(key) is None else str(found[key]) for key in keys))


def own_settings(record: Record) -> Tree:
    """Return a record's settings with dotted keys, without the paths of files whose content it names."""
    if content_of(record).weights is None:
        return record.settings
    return {key: value for key, value in record.settings.items() if key != "backbone.weights"}


def says_content(record: Record) -> bool:
    """Return True if a record names its data. A run that ended early may not; it has no metrics to mix up either."""
    return record.completed or content_of(record).data is not None


def differing_content(records: Iterable[Record]) -> bool:
    """Return whether runs of one data set or backbone were made from data or weights of different content."""
    found: dict[str, set[Content]] = {}
    for record in filter(says_content, records):
        names = [record.settings.get(f"{group}.name") for group in ("data", "backbone")]
        found.setdefault(str(names), set()).add(content_of(record).shared)
    return any(len(contents) > 1 for contents in found.values())


def told_apart(contents: Iterable[Content]) -> dict[Content, str]:
    """Return a short text for each content, which says how it differs from the others; empty if there is only one.

    >>> told_apart([Content("image_folder-3f2a77", None, None), Content("image_folder-3f2b00", None, None)]).values()
    dict_values(['data 3f2a...', 'data 3f2b...'])
    >>> told_apart([Content("digits-1", None, None)])
    {Content(data='digits-1', weights=None, source=None): ''}
    """
    found = list(dict.fromkeys(contents))
    texts: dict[Content, list[str]] = {one: [] for one in found}
    for field in Content._fields:
        values = list(dict.fromkeys(getattr(one, field) for one in found))
        if len(values) > 1:
            short = _short(values)
            for one in found:
                texts[one].append(f"{field} {short[getattr(one, field)]}")
    return {one: ", ".join(parts) for one, parts in texts.items()}


def _short(values: Sequence[str | None]) -> dict[str | None, str]:
    """Return a short text for each hash: its beginning, as long as it must be to differ from the others."""
    known = [value for value in values if value is not None]
    heads = {value.rpartition("-")[0] for value in known}
    own = {value: value.rpartition("-")[2] if len(heads) == 1 else value for value in known}
    longest = max(map(len, own.values()), default=0)
    # As long as it takes for each to read otherwise.
    length = next(
        n for n in range(SHORTEST, longest + SHORTEST) if len({text[:n] for text in own.values()}) == len(own)
    )
    shown: dict[str | None, str] = {
        value: text if len(text) <= length or len(heads) > 1 else f"{text[:length]}..." for value, text in own.items()
    }
    return {None: UNKNOWN, **shown}
