"""`poolab study table`: the arms of a study beside a baseline, on the terminal, as Markdown, as CSV."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from poolab.errors import ConfigError
from poolab.study.commands.looks import remember, with_looks
from poolab.study.folders import without_folder
from poolab.study.sweep.sweep_file import Study


def words(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "--baseline",
        metavar="ARM",
        help="the arm or pooling that the others are compared with (default: max, if there is one)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    form.add_argument("--csv", action="store_true", help="print CSV, with all digits")
    parser.add_argument(
        "--save",
        metavar="FILE",
        help="write the study's records into a file, for --runs FILE and for `poolab report FILE`",
    )


def table(chosen: argparse.Namespace, study: Study, runs: Path) -> None:
    """Print the comparison of `poolab report`, and save the records if that was asked for.

    Raises:
        PoolabError: there is no record of the study, none that can be compared, or no such baseline.
    """
    from poolab.records import differing_code, differing_content, tell
    from poolab.report import csv_tables, markdown_tables, print_tables
    from poolab.study.commands.report_verb import analysis_of
    from poolab.study.evidence import study_evidence
    from poolab.study.record_file import save_records

    evidence, own = study_evidence(study, runs, without_folder(chosen.extra))
    doubles = [f"{one.run.signature}: {one.reason}" for one in evidence.left_out if one.run.completed]
    tell([*evidence.faults, *doubles])
    if not own:
        raise ConfigError(
            f"{runs} has no record of {chosen.file}: run it, name the folder with --runs, "
            "or give the key=value words that it was run with"
        )
    if chosen.save:
        save_records(own, chosen.save, runs)
    evidence = with_looks(evidence, [(study, runs)])
    analysis = analysis_of([study], evidence, chosen)
    remember(evidence, [(study, runs)], "table")
    if chosen.csv:
        sys.stdout.write(csv_tables(analysis))
        return
    print(markdown_tables(analysis)) if chosen.markdown else print_tables(analysis)
    note = differing_code(own)
    if note:
        print(f"\n{note}")
    if differing_content(own):
        print("\nThe records differ in the content of their data or weights: each content has a table of its own.")
