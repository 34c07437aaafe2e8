"""`poolab report`: the verdict on studies, folders of runs and files of records."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolab.errors import ConfigError
from poolab.study.commands.looks import remember, with_looks
from poolab.study.evidence import Cells, Records
from poolab.study.sweep.sweep_file import Study

if TYPE_CHECKING:
    from poolab.records import Record
    from poolab.report import Analysis, Document, Evidence
    from poolab.study.wandb.report_run import Target

DESCRIPTION = "which pooling is better, and how sure that is: a verdict, tables, figures and a page, from records alone"
STUDIES = (".yaml", ".yml")
FORMATS = ("svg", "pdf", "png")
SHOWN = 5


@dataclass
class Given:
    """The sources on the command line: lists of records with their origin, and studies with their cells."""

    sources: list[tuple[str, Records]] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)
    cells: Cells = field(default_factory=Cells)
    errors: list[str] = field(default_factory=list)
    title: str = ""
    journals: list[tuple[Study, Path]] = field(default_factory=list)


def words(program: str) -> argparse.ArgumentParser:
    """Add the arguments of the command."""
    parser = argparse.ArgumentParser(prog=program, description=DESCRIPTION[0].upper() + DESCRIPTION[1:] + ".")
    parser.add_argument(
        "what",
        nargs="+",
        metavar="WHAT",
        help="study files, folders of runs, files of records; key=value for the cells of a study",
    )
    parser.add_argument("--runs", metavar="DIR", help="the folder of a study's runs (default: the file's, or runs)")
    parser.add_argument(
        "--baseline", metavar="ARM", help="the arm, or pooling, that the others are compared with (default: max)"
    )
    parser.add_argument(
        "--margin",
        metavar="POINTS",
        type=_points,
        help="smaller differences do not matter; in points (default: the study's margin, or 0.5), or in the metric's "
        "unit where it is no share",
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="a metric of the records (default: test/accuracy or test/mean_iou)"
    )
    parser.add_argument(
        "--tuned",
        metavar="KEY",
        action="append",
        help="a setting whose value was chosen for each arm, e.g. optim.lr: runs that differ in it alone are one arm's "
        "in one setting (default: the study's declaration); may be given several times",
    )
    parser.add_argument("--out", metavar="DIR", help="the folder of the report (default: report)")
    parser.add_argument(
        "--formats",
        metavar="LIST",
        help="formats of the figures' files (default: svg,pdf,png; svg alone where there are more than three settings)",
    )
    parser.add_argument(
        "--wandb",
        metavar="ENTITY/PROJECT",
        help="log the report to W&B too, as a run of the type report: verdict, tables, page and files",
    )
    parser.add_argument(
        "--versus", action="store_true", help="compare two sources of the same study, e.g. of two code versions"
    )
    return parser


def _points(text: str) -> float:
    """Read the number of `--margin`."""
    try:
        return float(text)
    except ValueError:
        mended = text.replace(",", ".")
        hint = f"; write {mended}" if mended.replace(".", "", 1).isdecimal() else ", e.g. 0.5"
        raise argparse.ArgumentTypeError(f"{text} is not a number: give one above 0, in points{hint}") from None


def report(arguments: Sequence[str], program: str = "poolab report") -> int:
    """Write the report and print the verdict.

    Raises:
        PoolabError: a source, an arm, a metric or a number is wrong.
    """
    from poolab.report import made_to_stay, print_tables, printable, verdict_text, width, write_report

    chosen = words(program).parse_intermixed_args(list(arguments))
    formats = None if chosen.formats is None else formats_of(chosen.formats)
    target = _target(chosen.wandb)
    given, evidence, analysis = made_to_stay(lambda: _analysed(chosen))
    document = document_of(
        analysis, given.title, shlex.join([*program.split(), *map(printable, arguments)]), given.studies
    )
    # Written first: whoever reads the beginning of what is printed only (`| head`) has the report too.
    page = write_report(document, Path(chosen.out or "report").expanduser(), _said, formats=formats)
    remember(evidence, given.journals, "report")
    print_tables(analysis)
    print("\n" + verdict_text(analysis, width(), details=False))
    _said(f"\nreport: {page}")
    for sentence in document.left_out[:SHOWN]:
        _said(f"not in the report: {sentence}")
    if len(document.left_out) > SHOWN:
        print(f"not in the report: {len(document.left_out) - SHOWN} more; the page names all")
    if target is not None:
        from poolab.study.wandb.report_run import log_report

        _said(log_report(document, page.parent, target))
    return 0


def _analysed(chosen: argparse.Namespace) -> tuple[Given, Evidence, Analysis]:
    given, evidence = _evidence(chosen)
    return given, evidence, analysis_of(given.studies, evidence, chosen)


def _target(text: str | None) -> Target | None:
    """Return where --wandb sends the report, after a look whether W&B can be written to at all."""
    if text is None:
        return None
    from poolab.study.wandb.report_run import check_access, read_target

    target = read_target(text)
    check_access(target)
    return target


def _said(text: str) -> None:
    from poolab.report import printable

    print(printable(text))


def formats_of(text: str) -> tuple[str, ...]:
    """Read `--formats`.

    Raises:
        ConfigError: there is no such format.

    >>> formats_of("svg,png")
    ('svg', 'png')
    """
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    wrong = [word for word in found if word not in FORMATS]
    if wrong or not found:
        raise ConfigError(f"--formats {text}: the formats are {', '.join(FORMATS)}; give one or several, e.g. svg,pdf")
    return found


def analysis_of(studies: Sequence[Study], evidence: Evidence, chosen: argparse.Namespace | None = None) -> Analysis:
    """Compare the arms, with the choices of the command line and the study files.

    Raises:
        ConfigError: there is no such arm or metric, or a number is out of its range.
    """
    from poolab.report import Looks, Metric, analyse

    asked = vars(chosen) if chosen is not None else {}
    metric, baseline, margin = (asked.get(name) for name in ("metric", "baseline", "margin"))
    if margin is None:
        margin = _one_of("margin", [study.margin for study in studies])
    looks = _one_of("looks", [study.looks for study in studies])
    if margin is not None and not 0 < margin < float("inf"):
        raise ConfigError(f"margin {margin:g}: give a number above 0, in points where the metric is a share, e.g. 0.5")
    name = metric or (evidence.runs[0].headline if evidence.runs else "test/accuracy")
    if asked.get("versus") and baseline is None and evidence.settings:
        baseline = evidence.settings[0].arms[0].label
    return analyse(
        evidence,
        baseline=baseline,
        metric=metric,
        margin=None if margin is None else margin / Metric(name).scale,
        looks=None if looks is None else Looks(looks),
    )


def _one_of(key: str, values: Sequence[Any]) -> Any:
    """Return the value that all studies have for a key; a study may leave the key out."""
    found = list(dict.fromkeys(value for value in values if value is not None))
    if len(found) > 1:
        raise ConfigError(f"the studies have several values of {key}: {', '.join(map(str, found))}; report each alone")
    return found[0] if found else None


def document_of(analysis: Analysis, title: str, command: str, studies: Sequence[Study] = ()) -> Document:
    """Return the document of an analysis."""
    from poolab.report import Document

    selected = [study.metric.name for study in studies if study.metric]
    return Document(
        analysis,
        title=title,
        command=command,
        version=_version(),
        command_of=_command_of,
        selected_by=selected[0] if selected else None,
    )


def _evidence(chosen: argparse.Namespace) -> tuple[Given, Evidence]:
    from poolab.report import gather, versus

    given = read_sources(chosen.what, chosen.runs)
    if chosen.versus:
        if len(given.sources) != 2:
            raise ConfigError(f"--versus compares two sources of records, found {len(given.sources)}")
        old, new = (gather(records) for _, records in given.sources)
        return given, versus(old, new, *(name for name, _ in given.sources))
    runs = [record for _, records in given.sources for record in records]
    cells = given.cells
    tuned = _tuned(chosen.tuned, given.studies)
    evidence = gather(runs, expected=cells.expected, faults=given.errors, searched=cells.searched, tuned=tuned)
    return given, with_looks(evidence, given.journals)


def _tuned(asked: Sequence[str] | None, studies: Sequence[Study]) -> tuple[str, ...]:
    """Return the settings that were tuned for each arm: those of --tuned, or else of the studies' declarations."""
    return tuple(dict.fromkeys(asked if asked is not None else (key for study in studies for key in study.tuned)))


def read_sources(what: Sequence[str], runs: str | None = None) -> Given:
    """Read all sources of the command line.

    Raises:
        ConfigError: a path does not exist, or nothing has a record.
    """
    from poolab.study.folders import KEY, expanded, runs_folder
    from poolab.study.sweep.cells import ASSIGNMENT
    from poolab.study.sweep.sweep_file import read_study

    extra = [word for word in what if ASSIGNMENT.fullmatch(word) and not Path(word).exists()]
    paths = [expanded(word) for word in what if word not in extra]
    files = [path for path in paths if path.suffix in STUDIES]
    given = Given(studies=[read_study(path) for path in files])
    if extra and not files:
        raise ConfigError(f"{extra[0]} is a setting of a study's cells, and no study file is named")
    for path in paths:
        if path in files:
            continue
        if not path.exists():
            raise ConfigError(f"{path} does not exist; name a study file, a folder of runs, or a file of records")
        _read(path, given)
    folders = [runs_folder(study, runs, extra) for study in given.studies]
    if folders and (runs is not None or not given.sources):
        for folder in dict.fromkeys(folders):
            _read(folder, given)
        given.journals = list(zip(given.studies, folders, strict=True))
    _keep_cells(given, folders, [word for word in extra if not word.startswith(KEY)])
    given.title = ", ".join([study.name for study in given.studies] or [path.name or str(path) for path in paths])
    if not any(records for _, records in given.sources):
        where = " and ".join(name for name, _ in given.sources)
        raise ConfigError(
            f"there are no records{' of the study' if files else ''} in {where}: make some with train.py or "
            "`poolab study run`, or name their folder"
        )
    return given


def _read(path: Path, given: Given) -> None:
    from poolab.records import gather

    records, errors = gather(path)
    given.sources.append((str(path), records))
    given.errors += errors


def _keep_cells(given: Given, folders: Sequence[Path], extra: Sequence[str]) -> None:
    """Keep only the records that belong to cells of the studies."""
    from poolab.study.slurm.submission import with_added

    if not given.studies:
        return
    everything = [record for _, records in given.sources for record in records]
    for study, folder in zip(given.studies, folders, strict=True):
        given.cells.add(study, everything, with_added(folder, study.name, extra), folder)
    given.sources = [(name, given.cells.of(records)) for name, records in given.sources]


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("poolab")
    except metadata.PackageNotFoundError:
        return "unknown"


def _command_of(run: Record) -> str:
    from poolab.study.commands.rerun import command_of

    return command_of(run.config)
