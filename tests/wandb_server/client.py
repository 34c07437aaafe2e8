"""The real client, as a user has it: `wandb sweep`, `wandb agent` and poolab in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

# The command line's agent, which asks every half second for what is next, and not every five.
WANDB = "from wandb import wandb_agent; wandb_agent.Agent.POLL_INTERVAL = 0.5; from wandb.cli.cli import cli; cli()"


class Client:
    """Starts programs in a folder, with an environment that knows one server."""

    def __init__(self, server, folder):
        self.server, self.folder = server, Path(folder)
        binaries = str(Path(sys.executable).parent)  # an agent starts the first `python` of PATH
        own = {"PATH": f"{binaries}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.environment = {**os.environ, **server.client(folder), **own}

    def start(self, *words, **more):
        """A process of `python ...`, whose output can be read."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        environment = {**self.environment, **more}
        return subprocess.Popen([sys.executable, *map(str, words)], env=environment, cwd=self.folder, **pipes)

    def run(self, *words, code=0, **more):
        """`python ...` to its end: what it printed."""
        process = self.start(*words, **more)
        told = process.communicate(timeout=200)[0]
        assert process.returncode == code, told
        return told

    def poolab(self, *words, **more):
        """`poolab ...` to its end: what it printed."""
        return self.run("-m", "poolab", *words, **more)

    def sweep(self, file):
        """`wandb sweep FILE`: the sweep, as the server has it, and what was printed."""
        before = set(self.server.sweeps)
        told = self.run("-m", "wandb", "sweep", file)
        (name,) = set(self.server.sweeps) - before
        return self.server.sweeps[name], told

    def agent(self, sweep, **more):
        """A process of `wandb agent`."""
        return self.start("-c", WANDB, "agent", f"{sweep.entity}/{sweep.project}/{sweep.id}", **more)


def as_sent(config):
    """A configuration as it arrives: the client leaves empty mappings out (`pooling.at`)."""
    own = {key: as_sent(value) if isinstance(value, dict) else value for key, value in config.items()}
    return {key: value for key, value in own.items() if value != {}}
