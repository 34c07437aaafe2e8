"""The arguments of `poolab study submit`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.study.folders import without_folder
from poolab.text import printable

if TYPE_CHECKING:
    from poolab.study.sweep.sweep_file import Study


def words(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments; those named as an option of sbatch have the same meaning."""
    add = parser.add_argument
    add("--partition", metavar="P", help="partition of the jobs (default: the cluster's)")
    add(
        "--time",
        metavar="T",
        required=True,
        help="time limit of a job, e.g. 4:00:00; an unfinished cell resumes in a new job",
    )
    add("--gpus-per-node", type=int, metavar="N", help="GPUs, one process for each (default: one process on the CPU)")
    add("--nodes", type=int, default=1, metavar="M", help="nodes for one cell (default: 1)")
    add("--tasks-per-node", type=int, metavar="N", help="processes on a node without GPUs (default: 1)")
    add("--cpus-per-task", type=int, default=1, metavar="C", help="CPUs and torch threads of a process (default: 1)")
    add("--mem", metavar="M", help="memory of a node, e.g. 16G")
    add("--account", metavar="A", help="account that is charged")
    add("--qos", metavar="Q", help="quality of service")
    add("--constraint", metavar="F", help="features that the nodes must have")
    add("--max-parallel", type=int, metavar="K", help="largest number of cells at the same time")
    add("--restarts", type=int, default=20, metavar="N", help="how often a stopped cell is resumed (default: 20)")
    add(
        "--setup",
        action="append",
        default=[],
        metavar="FILE|LINE",
        help="lines for the batch script, e.g. 'module load cuda'",
    )
    add(
        "--sbatch",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another option of sbatch, e.g. mail-type=END",
    )
    add("--dry-run", action="store_true", help="print the batch script and what would be submitted; needs no SLURM")


def submit(chosen: argparse.Namespace, study: "Study", runs: Path) -> int:
    """Submit the study.

    Raises:
        PoolabError: what cannot be run, with all errors, or SLURM's refusal.
    """
    from poolab.study.slurm.resources import Resources
    from poolab.study.slurm.submit import submit

    plain = ("time", "partition", "nodes", "tasks_per_node", "gpus_per_node", "cpus_per_task", "mem", "account", "qos")
    named = (*plain, "constraint", "max_parallel", "restarts")
    resources = Resources(
        **{name: getattr(chosen, name) for name in named},
        setup=tuple(Path(text).read_text() if Path(text).is_file() else text for text in chosen.setup),
        sbatch=tuple(chosen.sbatch),
    )
    sent = submit(study, without_folder(chosen.extra), resources, runs, chosen.dry_run)
    if chosen.dry_run:
        for _, script in sent.arrays:
            print(script)
    print(printable(str(sent)))
    return 0
