import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from poolab.report.statistics import ArmScores

ROOT = Path(__file__).parents[3]
# The simulation is a script's, not the wheel's.
sys.path.insert(0, str(ROOT / "scripts"))


@pytest.fixture(scope="session")
def committed() -> list[ArmScores]:
    """The arms of the committed study in keras_cnn: eight paired seeds."""
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    with gzip.open(ROOT / "benchmarks" / "pooling_cifar10.jsonl.gz", "rt") as lines:
        for line in lines:
            record = json.loads(line)
            pooling = record["config"]["pooling"]
            if record["config"]["backbone"]["name"] == "keras_cnn":
                name = f"avg_topk k={pooling['k']}" if pooling["name"] == "avg_topk" else pooling["name"]
                scores[name][record["seed"]] = record["metrics"]["test/accuracy"]
    return [ArmScores(name, found, examples=10_000) for name, found in scores.items()]
