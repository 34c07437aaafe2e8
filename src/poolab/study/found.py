"""The records that belong to a study's cells, told apart by the content of the files that they were made from."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from poolab.errors import ConfigError
from poolab.records import signature
from poolab.records.contents import Content, content_of, says_content, told_apart
from poolab.records.identity import flatten
from poolab.study.arms import FILES

Record = Mapping[str, Any]


class Found:
    """The records of a study, by the settings of their cells.

    Args:
        weights_vary: the weights are what the study compares, and make no place of their own.
    """

    def __init__(self, records: Sequence[Record], weights_vary: bool = False):
        self._weights_vary = weights_vary
        self._by_settings: dict[str, list[Record]] = {}
        for record in records:
            self._by_settings.setdefault(signature(record["config"], ""), []).append(record)
        self._places: dict[tuple[str, str], dict[Content, str]] = {}

    def of(self, config: Mapping[str, Any], configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, Record | None]]:
        """Return the places that a cell stands in, each with the cell's record there.

        Args:
            configs: those of all cells, by whose records the places are known.

        Raises:
            ConfigError: two records are of this cell, and nothing tells which of them is meant.
        """
        places = self._places_of(config, configs)
        own = self._named_alike(config, self._by_settings.get(signature(config, ""), []))
        return [
            (place, _only([one for one in own if not says_content(one) or self._place(one) == content]))
            for content, place in places.items()
        ]

    def _place(self, record: Record) -> Content:
        content = content_of(record).shared
        return content._replace(weights=None) if self._weights_vary else content

    def _places_of(self, config: Mapping[str, Any], configs: Sequence[Mapping[str, Any]]) -> dict[Content, str]:
        """Return the contents that the cells of this data set and backbone were run with, each with its title."""
        names = _names(config)
        if names not in self._places:
            settings = {signature(one, "") for one in configs if _names(one) == names}
            records = [one for key in settings for one in self._by_settings.get(key, ()) if says_content(one)]
            records.sort(key=lambda one: str(one.get("started", "")))
            texts = told_apart(map(self._place, records)) or {Content(None, None, None): ""}
            data, backbone = names
            self._places[names] = {
                content: f"{data} ({text.removeprefix('data ')}), {backbone}" if text else f"{data}, {backbone}"
                for content, text in texts.items()
            }
        return self._places[names]

    @staticmethod
    def _named_alike(config: Mapping[str, Any], records: Sequence[Record]) -> Sequence[Record]:
        """Return those records whose files have the names that the cell gives, where any record's have."""
        if len(records) < 2:
            return records
        wanted = _files(config)
        alike = [one for one in records if _files(one["config"]) == wanted]
        return alike or records


def _names(config: Mapping[str, Any]) -> tuple[str, str]:
    return str(config["data"]["name"]), str(config["backbone"]["name"])


def _files(config: Mapping[str, Any]) -> list[str]:
    """Return the names of a run's files, without the folders that they lay in on some machine."""
    flat = flatten(config)
    return [PurePath(str(flat.get(key) or "")).name for key in FILES]


def _only(records: Sequence[Record]) -> Record | None:
    """Return the one record of a cell, those that ended before they noted their data last."""
    said = [one for one in records if says_content(one)] or list(records)
    if len({one["signature"] for one in said}) > 1 and says_content(said[0]):
        first, second = said[:2]
        raise ConfigError(
            f"the records {first['signature']} and {second['signature']} have the same settings and other data or "
            f"files ({_differing(first, second)}), and nothing tells which of them is meant: keep them in two "
            "folders, --runs"
        )
    return said[-1] if said else None


def _differing(first: Record, second: Record) -> str:
    names = {"data": "the data", "weights": "the weights", "source": "the run that they go on from"}
    one, other = content_of(first), content_of(second)
    differing = [words for key, words in names.items() if getattr(one, key) != getattr(other, key)]
    return ", ".join(differing) or "their content is not recorded"
