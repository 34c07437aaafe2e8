"""The terminal output of a run: its settings, a line for each epoch, and a table at the end.

Lightning is not imported here: the record of a run that is finished is shown without it.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poolab.notebook import notebook_bar
from poolab.per_slot import pooling_words
from poolab.records import HEADLINES
from poolab.run_config import RunConfig
from poolab.text import printable

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from rich.text import Text

    from poolab.backbones import Backbone, Match
    from poolab.data import FolderSummary
    from poolab.records import Record, RunFolder
    from poolab.training.source_run import WeightTransfer

SHORT = {"accuracy": "acc", "mean_iou": "IoU"}  # in the line of an epoch


class Console:
    """Prints the output of one run; a file or a pipe gets the same lines without the moving bar."""

    def __init__(self, config: RunConfig, folder: RunFolder, network: Backbone, bar: bool):
        from poolab.training.processes import first_process

        self.config = config
        self.folder = folder
        self.network = network
        self.quiet = not first_process()
        self.bar = bar and sys.stderr.isatty() and not self.quiet

    def callbacks(self) -> list[pl.Callback]:
        """Return the moving bar, if there is a terminal or a notebook."""
        from pytorch_lightning.callbacks import TQDMProgressBar

        if self.bar:
            return [TQDMProgressBar(refresh_rate=10)]
        bar = notebook_bar() if self.config.trainer.progress_bar and not self.quiet else None
        if bar is None:
            return []
        from poolab.training.notebook_progress import NotebookProgress

        words = f"{pooling_words(self.config.pooling)}, {self.config.backbone.name}, seed {self.config.seed}"
        return [NotebookProgress(bar, words)]

    def start(
        self,
        trainer: pl.Trainer,
        checkpoint: Path | None,
        match: Match | None = None,
        taken: WeightTransfer | None = None,
        folder: FolderSummary | None = None,
    ) -> None:
        """Print what runs, where, on which files, with which width and weights, and from where it continues."""
        config = self.config
        filled = {name: slot.pooling for name, slot in self.network.slots.items()}
        device = trainer.strategy.root_device
        self._print(
            f"{config.backbone.name} on {config.data.name}, seed {config.seed}, "
            f"{config.trainer.epochs} epochs on {trainer.world_size} x {device.type}\n"
            f"slots: {', '.join(f'{name} {pooling}' for name, pooling in filled.items())}\n"
            f"record: {printable(self.folder.home)}"
        )
        if folder is not None:
            self._print(printable(folder))
        for note in getattr(self.network, "notes", ()):
            self._print(note)
        if match is not None:
            self._print(f"matched: {match}")
        if taken is not None:
            self._print(f"taken over: {taken}")
        if checkpoint is not None:
            self._print("going on from its checkpoint")

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Print one line of at most 80 columns for an epoch."""
        name = HEADLINES[self.config.task]
        figures = [
            f"{stage} loss {row[f'{stage}/loss']:.4f} {SHORT[name]} {row[f'{stage}/{name}']:.4f}"
            for stage in ("train", "val")
            if f"{stage}/loss" in row
        ]
        done = f"epoch {row['epoch']:>3}/{self.config.trainer.epochs}"
        self._print(f"{done}  {'  '.join(figures)}  {row['seconds']:.1f} s")

    def exchanged(self, figures: Mapping[str, float]) -> None:
        """Print the validation metrics before training: of the network with its old poolings, and with its new ones."""
        for stage in ("before", "exchanged"):
            prefix = f"{stage}/val/"
            found = [
                f"{key.removeprefix(prefix)} {figures[key]:.4f}" for key in sorted(figures) if key.startswith(prefix)
            ]
            self._print(f"{stage:<9}  val {'  '.join(found)}")

    def measured(self, name: str, seconds: float) -> None:
        """Print one line for a measure of `measure=full`, which may take longer than an epoch."""
        self._print(f"measured {name:<12} {seconds:.1f} s")

    def _print(self, text: str) -> None:
        if self.quiet:
            return
        text = printable(text)
        try:
            if self.bar:
                from tqdm import tqdm

                tqdm.write(text)  # above the moving bar
            else:
                say(text)
        except (OSError, ValueError):  # the same of the bar's stream; ValueError: it was closed
            self.quiet = True


def say(text: str) -> None:
    """Print a line in any encoding; a full disk or a closed reader does not stop the run."""
    stream = sys.stdout
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except (OSError, ValueError):  # `| head`, a full disk, a terminal that is gone, a stream that was closed
        _silence(stream)


def _silence(stream: Any) -> None:
    """Discard all further output, since else the interpreter's last flush would raise an error."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def print_record(record: Record, folder: Path, fresh: bool) -> None:
    """Print the table at the end: the metrics, and the path of the record."""
    from rich.console import Console as RichConsole
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    metrics, notes = record.metrics, record.notes
    told = {**dict.fromkeys(notes, "-"), **{name: shown(name, value) for name, value in metrics.items()}}
    rows = series(metrics)
    for name in sorted(told, key=_rank):
        if name.startswith("test/class_") or name in rows.hidden:  # the record has them
            continue
        table.add_row(*map(_cell, (name, told[name], notes.get(name) or rows.beside.get(name, ""))))
    console = RichConsole(highlight=False, markup=False)
    try:
        console.print(table)
        console.print(printable(_ending(record, folder, fresh)), soft_wrap=True)
    except (OSError, ValueError):
        _silence(sys.stdout)


def _cell(text: str) -> Text:
    """Return a cell of the table, with brackets escaped so that they are not markup."""
    from rich.text import Text

    return Text(printable(text))


def _rank(name: str) -> tuple[int, str]:
    """Return the sorting key: what a person looks for first comes last, next to the prompt."""
    costs = ("epochs", "match", "cost", "speed", "seconds")
    order = (*costs, "gradient_support", "robust", "calibration", "before", "exchanged", "train", "val", "test")
    first = name.split("/")[0]
    return (order.index(first) if first in order else -1), name


class Series(NamedTuple):
    """Metrics with the same name except for a number at the end, shown beside the metric that summarises them."""

    beside: dict[str, str]
    hidden: set[str]


def series(metrics: Mapping[str, float | None]) -> Series:
    """Return the series of metrics: `name/1`, `name/2` and so on, with `name` or `name_mean`.

    >>> shifts = {"robust/shift_accuracy_mean": 0.5, "robust/shift_accuracy/0": 0.75, "robust/shift_accuracy/1": 0.25}
    >>> series(shifts).beside
    {'robust/shift_accuracy_mean': '0:.75 1:.25'}
    """
    found: dict[str, dict[float, str]] = defaultdict(dict)
    for name in metrics:
        base, _, last = name.rpartition("/")
        if last.replace(".", "", 1).isdigit() and {base, f"{base}_mean"} & metrics.keys():
            found[base if base in metrics else f"{base}_mean"][float(last)] = name
    beside = {
        total: " ".join(f"{at:g}:{_short(metrics[name])}" for at, name in sorted(members.items()))
        for total, members in found.items()
    }
    return Series(beside, {name for members in found.values() for name in members.values()})


def _short(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}".removeprefix("0")


def shown(name: str, value: float | None) -> str:
    """Return a metric with its unit, formatted for people.

    >>> shown("cost/peak_memory_bytes", 5_000_000), shown("test/accuracy", 0.98765), shown("cost/parameters", 12345)
    ('5.0 MB', '0.9877', '12,345')
    """
    if value is None:
        return "not finite"
    if name.endswith("_bytes"):
        return f"{value / 1e6:,.1f} MB"
    if float(value).is_integer() and abs(value) >= 2:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _ending(record: Record, folder: Path, fresh: bool) -> str:
    if not fresh and record.status != "interrupted":  # of a finished run that is measured again
        return f"{record.status} earlier, not run again (force=true does): {folder}"
    reason = f": {record.reason}" if record.reason else ""
    again = "; the same command resumes here" if record.status == "interrupted" else ""
    return f"{record.status}{reason}{again}\nrecord: {folder}"
