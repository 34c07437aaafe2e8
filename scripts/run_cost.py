"""What a run costs beside its training: two versions of poolab in turns, in processor seconds (user and system).

    python scripts/run_cost.py run --before ../before --rounds 5 data=digits trainer.epochs=3 tracker=none
    python scripts/run_cost.py study sweeps/demo.yaml --before ../before --rounds 3 --workers 2
    python scripts/run_cost.py layout --rounds 20
    python scripts/run_cost.py precision --rounds 20

`run` makes the run as the fork server of a study does: the imports are done, then a process is forked. Its overhead is
all but `Trainer.fit` (with its validation) and `Trainer.test`. `--before` names a checkout of another version; without
it there is one column. Processor seconds do not count the time in which a process waits for a core, but they grow by a
tenth and more beside other work: compare within one call.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
BATCHES = {
    "keras_cnn": 128,
    "torch_cnn": 64,
    "vgg_small": 16,
    "resnet20": 32,
    "resnet18_cifar": 8,
    "airbench94": 32,
    "unet": 16,
}


def main() -> int:
    """Measure what the command line names, and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "study", "layout", "precision", "forked"))
    parser.add_argument("words", nargs="*", metavar="key=value|FILE")
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="of `study` (default: 2)")
    chosen = parser.parse_intermixed_args()
    if chosen.what in ("layout", "precision"):
        steps(chosen.what, chosen.words or list(BATCHES), chosen.rounds)
    elif chosen.what == "forked":
        print(json.dumps(forked(chosen.words)))
    else:
        compared(chosen)
    return 0


def compared(chosen: argparse.Namespace) -> None:
    """Run both versions in turns; print the median and the range of each figure, and of the ratio of each round."""
    trees = {"before": chosen.before, "after": HERE} if chosen.before else {"after": HERE}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for number in range(chosen.rounds):
        for name in sorted(trees, reverse=bool(number % 2)):  # each goes first in every second round
            take = _study if chosen.what == "study" else _run
            found[name].append(take(trees[name], chosen, number))
    for figure in found["after"][0]:
        print(
            f"{figure:12}" + "".join(f"  {name} {_words([one[figure] for one in of])}" for name, of in found.items()),
            end="",
        )
        if chosen.before:
            pairs = zip(found["before"], found["after"], strict=True)
            print(f"  ratio {_words([after[figure] / before[figure] for before, after in pairs])}", end="")
        print()


def _run(tree: Path, chosen: argparse.Namespace, number: int) -> dict[str, float]:
    command = [sys.executable, __file__, "forked", *chosen.words, f"seed={number}"]
    done = subprocess.run(command, env=_environment(tree), capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _study(tree: Path, chosen: argparse.Namespace, number: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        words = ["study", "run", *chosen.words, "--workers", str(chosen.workers), "--runs", folder, "--no-report"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        # In the tree, whose own train.py the study's file names: another one would be run as any other program is.
        subprocess.run(
            [sys.executable, "-m", "poolab", *words], cwd=tree, env=_environment(tree), capture_output=True, check=True
        )
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "seconds": seconds}


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree.resolve() / "src")}


def forked(words: Sequence[str]) -> dict[str, float]:
    """Return the processor seconds of one run in a forked process: whole, training and validation, test, the rest."""
    from poolab.configuration import compose
    from poolab.study.runner.child import import_for_runs, settle

    import_for_runs("none" if "tracker=none" in words else "wandb")
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        tree = compose([*words, f"runs_dir={folder}", "trainer.progress_bar=false"])
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.write(writing, json.dumps(_watched(tree, settle)).encode())
            os._exit(0)
        os.waitpid(child, 0)
    figures: dict[str, float] = json.loads(os.read(reading, 1 << 16))
    return figures


def _watched(tree: Mapping[str, Any], settle: Callable[[], None]) -> dict[str, float]:
    import pytorch_lightning as pl

    from poolab.training import run_command

    figures = dict.fromkeys(("fit", "test"), 0.0)

    def watch(name: str) -> None:
        method = getattr(pl.Trainer, name)

        def timed(*given: Any, **named: Any) -> Any:
            start = _cpu()
            try:
                return method(*given, **named)
            finally:
                figures[name] += _cpu() - start

        setattr(pl.Trainer, name, timed)

    for name in figures:
        watch(name)
    settle()
    code = run_command(tree)
    assert code == 0
    whole = _cpu()
    return {"whole": whole, **figures, "overhead": whole - sum(figures.values())}


def _cpu() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def steps(what: str, names: Sequence[str], rounds: int) -> None:
    """Print the ms of a training step of each network in two ways, in turns, on one thread: layouts, or precisions."""
    import torch

    torch.set_num_threads(1)
    contiguous, last = torch.contiguous_format, torch.channels_last
    ways: dict[str, tuple[Any, bool]] = {
        "layout": {"contiguous": (contiguous, False), "channels_last": (last, False)},
        "precision": {"float32": (last, False), "bf16-mixed": (last, True)},
    }[what]
    for name in names:
        made = {way: _step(name, *settings) for way, settings in ways.items()}
        times: dict[str, list[float]] = {way: [] for way in made}
        for _ in range(rounds):
            for way, step in made.items():
                start = time.process_time()
                step()
                times[way].append(1e3 * (time.process_time() - start))
        first, second = times.values()
        ratios = [after / before for before, after in zip(first, second, strict=True)]
        figures = "".join(f"  {way} {_words(own)}" for way, own in times.items())
        print(f"{name:28}{figures}  ratio {_words(ratios)}", flush=True)


def _step(name: str, layout: Any, is_bfloat16: bool) -> Callable[[], None]:
    import torch

    from poolab.backbones import create_backbone

    batch, size = BATCHES.get(name, 8), 32 if name in BATCHES else 64
    network = create_backbone(name, in_channels=3, num_classes=10, image_size=size, seed=0).to(memory_format=layout)
    images = torch.randn(batch, 3, size, size).to(memory_format=layout)
    labels = torch.zeros((batch, size, size) if network.task == "segmentation" else (batch,), dtype=torch.int64)
    optimizer = torch.optim.Adam(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bfloat16):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()

    step()
    return step


def _words(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    sys.exit(main())
