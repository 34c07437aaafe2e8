"""`poolab report`: the verdict on studies, folders of runs and files of records."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolab.errors import ConfigError

if TYPE_CHECKING:
    from poolab.report.evidence import Evidence

DESCRIPTION = "which pooling is better, and how sure that is: a verdict, tables, figures and a page, from records alone"
STUDIES = (".yaml", ".yml")


@dataclass
class Given:
    """What the words of the command line name: lists of records with their sources, and what a study plans."""

    sources: list[tuple[str, Sequence[Mapping[str, Any]]]] = field(default_factory=list)
    expected: list[Mapping[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    title: str = ""
    selected_by: str | None = None
    margin: float | None = None


def words(program: str) -> argparse.ArgumentParser:
    """The words of the command."""
    parser = argparse.ArgumentParser(prog=program, description=DESCRIPTION[0].upper() + DESCRIPTION[1:] + ".")
    parser.add_argument(
        "what",
        nargs="+",
        metavar="WHAT",
        help="study files, folders of runs, files of records; key=value for the cells of a study",
    )
    parser.add_argument("--runs", metavar="DIR", help="the folder of a study's runs (default: runs)")
    parser.add_argument(
        "--baseline", metavar="ARM", help="the arm, or pooling, that the others are compared with (default: max)"
    )
    parser.add_argument(
        "--margin",
        metavar="POINTS",
        type=float,
        help="differences below it do not matter, in points (default: 0.5) or in the metric's unit",
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="a metric of the records (default: test/accuracy or test/mean_iou)"
    )
    parser.add_argument("--out", metavar="DIR", help="the folder of the report (default: report)")
    parser.add_argument(
        "--versus", action="store_true", help="compare two sources of the same study, e.g. of two code versions"
    )
    return parser


def report(arguments: Sequence[str], program: str = "poolab report") -> int:
    """Write the report and print the verdict.

    Raises:
        PoolabError: a source, an arm, a metric or a number is wrong.
    """
    from poolab.report.document import Document
    from poolab.report.terminal import print_tables, verdict_text, width
    from poolab.report.write import write_report

    chosen = words(program).parse_intermixed_args(list(arguments))
    given, evidence = _evidence(chosen)
    analysis = _analysis(chosen, given, evidence)
    document = Document(
        analysis,
        title=chosen.what[0] if not given.title else given.title,
        command=shlex.join([*program.split(), *arguments]),
        version=_version(),
        command_of=_command_of,
        selected_by=given.selected_by,
    )
    print_tables(analysis)
    print("\n" + verdict_text(analysis, width(), details=False))
    page = write_report(document, Path(chosen.out or "report").expanduser(), print)
    print(f"\nreport: {page}")
    for sentence in document.left_out[:SHOWN]:
        print(f"not in it: {sentence}")
    if len(document.left_out) > SHOWN:
        print(f"not in it: {len(document.left_out) - SHOWN} more, which the report names")
    return 0


SHOWN = 5


def _analysis(chosen: argparse.Namespace, given: Given, evidence: Evidence) -> Any:
    from poolab.report.analysis import analyse
    from poolab.report.metric import Metric

    margin = given.margin if chosen.margin is None else chosen.margin
    name = chosen.metric or (evidence.runs[0].headline if evidence.runs else "test/accuracy")
    scaled = None if margin is None else margin / Metric(name).scale
    baseline = evidence.settings[0].arms[0].label if chosen.versus and chosen.baseline is None else chosen.baseline
    return analyse(evidence, baseline=baseline, metric=chosen.metric, margin=scaled)


def _evidence(chosen: argparse.Namespace) -> tuple[Given, Evidence]:
    from poolab.report.evidence import gather
    from poolab.report.runs import read_runs
    from poolab.report.versus import versus

    given = read_sources(chosen.what, chosen.runs)
    if chosen.versus:
        if len(given.sources) != 2:
            raise ConfigError(f"--versus compares two sources of records, found {len(given.sources)}")
        parts = [read_runs([source]) for source in given.sources]
        old, new = (gather(runs, faults=faults) for runs, faults in parts)
        return given, versus(old, new, *(name for name, _ in given.sources))
    runs, faults = read_runs(given.sources)
    return given, gather(runs, expected=given.expected, faults=[*given.faults, *faults])


def read_sources(what: Sequence[str], runs: str | None = None) -> Given:
    """Read everything that is named.

    Raises:
        ConfigError: a path does not exist, or nothing has a record.
    """
    from poolab.study.cells import ASSIGNMENT

    extra = [word for word in what if ASSIGNMENT.fullmatch(word) and not Path(word).exists()]
    paths = [Path(word).expanduser() for word in what if word not in extra]
    studies = [path for path in paths if path.suffix in STUDIES]
    given = Given()
    for path in paths:
        if path in studies:
            continue
        if not path.exists():
            raise ConfigError(f"{path} does not exist; name a study file, a folder of runs, or a file of records")
        _read(path, given)
    if studies and (runs is not None or not given.sources):
        _read(_runs_of(studies, extra, runs), given)
    if extra and not studies:
        raise ConfigError(f"{extra[0]} is a setting of a study's cells, and no study file is named")
    for path in studies:
        _plan(path, extra, given)
    given.title = given.title or ", ".join(path.name or str(path) for path in paths)
    if not any(records for _, records in given.sources):
        where = " and ".join(name for name, _ in given.sources)
        raise ConfigError(
            f"there are no records in {where}: make some with train.py or `poolab study run`, or name their folder"
        )
    return given


def _runs_of(studies: Sequence[Path], extra: Sequence[str], runs: str | None) -> Path:
    named = [word.partition("=")[2] for word in extra if word.startswith("runs_dir=")]
    return Path(runs or (named[-1] if named else "runs")).expanduser()


def _read(path: Path, given: Given) -> None:
    from poolab.study.record_file import read_records

    given.sources.append((str(path), read_records(path)))


def _plan(path: Path, extra: Sequence[str], given: Given) -> None:
    """Keep the records of a study's cells, and note its cells."""
    from poolab.study.cells import grid_cells
    from poolab.study.comparison import records_of
    from poolab.study.composition import Composer
    from poolab.study.sweep_file import read_study

    study = read_study(path)
    own = [text for text in extra if not text.startswith("runs_dir=")]
    given.sources = [(name, records_of(study, records, own)) for name, records in given.sources]
    if study.method == "grid":
        composer = Composer()
        given.expected += [composer(cell) for cell in grid_cells(study, own)]
    given.selected_by = study.metric.name if study.metric else None
    given.title = study.name


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("poolab")
    except metadata.PackageNotFoundError:
        return "unknown"


def _command_of(run: Any) -> str:
    from poolab.study.again import command_of

    return command_of(run.record["config"])
