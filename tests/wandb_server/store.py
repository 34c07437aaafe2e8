"""What the server knows: runs, sweeps and agents."""

import itertools
import json
import secrets
from dataclasses import dataclass, field

import yaml


@dataclass
class Run:
    """A run as its client told it. `lines` are those of its streamed files, `files` what it uploaded whole."""

    id: str
    entity: str
    project: str
    told: dict = field(default_factory=dict)  # the variables of UpsertBucket, the last of each
    sweep: str | None = None
    state: str = "pending"  # running with the first word of its client, then finished or failed
    exit_code: int | None = None
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    sessions: int = 0  # clients that ended it

    @property
    def config(self):
        """The configuration, without the {"value": ...} around each of its values."""
        return {key: one["value"] for key, one in json.loads(self.told.get("config") or "{}").items()}

    @property
    def history(self):
        """The rows that were logged."""
        return [json.loads(line) for _, line in sorted(self.lines.get("wandb-history.jsonl", {}).items())]

    @property
    def summary(self):
        """The summary as it was last sent."""
        found = self.lines.get("wandb-summary.json", {})
        return json.loads(found[max(found)]) if found else {}

    @property
    def name(self):
        """The name that people see."""
        return self.told.get("displayName")

    @property
    def group(self):
        """The group that it is shown in."""
        return self.told.get("groupName")


@dataclass
class Sweep:
    """A sweep: its file as the client sent it, and the runs that were handed out."""

    id: str
    entity: str
    project: str
    text: str
    runs: list[Run] = field(default_factory=list)
    state: str = "RUNNING"

    @property
    def config(self):
        """The study file."""
        return yaml.safe_load(self.text)

    def next_point(self):
        """The first point of the grid that no run has in its configuration, or None.

        W&B goes by the runs' configurations and not by what it has handed out: a run that writes into a swept key makes
        its point come again (wandb issues 1379 and 11445).
        """
        parameters = self.config["parameters"]
        choices = [one["values"] if "values" in one else [one["value"]] for one in parameters.values()]
        seen = [{name: run.config.get(name) for name in parameters} for run in self.runs]
        points = (dict(zip(parameters, values, strict=True)) for values in itertools.product(*choices))
        return next((point for point in points if point not in seen), None)


@dataclass
class Artifact:
    """A version of an artifact. `files` are those that its client uploaded, `manifest` among them."""

    id: str
    run: str
    name: str
    type: str
    state: str = "PENDING"  # COMMITTED when it is whole
    files: dict[str, bytes] = field(default_factory=dict)


class Store:
    """All of it, by their names."""

    def __init__(self):
        self.runs: dict[str, Run] = {}
        self.sweeps: dict[str, Sweep] = {}
        self.agents: dict[str, Sweep] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.to_stop: set[str] = set()  # runs that their agent is to stop

    def run(self, entity, project, name):
        """The run of this name; a new one where there is none."""
        return self.runs.setdefault(name, Run(name, entity, project))

    def new_artifact(self, run, name, kind):
        """A version of an artifact, whose files are still to come."""
        artifact = Artifact(secrets.token_hex(4), run, name, kind)
        self.artifacts[artifact.id] = artifact
        return artifact

    def new_sweep(self, entity, project, text):
        """A sweep from a study file."""
        sweep = Sweep(secrets.token_hex(4), entity, project, text)
        self.sweeps[sweep.id] = sweep
        return sweep

    def hand_out(self, sweep, point):
        """A run of the sweep for this point: it has the point's configuration before its client has said a word."""
        run = self.run(sweep.entity, sweep.project, secrets.token_hex(4))
        run.told["config"] = json.dumps({key: {"value": value} for key, value in point.items()})
        run.sweep = sweep.id
        sweep.runs.append(run)
        return run
