"""data.batch_size=auto: what is found, where the number goes, what is refused; trials end where the memory does."""

import json
import platform
import sys
from pathlib import Path

import pytest

from poolab.cli import main
from poolab.configuration import compose
from poolab.errors import ConfigError, PoolabError
from poolab.run_config import RunConfig
from poolab.training import batch_size, batch_trials, check_settings
from poolab.training.batch_size import Found, with_batch_size
from poolab.training.batch_trials import Trials
from poolab.training.build import build
from poolab.training.free_memory import free_memory

GIB = 2**30


@pytest.fixture
def searched(monkeypatch):
    """The search without its process: how often it was asked, and what it finds."""
    asked = []

    def search(tree, runs_dir):
        asked.append(tree)
        return Found(64, "a step takes 1 GB of 2", "128 do not fit", platform.node())

    monkeypatch.setattr(batch_size, "_search", search)
    return asked


def test_a_run_has_the_number_as_its_batch_size_and_as_its_identity(searched, launched, tmp_path, capsys):
    record, folder, fresh = launched(tmp_path, "data.batch_size=auto")
    assert fresh
    assert record.config["data"]["batch_size"] == 64
    assert record.environment["batch_size_found"] == (
        "data.batch_size=auto found 64: a step takes 1 GB of 2; 128 do not fit"
    )
    assert "poolab: data.batch_size=auto found 64" in capsys.readouterr().err
    same = launched(tmp_path, "data.batch_size=64")
    assert same[1:] == (folder, False), "typed as a number it is the same run"


def test_the_same_command_finds_its_run_again_without_a_search(searched, launched, tmp_path, capsys):
    first = launched(tmp_path, "data.batch_size=auto")[1]
    capsys.readouterr()
    assert launched(tmp_path, "data.batch_size=auto")[1:] == (first, False)
    assert len(searched) == 1
    assert "(found earlier; force=true measures anew)" in capsys.readouterr().err
    launched(tmp_path, "data.batch_size=auto", "pooling=avg")
    assert len(searched) == 2, "another network is another search"
    launched(tmp_path, "data.batch_size=auto", "force=true")
    assert len(searched) == 3


def test_a_number_that_another_machine_found_is_not_taken(searched, configured, tmp_path):
    with_batch_size(configured(tmp_path, "data.batch_size=auto"))
    (path,) = (tmp_path / ".batch_sizes").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": "elsewhere"}))
    with_batch_size(configured(tmp_path, "data.batch_size=auto"))
    assert len(searched) == 2


def test_a_number_stays_and_costs_nothing(searched, configured, tmp_path):
    tree = configured(tmp_path)
    assert with_batch_size(tree) is tree
    assert not searched
    assert not (tmp_path / ".batch_sizes").exists()


@pytest.mark.parametrize("words", [["trainer.devices=2"], ["trainer.strategy=ddp"], ["trainer.devices=auto"]])
def test_several_processes_are_refused(searched, configured, tmp_path, words):
    with pytest.raises(
        ConfigError, match=r"measures one process on one device: find the number with trainer\.devices=1"
    ):
        with_batch_size(configured(tmp_path, "data.batch_size=auto", *words))


def test_runs_that_are_compared_are_refused(searched, configured, tmp_path, monkeypatch, capsys):
    said = "is auto, which finds a number for one run of `poolab train`. In a study, sweep or multirun"
    with pytest.raises(ConfigError, match=said):
        check_settings(compose(["data.batch_size=auto"]))  # as a study's plan does
    monkeypatch.chdir(tmp_path)
    assert main(["train", "-m", "pooling=max,avg", "data.batch_size=auto", "tracker=none"]) == 2
    assert said in capsys.readouterr().err
    Path("s.yaml").write_text("program: train.py\nmethod: grid\nparameters: {data.batch_size: {value: auto}}\n")
    assert main(["study", "plan", "s.yaml"]) == 2
    assert said in capsys.readouterr().err
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    with pytest.raises(ConfigError, match=said):
        with_batch_size(configured(tmp_path, "data.batch_size=auto"))
    assert not searched


def test_shapes_need_no_number(capsys):
    assert main(["shapes", "data.batch_size=auto"]) == 0
    assert "pool1" in capsys.readouterr().out


def test_other_faults_are_told_before_anything_is_tried(searched, configured, tmp_path):
    config = configured(tmp_path, "data.batch_size=auto")
    config["optim"]["lr"] = -1.0
    with pytest.raises(ConfigError, match=r"optim\.lr must be a number > 0"):
        with_batch_size(config)
    assert not searched


# -- trials


@pytest.fixture
def trials(configured, tmp_path, monkeypatch):
    """Trials of a tiny run; with `room`, as much memory as that many bytes, of which an image takes a million."""

    def make(*words, room=None):
        config = RunConfig.from_tree(configured(tmp_path, "data.batch_size=2", *words))
        one = Trials(config, build(config))
        if room is not None:
            one.bound = room
            steps = []
            monkeypatch.setattr(one, "_steps", steps.append)

            class Peak:
                def __init__(self, device):
                    self.bytes = 0

                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    self.bytes = 5_000_000 + 1_000_000 * steps[-1]

            monkeypatch.setattr(batch_trials, "PeakMemory", Peak)
            one.tried = steps
        return one

    return make


@pytest.mark.filterwarnings("ignore")  # Lightning's hints, which a run leaves out
def test_steps_are_trained_at_each_size_up_to_the_training_split(trials):
    found = list(trials("data.limit_train=20", "data.val_fraction=0.5", "pooling=stochastic").all())
    assert [(line["size"], line["fits"]) for line in found] == [(2, True), (4, True), (8, True), (16, False)]
    assert found[-1]["why"] == "the training split has 10 images"
    assert all(line["memory"].startswith("a step takes ") for line in found[:-1])


@pytest.mark.parametrize(
    ("room", "largest", "tried"),
    [
        (25_000_000, 16, [2, 4, 8, 16]),  # 32 would take 37 MB: told from the two before, and not tried
        (37_000_000, 32, [2, 4, 8, 16, 32]),
        (8_000_000, 2, [2, 4]),  # of 4, which is tried since one size says nothing of the next
    ],
)
def test_the_largest_within_the_memory_is_found(trials, room, largest, tried):
    one = trials(room=room)
    found = list(one.all())
    assert [line["size"] for line in found if line["fits"]][-1] == largest
    assert one.tried == tried
    assert found[-1]["size"] == 2 * largest


NO_MEMORY = (
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
)


def test_a_size_for_which_there_is_no_memory_ends_the_trials(trials, monkeypatch):
    one = trials()  # made once: it takes seconds, and keeps nothing of a trial
    for fault in NO_MEMORY:

        def steps(size, fault=fault):
            if size > 8:
                raise fault

        monkeypatch.setattr(one, "_steps", steps)
        assert list(one.all())[-1] == {"size": 16, "fits": False, "why": "16 do not fit"}, fault


def test_another_fault_is_no_lack_of_memory(trials, monkeypatch):
    one = trials()
    monkeypatch.setattr(one, "_steps", lambda size: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(one.all())


# -- the process of the search


def searching(tmp_path, monkeypatch, text):
    """Let a program take the place of the trials: argv[2] is the file of the lines."""
    program = tmp_path / "program.py"
    program.write_text(text)
    run = batch_size.subprocess.run
    monkeypatch.setattr(
        batch_size.subprocess,
        "run",
        lambda command, **how: run([sys.executable, str(program), *command[3:]], **how),
    )
    return batch_size._search({}, tmp_path / "runs")


LINE = 'open(sys.argv[2], "a").write(json.dumps({"size": 8, "fits": True, "memory": "m"}) + "\\n")\n'


def test_a_process_that_the_system_ends_has_found_the_size_before(tmp_path, monkeypatch):
    found = searching(tmp_path, monkeypatch, f"import json, os, sys\n{LINE}os.kill(os.getpid(), 9)\n")
    assert (found.batch_size, found.memory) == (8, "m")
    assert found.limit == "the system ended the attempt with 16 (exit code -9)"
    assert list((tmp_path / "runs").iterdir()) == []


def test_where_nothing_fits_the_reason_is_told(tmp_path, monkeypatch):
    with pytest.raises(PoolabError, match="a batch of 2 images cannot be trained: ValueError: no"):
        searching(tmp_path, monkeypatch, "raise ValueError('no')\n")


def test_the_search_is_done_with_the_real_network(configured, tmp_path, capsys):
    tree = with_batch_size(configured(tmp_path, "data.batch_size=auto", "data.limit_train=40", "data.val_fraction=0.5"))
    assert tree["data"]["batch_size"] == 16
    assert "the training split has 20 images" in capsys.readouterr().err


# -- memory


def test_free_memory_is_the_least_of_the_system_and_the_groups(tmp_path, monkeypatch):
    meminfo, own = tmp_path / "meminfo", tmp_path / "cgroup"
    meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable: {8 * GIB // 1024} kB\n")
    own.write_text("0::/job/step\n")
    assert free_memory(meminfo, own) == 8 * GIB
    monkeypatch.setattr("poolab.training.free_memory.CGROUPS", tmp_path / "groups")
    step = tmp_path / "groups" / "job" / "step"
    step.mkdir(parents=True)
    (step / "memory.max").write_text("max\n")
    (step / "memory.current").write_text("1\n")
    assert free_memory(meminfo, own) == 8 * GIB
    (step.parent / "memory.max").write_text(f"{4 * GIB}\n")
    (step.parent / "memory.current").write_text(f"{3 * GIB}\n")
    (step.parent / "memory.stat").write_text(f"anon 5\ninactive_file {GIB}\n")
    assert free_memory(meminfo, own) == 2 * GIB
    own.write_text("4:memory:/old\n")
    old = tmp_path / "groups" / "memory" / "old"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text(f"{GIB}\n")
    (old / "memory.usage_in_bytes").write_text("0\n")
    assert free_memory(meminfo, own) == GIB
