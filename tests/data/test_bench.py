import json
import re
import subprocess
import sys
from pathlib import Path

from poolab.data import bench

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"


def test_help_answers_without_torch():
    command = [sys.executable, "-X", "importtime", SCRIPT, "data", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--json" in done.stdout
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)


def test_both_paths_are_measured_and_written_down(tmp_path, capsys):
    import argparse

    import torch

    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    out = tmp_path / "data.json"
    before = torch.get_num_threads()
    try:
        arguments = parser.parse_args(["--batch-size", "32", "--rounds", "3", "--json", str(out)])
        assert arguments.run(arguments) == 0
    finally:
        torch.set_num_threads(before)
    result = json.loads(out.read_text())
    assert (result["threads"], result["batch_size"], result["rounds"]) == (1, 32, 3)
    loop, batched = result["torchvision_loop"]["median"], result["poolab_batched"]["median"]
    # The ratio of 512 images is 20 and more; of 32 images on a busy machine this much is certain.
    assert batched > 2 * loop > 0
    assert result["ratio"]["quartile_low"] <= result["ratio"]["median"] <= result["ratio"]["quartile_high"]
    shown = capsys.readouterr().out
    assert "times as fast" in shown
    assert "1 torch thread" in shown


def test_the_batched_path_runs_over_epochs_and_gives_network_input():
    split = bench._random_split(70)
    step = bench._batched(split, 32, "cpu")
    batches = [step() for _ in range(5)]
    assert {tuple(batch.shape) for batch in batches} == {(32, 3, 32, 32)}
    assert not (batches[0] == batches[2]).all()
