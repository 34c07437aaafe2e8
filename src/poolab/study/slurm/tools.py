"""Call SLURM's programs with lists of arguments."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from poolab.errors import PoolabError

SECONDS = 60  # for an answer; a controller that is restarting takes some


class SlurmError(PoolabError):
    """SLURM does not answer, or refuses."""


def there(program: str) -> bool:
    """Return True if a program of SLURM is on the PATH."""
    return shutil.which(program) is not None


def call(words: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    """Return the output of a program.

    Raises:
        SlurmError: it is not there, does not answer, or ends badly, in its own words.
    """
    try:
        done = subprocess.run(
            list(words), capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, env=environ
        )
    except FileNotFoundError:
        raise SlurmError(f"{words[0]} is not on the PATH: this machine is not part of a SLURM cluster") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{words[0]} has not answered for {SECONDS} s") from None
    if done.returncode != 0:
        told = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SlurmError(told if told.startswith(words[0]) else f"{words[0]}: {told}")
    return done.stdout


def clean_environment(options: Sequence[str]) -> dict[str, str]:
    """Return the environment for sbatch, without variables that would override the script's lines.

    Args:
        options: names that the script sets.
    """
    odd = {"array": "ARRAY_INX", "time": "TIMELIMIT", "nodes": "NODES", "mem": "MEM_PER_NODE"}
    taken = {f"SBATCH_{odd.get(name, name.upper().replace('-', '_'))}" for name in options} | {"SBATCH_NO_REQUEUE"}
    kept = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT")
    processes = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return {
        key: value
        for key, value in os.environ.items()
        if key not in taken and key not in processes and (not key.startswith("SLURM") or key in kept)
    }
