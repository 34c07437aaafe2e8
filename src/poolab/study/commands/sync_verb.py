"""The arguments of `poolab study sync`."""

import argparse
from pathlib import Path

from poolab.errors import ConfigError


def words(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    from poolab.study.wandb.sync import PATIENCE

    parser.add_argument("--project", metavar="NAME", help="W&B's project (default: the run's own)")
    parser.add_argument(
        "--entity", metavar="NAME", help="W&B's user or team (default: the run's, or that of the API key)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be uploaded, and stop")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="S",
        help=f"seconds without progress after which an upload is given up (default: {PATIENCE:g})",
    )


def sync(chosen: argparse.Namespace, runs: Path) -> int:
    """Upload the runs of a folder, or of one study; the exit code is 0 when all are uploaded, 130 when stopped, else 1.

    Raises:
        PoolabError: there is no key, no server, or another sync is at work.
    """
    from poolab.study.wandb.ledger import due
    from poolab.study.wandb.sync import sync as upload

    runs, signatures = _named(chosen, runs)
    if not runs.is_dir():
        raise ConfigError(f"there is no folder {runs}: name that of the runs, poolab study sync DIR")
    if chosen.dry_run:
        left, outcome = due(runs, signatures)
        for one in left:
            print(one.path)
        outcome.left = len(left)
        print(outcome)
        return 0
    options = [f"--{name}={getattr(chosen, name)}" for name in ("project", "entity") if getattr(chosen, name)]

    def report(done: int, total: int) -> None:
        if done < total:
            print(f"{done} of {total}", flush=True)

    outcome = upload(runs, signatures, options=options, patience=chosen.patience, report=report)
    print(outcome)
    return outcome.code


def _named(chosen: argparse.Namespace, runs: Path) -> tuple[Path, list[str] | None]:
    """Return the folder of the runs, and the signatures of a study file's runs (None: all runs)."""
    if chosen.file is None:
        return runs, None
    if Path(chosen.file).is_dir():
        if chosen.runs:
            raise ConfigError(f"{chosen.file} and --runs {chosen.runs} name two folders: leave one out")
        return Path(chosen.file), None
    from poolab.records import run_folder
    from poolab.study.plan.cache import expected
    from poolab.study.sweep.sweep_file import read_study

    study = read_study(chosen.file)
    if not study.trains:
        raise ConfigError(
            f"{chosen.file} runs {study.program}, whose runs have no folders: only train.py's can be uploaded"
        )
    extra = [text for text in chosen.extra if not text.startswith("runs_dir=")]
    return runs, [run_folder(runs, run.names).signature for run in expected(study, runs, extra)]
