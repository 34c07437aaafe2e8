"""The outcome of a job that left no result: from SLURM if it still knows the job, else from the log."""

import re
from pathlib import Path

from poolab.study.slurm.queue import Queue

BEGINS = "poolab: job "  # the batch script's first words of every start
STOPPED = "exit code 85: "  # it was asked to stop, and its record says why
SLURM = re.compile(r"(srun|slurmstepd[\w.-]*|slurmd\S*): ")
TASK = re.compile(r"srun: error: \S+: tasks? ([\d,-]+): (.+)")
TAIL = 8192  # bytes of a log that are read


def job_ending(queue: Queue, signature: str, record: Path) -> tuple[str, str] | None:
    """Return the state of a run whose last job has ended, and why; None if none began, or if its record says it.

    A record that is newer than the log is of somebody else's attempt, after the job's.
    """
    submitted = queue.submitted.get(signature)
    if submitted is None:
        return None
    index = submitted.indices[signature]
    log = submitted.logs / f"{index}.log"
    if not log.exists() or (record.exists() and record.stat().st_mtime > log.stat().st_mtime):
        return None
    task = queue.tasks.get(signature)
    words, job = log_words(log), f"{submitted.job}_{index}"
    state = task.state if task is not None else queue.accounted.get(job, "")
    if state == "CANCELLED" or (not state and words.startswith("cancelled")):
        return "interrupted", f"job {job} was cancelled"
    if words.startswith(STOPPED):
        return None
    return "failed", f"job {job}{f' ({state})' if state else ''}: {words or 'it ended without a record'}"


def log_words(log: Path) -> str:
    r"""Return why a job ended without a record, from the last lines of its log: a killed task, or its last output.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "0.log"
    ...     _ = path.write_text("ValueError: no\nsrun: error: n1: task 0: Exited with exit code 1\n")
    ...     log_words(path)
    'exit code 1: ValueError: no'
    """
    lines = _last_start(log)
    told = [line for line in lines if SLURM.match(line)]
    own = next((line for line in reversed(lines) if not SLURM.match(line) and not line.startswith("poolab: SLURM")), "")
    because = next((found[1] for line in reversed(told) if (found := re.search(r"DUE TO ([A-Z ]+)", line))), "")
    if because:
        return f"ended by SLURM because of {because.strip().lower()}"
    if any("CANCELLED AT" in line and " JOB " in line for line in told):
        return "cancelled"
    ends = [found for line in told if (found := TASK.search(line))]
    if not ends:
        return own
    code = re.fullmatch(r"Exited with exit code (\d+)", ends[-1][2])
    return f"exit code {code[1]}: {own}" if code else f"task {ends[-1][1]}: {ends[-1][2].lower()}"


def _last_start(log: Path) -> list[str]:
    """Return the lines since the job began for the last time: a requeued job appends to its log."""
    try:
        with open(log, "rb") as file:
            file.seek(max(log.stat().st_size - TAIL, 0))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return []
    begins = [number for number, line in enumerate(lines) if line.startswith(BEGINS)]
    return lines[begins[-1] + 1 :] if begins else lines
