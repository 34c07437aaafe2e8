"""Records of generated runs: as a folder of runs has them, without anything having run."""

import hashlib
import json
from pathlib import Path

import numpy as np

from poolab.records import Record, signature
from poolab.report.analysis import analyse
from poolab.report.document import Document
from poolab.report.gathering import gather


def record(pooling="max", seed=0, score=0.5, *, status="completed", metric="test/accuracy", **changes):
    """A record; `changes` are dotted settings with __ for the dot, or parts of the environment (commit=...)."""
    config = {
        "task": changes.pop("task", "classification"),
        "seed": seed,
        "pooling": {"name": pooling},
        "head": {"name": "gap"},
        "backbone": {"name": "keras_cnn", "match": None, "match_to": None},
        "data": {"name": "digits", "batch_size": 32, "limit_train": None, "limit_test": None},
        "optim": {"name": "adam", "lr": 0.001, "schedule": "cosine", "weight_decay": 0.0},
        "trainer": {"epochs": 3, "precision": "32-true", "threads": 1},
        "measure": {"name": "none"},
    }
    environment = {"commit": "abc", "dirty": False, "packages": {"poolab": "0.1.0", "torch": "2.14.0"},
                   "device": "cpu", "processor": "AMD EPYC", "threads": 1, "python": "3.11.7", "platform": "Linux",
                   "data_fingerprint": "digits-1"}  # fmt: skip
    extra = changes.pop("metrics", {})
    for name, value in changes.items():
        group, _, key = name.partition("__")
        if key:
            config[group][key] = value
        else:
            environment[name] = value
    metrics = {metric: score, **extra} if status == "completed" else {}
    name = signature(config, str(environment.get("data_fingerprint")) + str(environment.get("weights_sha256", ""))
                     + str(environment.get("source_sha256", "")))  # fmt: skip
    return {"schema_version": 1, "signature": name, "status": status, "seed": seed, "config": config,
            "metrics": metrics, "notes": {}, "environment": environment,
            "reason": None if status == "completed" else f"it {status}",
            "started": f"2026-01-01T10:00:{seed % 60:02d}+00:00", "ended": "2026-01-01T10:10:00+00:00"}  # fmt: skip


def study(arms, **changes):
    """Records of arms, each with its scores by seed."""
    return [record(name, seed, score, **changes) for name, scores in arms.items() for seed, score in enumerate(scores)]


def drawn(means, seeds, spread=0.01, shared=0.8, seed=0):
    """Scores of arms with these true means, whose seeds share a part of their chance."""
    random = np.random.default_rng(seed)
    common = random.normal(size=seeds)
    own = {name: random.normal(size=seeds) for name in means}
    return {name: [float(mean + spread * (np.sqrt(shared) * common[i] + np.sqrt(1 - shared) * own[name][i]))
                   for i in range(seeds)] for name, mean in means.items()}  # fmt: skip


def read(records, where="runs"):
    """The records of their JSON, as a reader of this place gives them."""
    return [Record.from_json(one, where=where, whole=True) for one in records]


def evidence(records, **options):
    """The evidence of records that lie in one place."""
    return gather(read(records), **options)


def answer(records, *, expected=(), searched=False, **options):
    """The analysis of records."""
    return analyse(evidence(records, expected=expected, searched=searched), **options)


def document(analysis, **options):
    """A document of an analysis."""
    return Document(analysis, title=options.pop("title", "a study"), command="poolab report runs", version="0.1.0",
                    **options)  # fmt: skip


def saved(records, path):
    """Write records as `poolab study table --save` does, without leaving anything out."""
    Path(path).write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def tag(text):
    """Twelve hexadecimal digits for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
