"""The batch script of an array: fixed paths, quoted, and SLURM's own variables. It contains no value of a cell."""

import shlex
import sys
from pathlib import Path

from poolab.study.slurm.cell import REQUEUE
from poolab.study.slurm.resources import Resources
from poolab.study.slurm.submission import Submission

TEMPLATE = """\
#!/bin/bash
{options}
# {count} cells of {study}, one in each job of the array; their arguments are in {name}.
{setup}
set +e
# By number and index: the last job of an array has the array's number, and would speak for all of them.
own="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
echo "poolab: job $own begins on $SLURM_JOB_NODELIST, restart ${{SLURM_RESTART_COUNT:-0}}"
trap 'echo "poolab: SLURM ends the job; waiting for its checkpoint"' TERM
srun --export=ALL --kill-on-bad-exit=1 --cpus-per-task={cpus} {python} -P -m poolab.study.slurm.cell {cells}
code=$?

# {requeue}: a signal asked the run to stop, and it has written its checkpoint (138, 143: the signal came before it
# listened). When SLURM itself ends the job, for a preemption or scancel, it is not RUNNING any more, and stays SLURM's.
case $code in {requeue} | 138 | 143)
    if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {restarts} ]; then
        echo "poolab: stopped again after {restarts} restarts, and not requeued; submit the study again to go on"
    elif [ "$(squeue --noheader --jobs="$own" --format=%T)" = RUNNING ]; then
        echo "poolab: requeued"
        scontrol requeue "$own"
    fi ;;
esac
exit $code
"""


def batch_script(submission: Submission, resources: Resources, study: str, cwd: Path) -> str:
    """Return the text of a submission's batch script."""
    lines = [f"#SBATCH --{key}" + ("" if value is None else f"={_quoted(value)}") for key, value in _options(
        submission, resources, study, cwd
    )]  # fmt: skip
    return TEMPLATE.format(
        options="\n".join(lines),
        count=len(submission.cells),
        study=_comment(study),
        name=submission.path.name,
        setup="".join(f"\n{text.rstrip()}\n" for text in resources.setup),
        cpus=resources.cpus_per_task,
        python=shlex.quote(sys.executable),
        cells=shlex.quote(str(submission.path)),
        requeue=REQUEUE,
        restarts=resources.restarts,
    )


def option_names(resources: Resources) -> list[str]:
    """Return the options of sbatch that the script sets."""
    named = [key for key, _ in resources.options]
    return [
        "job-name",
        "array",
        "nodes",
        "ntasks-per-node",
        "requeue",
        "open-mode",
        "signal",
        "chdir",
        "output",
        *named,
    ]


def _options(submission: Submission, resources: Resources, study: str, cwd: Path) -> list[tuple[str, str | None]]:
    together = f"%{resources.max_parallel}" if resources.max_parallel else ""
    return [
        ("job-name", f"poolab-{study}"),
        ("array", f"0-{len(submission.cells) - 1}{together}"),
        ("nodes", str(resources.nodes)),
        ("ntasks-per-node", str(resources.tasks)),
        ("requeue", None),
        ("open-mode", "append"),
        ("signal", f"USR1@{resources.warning}"),
        ("chdir", str(cwd)),
        ("output", f"{_literal(submission.logs)}/%a.log"),
        *resources.options,
    ]


def _quoted(value: str) -> str:
    """Return a value quoted as sbatch reads it in a script's line: like a shell, but without joining quoted parts."""
    return value if shlex.quote(value) == value else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(path: Path) -> str:
    """Return a path in which sbatch replaces nothing."""
    return str(path).replace("%", "%%")


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
