"""A run's record: its configuration, its metrics, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records.form import record_faults
from poolab.records.identity import flatten
from poolab.records.migrations import migrated
from poolab.records.schema import FINISHED, HEADLINES, SCHEMA_VERSION, STATUSES, finite

NO_SEED = -1  # no run can have it
Tree = Mapping[str, Any]  # of JSON: other versions of poolab have other settings and other facts


class RecordError(PoolabError):
    """A record cannot be read, or this version of poolab does not understand it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The record of one run: the content of its result.json, or of its line in a saved file of records.

    `from_json` is the only place where a record is read from JSON, and `to_json` the only one where it is written.

    Attributes:
        signature: names the run and its folder; empty where the record does not say it.
        status: one of STATUSES.
        reason: why the run is not completed.
        seed: NO_SEED where the record says none.
        config: the resolved configuration, as it was when the run was made.
        metrics: flat names to numbers; None stands for a number that is not finite.
        notes: what a metric's figure is, where its name does not say it, and why one is missing.
        measured: of each measure that was taken after the run, when, with what code and on what machine.
        environment: versions, machine, commit, and the hashes of the content that the run read.
        started, ended: ISO 8601 with the time zone; empty where the record does not say it.
        history: the figures of each epoch by name. Only a saved file has them; a folder has history.jsonl.
        test_correct: one bit for each test image. Only a saved file has them; a folder has test_examples.npz.
        other: what this version of poolab does not know; it is kept when the record is saved.
        where: the folder or file that the record was read from.
    """

    status: str
    signature: str = ""
    reason: str | None = None
    seed: int = NO_SEED
    config: Tree = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    environment: Tree = field(default_factory=dict)
    measured: Tree = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    history: Tree | None = field(default=None, repr=False)
    test_correct: Tree | None = field(default=None, repr=False)
    other: Tree = field(default_factory=dict, repr=False)
    schema_version: int = SCHEMA_VERSION
    where: str = field(default="", compare=False)
    _settings: Tree | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def from_json(cls, content: object, *, signature: str = "", where: str = "", whole: bool = False) -> "Record":
        """Return the record of a JSON value; one of an earlier version of poolab is brought to the current form.

        Args:
            signature: stands for one that the record does not say.
            where: the folder or file that it was read from.
            whole: require what tables need as well: the start, the configuration and the figures.

        Raises:
            RecordError: the value is no record, is damaged, or was written by a newer poolab. All faults at once.

        >>> record = Record.from_json({"status": "completed", "config": {"seed": 7}, "metrics": {"test/loss": "nan"}})
        >>> record.seed, record.metrics, record.finished
        (7, {'test/loss': None}, True)
        """
        faults = record_faults(content, whole)
        if faults or not isinstance(content, dict):
            raise RecordError("; ".join(faults))
        found = migrated(content)
        get = found.get
        config, name = get("config", {}), get("signature")
        # What is a text among the metrics stands for a number that is not finite (`form.NOT_FINITE`).
        figures = {key: None if isinstance(value, str) else value for key, value in get("metrics", {}).items()}
        return cls(
            status=found["status"],
            signature=name if isinstance(name, str) else signature,
            reason=get("reason"),
            seed=_seed(get("seed"), config.get("seed")),
            config=config,
            metrics=figures,
            notes=get("notes", {}),
            environment=get("environment", {}),
            measured=_mapping(get("measured")) or {},
            started=get("started", ""),
            ended=str(get("ended") or ""),
            history=_mapping(get("history")),
            test_correct=_mapping(get("test_correct")),
            other={key: found[key] for key in found.keys() - KNOWN},
            where=where,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of result.json."""
        content = {
            "schema_version": self.schema_version,
            "signature": self.signature,
            "status": self.status,
            "reason": self.reason,
            "seed": None if self.seed == NO_SEED else self.seed,
            "config": self.config,
            "metrics": self.metrics,
            "notes": self.notes,
            "environment": self.environment,
            "measured": self.measured or None,
            "started": self.started,
            "ended": self.ended,
            "history": self.history,
            "test_correct": self.test_correct,
            **self.other,
        }
        return {key: value for key, value in content.items() if value is not None or key in ("reason", *self.other)}

    @property
    def completed(self) -> bool:
        """True if the run was trained and tested to its end."""
        return self.status == "completed"

    @property
    def finished(self) -> bool:
        """True if the run has a result and must not be made again: it completed, or it diverged."""
        return self.status in FINISHED

    @property
    def task(self) -> str:
        """The task; records that were made before there were tasks are of classification."""
        return str(self.config.get("task", "classification"))

    @property
    def headline(self) -> str:
        """The name of the test metric by which runs of this task are compared."""
        return f"test/{HEADLINES.get(self.task, 'accuracy')}"

    def value(self, metric: str) -> float | None:
        """Return a metric, or None if the run did not measure it or if it was not finite."""
        value = self.metrics.get(metric)
        return None if value is None else float(value)

    @property
    def folder(self) -> Path | None:
        """The folder of the run, or None where the record was read from a file of records or its folder is gone."""
        path = Path(self.where) / self.signature
        return path if self.where and self.signature and path.is_dir() else None

    def at(self, folder: Path) -> "Record":
        """Return the record with the place of its run's folder."""
        return replace(self, where=str(folder.parent))

    @property
    def settings(self) -> Tree:
        """The configuration with dotted keys."""
        if self._settings is None:
            object.__setattr__(self, "_settings", flatten(self.config))
        assert self._settings is not None
        return self._settings

    def _repr_html_(self) -> str:
        from poolab.records.html import html_table

        facts = [["status", self.status], *([["reason", self.reason]] if self.reason else [])]
        facts += [["signature", self.signature], ["seed", str(self.seed)], ["folder", str(self.folder or self.where)]]
        figures = [[name, f"{value:.6g}"] for name, value in self.metrics.items() if value is not None]
        return html_table(("", "value"), [*facts, *figures])


KNOWN = frozenset(
    (
        *("schema_version", "signature", "status", "reason", "seed", "config", "metrics", "notes", "environment"),
        *("measured", "started", "ended", "history", "test_correct"),
    )
)


def result_record(
    *,
    signature: str,
    status: str,
    config: Tree,
    metrics: Mapping[str, float],
    environment: Tree,
    started: str,
    ended: str,
    notes: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> Record:
    """Return the record of a run that ends now; metrics that are not finite become None.

    Raises:
        ValueError: an unknown status, or an incomplete run without its reason.
    """
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}, found {status!r}")
    if status != "completed" and not reason:
        raise ValueError(f"a run that is {status} needs its reason")
    return Record(
        signature=signature,
        status=status,
        reason=reason,
        seed=config["seed"],
        config=config,
        metrics={name: finite(value) for name, value in sorted(metrics.items())},
        notes=dict(notes or {}),
        environment=environment,
        started=started,
        ended=ended,
    )


def _seed(*values: object) -> int:
    """Return the first value that is a whole number."""
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool)), NO_SEED)


def _mapping(value: Any) -> Tree | None:
    return value if isinstance(value, Mapping) else None
