"""The records of a folder as a list for Python and notebooks."""

from pathlib import Path
from typing import TYPE_CHECKING

from poolab.records.gathering import gather, tell
from poolab.records.html import html_table
from poolab.records.record import Record

if TYPE_CHECKING:
    import pandas

SHOWN = 20  # rows in a notebook


class Records(list[Record]):
    """A list of records; a notebook shows it as a table.

    >>> runs = Records([Record(status="completed", seed=1, metrics={"test/accuracy": 0.5})])
    >>> len(runs), len(runs.completed), runs[0].metrics["test/accuracy"]
    (1, 1, 0.5)
    """

    @property
    def completed(self) -> "Records":
        """Those that were trained and tested to their end."""
        return Records(record for record in self if record.completed)

    def to_frame(self) -> "pandas.DataFrame":
        """Return a table with a row for each record: what it is, its settings (dotted names), and its metrics.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas

        rows = [
            {
                "signature": record.signature,
                "status": record.status,
                "started": record.started,
                "ended": record.ended,
                **record.settings,
                **record.metrics,
            }
            for record in self
        ]
        return pandas.DataFrame(rows)

    def _repr_html_(self) -> str:
        heads = ("signature", "status", "pooling", "backbone", "data", "seed", "score")
        rows = [_cells(record) for record in self[:SHOWN]]
        more = f"<p>{len(self) - SHOWN} more</p>" if len(self) > SHOWN else ""
        return f"{html_table(heads, rows)}{more}"


def read_records(place: str | Path = "runs") -> Records:
    """Read the records of a folder of runs, or of a file that `poolab study table --save` wrote, oldest first.

    What is no record is named on standard error and left out.

    Raises:
        ConfigError: the folder or file cannot be read.
    """
    records, faults = gather(place)
    tell(faults)
    return Records(records)


def _cells(record: Record) -> list[str]:
    get = record.settings.get
    score = record.value(record.headline)
    names = [str(get(f"{group}.name", "")) for group in ("pooling", "backbone", "data")]
    return [
        record.signature,
        record.status,
        *names,
        str(record.seed),
        "" if score is None else f"{record.headline} {score:.4f}",
    ]
