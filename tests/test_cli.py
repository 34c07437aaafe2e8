"""The commands that people type: what they print, what they refuse, and their exit codes."""

import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from poolab import cli
from poolab.configuration import config_dir
from poolab.training.module import Classifier


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("learning_curves", "sample_grid"):
        monkeypatch.setattr(f"poolab.training.pictures.{name}", lambda *_: None)


@pytest.fixture
def train(tiny, tmp_path, capsys):
    """`train.py` in this process: its exit code, and what it printed to stdout and stderr."""

    def call(*arguments):
        flags = [argument for argument in arguments if argument.startswith("-")]
        overrides = [argument for argument in arguments if argument not in flags]
        code = cli.train([*flags, *tiny, f"runs_dir={tmp_path}/runs", *overrides])
        return code, *capsys.readouterr()

    return call


def results(tmp_path):
    return [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/result.json")]


def images(root, *, classes=("cat", "dog"), channels="RGB", size=(16, 16)):
    for split, count in (("train", 24), ("test", 4)):
        for number, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                grey = (number * 120 + index * 3) % 256
                Image.new(channels, size, grey if channels == "L" else (grey,) * 3).save(
                    root / split / name / f"{index}.png"
                )
    return root


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))
    root = images(tmp_path / "images")
    tree = ["data=image_folder", f"data.root={root}", "data.limit_train=null", "data.limit_test=null"]
    return root, [*tree, "data.image_size=null", "data.batch_size=16"]


# --- runs ---------------------------------------------------------------------------------------------------------


def test_a_run_shows_its_progress_its_figures_and_its_record(train, tmp_path):
    code, out, err = train("trainer.epochs=1")
    assert code == 0
    (result,) = results(tmp_path)
    lines = out.splitlines()
    assert lines[0].startswith("keras_cnn on digits, seed 0, 1 epochs")
    assert any(line.split()[0] == "test/accuracy" for line in lines[4:])
    assert lines[-1] == f"record: {tmp_path}/runs/{result['signature']}"
    assert err == ""


def test_the_same_command_again_shows_the_record(train, tmp_path):
    train("trainer.epochs=1")
    before = os.environ.copy(), list(sys.argv)
    code, out, _ = train("trainer.epochs=1")
    assert code == 0
    assert "completed earlier, not run again (force=true does)" in out
    assert "epoch " not in out
    assert (os.environ.copy(), list(sys.argv)) == before


def test_a_diverged_run_is_a_result_and_no_traceback(train, tmp_path):
    code, out, err = train("optim.lr=1e30")
    assert (code, results(tmp_path)[0]["status"]) == (0, "diverged")
    assert "diverged: the training loss became" in out
    assert "Traceback" not in out + err


def test_a_run_of_an_image_folder(train, folder, tmp_path):
    code, _, err = train(*folder[1], "trainer.epochs=1")
    assert code == 0, err
    (result,) = results(tmp_path)
    assert result["metrics"]["test/samples"] == 8
    assert {"test/class_accuracy/cat", "test/class_accuracy/dog"} <= result["metrics"].keys()


def test_a_run_says_what_its_folder_holds(train, folder, tmp_path):
    root, tree = folder
    (root / "train" / "cat" / "notes.txt").write_text("none")
    _, out, _ = train(*tree, "trainer.epochs=1")
    lines = out.splitlines()
    assert lines[3] == "images: train 48 (cat 24, dog 24), test 8 (cat 4, dog 4)"
    assert lines[4] == "left out: 1 no image (train/cat/notes.txt)"
    assert lines[5].startswith("warning: 8 of 8 test images are training images too")


def test_swapped_class_folders_are_another_run(train, folder, tmp_path):
    root, tree = folder
    train(*tree, "trainer.epochs=1")
    for split in ("train", "test"):
        one, other, between = root / split / "cat", root / split / "dog", root / split / "between"
        one.rename(between)
        other.rename(one)
        between.rename(other)
    code, out, err = train(*tree, "trainer.epochs=1")
    assert code == 0, err
    assert "completed earlier" not in out
    first, second = results(tmp_path)
    assert first["signature"] != second["signature"]
    assert first["environment"]["data_fingerprint"] != second["environment"]["data_fingerprint"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.channels=0", "data.channels"),
        ("data.image_size=50000", "8192"),
        ("data.background=pink", "'white', 'black', 'grey'"),
        ("data.root=", "data.root must be a path"),
    ],
)
def test_impossible_settings_of_a_folder_are_told(train, folder, override, words):
    code, _, err = train(*folder[1], override)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


def test_a_sweep_makes_a_record_of_each_combination(train, tmp_path):
    code, _, err = train("-m", "pooling=max,avg", "seed=0,1", "trainer.epochs=1")
    assert code == 0, err
    made = results(tmp_path)
    assert sorted((result["config"]["pooling"]["name"], result["seed"]) for result in made) == [
        *(("avg", 0), ("avg", 1), ("max", 0), ("max", 1))
    ]
    assert {result["status"] for result in made} == {"completed"}


def test_a_sweep_over_the_poolings_of_slots(train, tmp_path):
    code, out, err = train("-m", "pooling.at.pool1=avg,{name:avg_topk,k:3}", "pooling.at.pool2=min", "trainer.epochs=1")
    assert code == 0, err
    assert "slots: pool1 avg, pool2 min, head flatten" in out
    at = [result["config"]["pooling"]["at"] for result in results(tmp_path)]
    assert {choice["pool1"].get("k") for choice in at} == {None, 3}
    assert {choice["pool2"]["name"] for choice in at} == {"min"}


def test_an_arm_that_is_wrong_does_not_stop_the_others(train, tmp_path):
    code, _, err = train("-m", "pooling=avg_topk", "pooling.k=9,2", "trainer.epochs=1")
    assert code == 2
    assert "k must be an int from 1 to 4 (the window has no more taps), found 9" in err
    assert "; pooling.kernel_size=3 would allow it" in err
    assert [result["config"]["pooling"]["k"] for result in results(tmp_path)] == [2]


def test_an_arm_that_fails_does_not_stop_the_others(train, monkeypatch, tmp_path):
    step = Classifier.training_step

    def fail_once(module, batch, batch_idx):
        if not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            raise RuntimeError("the device fell off")
        return step(module, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", fail_once)
    with pytest.raises(RuntimeError, match="the device fell off"):  # a fault for a developer: with its traceback
        train("-m", "seed=0,1", "trainer.epochs=1")
    assert {result["seed"]: result["status"] for result in results(tmp_path)} == {0: "failed", 1: "completed"}


def test_ctrl_c_ends_a_sweep(train, monkeypatch, tmp_path):
    import signal

    step = Classifier.training_step

    def interrupted(module, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGINT)
        return step(module, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", interrupted)
    code, out, _ = train("-m", "seed=0,1,2", "trainer.epochs=1")
    assert code == 130
    assert "the same command resumes here" in out
    assert [(result["seed"], result["status"]) for result in results(tmp_path)] == [(0, "interrupted")]


# --- bad input: exit code 2, the thing is named, and no run folder is left ----------------------------------------


BAD = [
    (["pooling=avg_topkk"], "pooling=avg_topkk: there is no such choice; did you mean avg_topk"),
    (["pooling=avg_topk", "pooling.k=9"], "k must be an int from 1 to 4 (the window has no more taps), found 9"),
    (["pooling=avg_topk", "pooling.k=0"], "pooling.k must be an int >= 1, found 0"),
    (["pooling.kernel_size=40"], "pool1"),
    (["backbone=resnet20", "pooling.slots=[stage2]", "pooling.kernel_size=20"], "stage2"),
    (["pooling.slots=[pool9]"], "no pooling slot pool9: did you mean pool"),
    (["pooling.slots=[]"], "pooling.slots must be all, or a list of slot names"),
    (["pooling.at.pol1=avg"], "no pooling slot pol1: did you mean pool1"),
    (["pooling.at.pool1=avgg"], "pooling.at.pool1.name=avgg: it is not known: did you mean avg"),
    (["pooling.at.pool1=null"], "pooling.at.pool1=null has no name of a pooling"),
    (["pooling.at.pool1={name: null}"], "pooling.at.pool1={name:null} has no name of a pooling"),
    (["pooling.slots=[pool1,null]"], "found [pool1,null]"),
    (["pooling.slots=true"], "found true"),
    (["pooling.at.pool1=global_gem"], "global_gem is a head and belongs in head"),
    (["pooling.at.pool1=avg_topk", "pooling.at.pool1.k=9"], "k must be an int from 1 to 4"),
    (["pooling.at.pool1.k=2"], "has no pooling: add pooling.at.pool1=NAME"),
    (["optim.lrr=1"], "optim.lrr: there is no such setting; did you mean lr"),
    (["+optim.lrr=1"], "optim.lrr: there is no such setting; did you mean lr?"),
    (["+pooling.kk=1"], "kk"),
    (["+head.k=1"], "head"),
    (["+backbone.depth=3"], "depth"),
    (["+data.shuffle=true"], "data.shuffle: there is no such setting"),
    (["+tracker.color=red"], "tracker.color: there is no such setting"),
    (["optimizer=adam"], "optimizer: there is no such setting; did you mean optim"),
    (["lr=0.01"], "lr: there is no such setting; did you mean optim.lr?"),
    (["k=3"], "did you mean head.k or pooling.k?"),
    (["epochs=2"], "did you mean trainer.epochs?"),
    (["model=resnet18"], "did you mean backbone?"),
    (["data=some/folder"], "data=some/folder: a folder is not a choice: write data=image_folder data.root=some/folder"),
    (["backbone=torchvision/resnet18/x"], "backbone can be airbench94"),
    (["+optimizer=adam"], "optimizer"),
    (["+sead=1"], "sead: there is no such setting; did you mean seed"),
    (["seed=-1"], "seed must be an int from 0"),
    (["seed=null"], "seed must be an int from 0 to 2**63 - 1, found null"),
    (["seed=1.5"], "found 1.5"),
    (["data=image_folder"], "data=image_folder needs a folder: data.root=FOLDER"),
    (["data=image_folder", "data.root=no/such/folder"], "data.root=no/such/folder is not a folder"),
    (["data.channels=2"], "data.channels must be one of 1, 3, or null, found 2"),
    (["data.limit_train=5"], "data.limit_train=5 is not possible"),
    (["data.batch_size=1000"], "data.batch_size=1000 exceeds the training split of 180 images"),
    (["data.image_size=4"], "pool"),
    (["trainer.epochs=two"], "trainer.epochs must be an int from 1 to 100000, found 'two'"),
]


@pytest.mark.parametrize(("overrides", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input(train, tmp_path, overrides, message):
    code, out, err = train(*overrides)
    assert code == 2
    assert message in err
    assert err.startswith("poolab: ")
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "runs").exists()


def test_all_wrong_settings_are_told_at_once(train, tmp_path):
    code, _, err = train("seed=-1", "trainer.epochs=0", "optim.lr=0", "measure.seconds=0", "+sead=1")
    assert code == 2
    assert all(word in err for word in ("seed must be", "epochs must", "lr must", "seconds must", "sead:"))
    assert not (tmp_path / "runs").exists()


def test_a_damaged_image_is_named(train, folder, tmp_path):
    (folder[0] / "train" / "cat" / "7.png").write_bytes(b"this is no image")
    code, _, err = train(*folder[1])
    assert code == 2
    assert "train/cat/7.png" in err
    assert not (tmp_path / "runs").exists()


def test_a_class_without_test_images_is_named(train, folder, tmp_path):
    (folder[0] / "train" / "bird").mkdir()
    code, _, err = train(*folder[1])
    assert code == 2
    assert "train/bird is there but test/bird is missing" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("channels", "fitted"), [(1, (1, 16, 16)), (3, (3, 16, 16))])
def test_images_of_another_number_of_channels_are_fitted(train, folder, tmp_path, channels, fitted):
    seen, step = [], Classifier.training_step

    def watched(module, batch, batch_idx):
        seen.append(tuple(batch["image"].shape[1:]))
        return step(module, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", watched)
        code, _, err = train(*folder[1], f"data.channels={channels}", "trainer.epochs=1")
    assert code == 0, err
    assert set(seen) == {fitted}


def test_images_of_another_size_are_one_clear_error(train, folder, tmp_path):
    Image.new("RGB", (9, 7)).save(folder[0] / "train" / "cat" / "odd.png")
    code, _, err = train(*folder[1])
    assert code == 2
    assert "data.image_size" in err
    assert not (tmp_path / "runs").exists()


def test_seed_0_is_a_seed(train, tmp_path):
    for seed in (0, 1):
        assert train(f"seed={seed}", "trainer.epochs=1")[0] == 0
    first, second = sorted(results(tmp_path), key=lambda result: result["seed"])
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["signature"] != second["signature"]
    assert first["metrics"]["train/loss"] != second["metrics"]["train/loss"]
    assert train("seed=0", "trainer.epochs=1", "force=true")[0] == 0
    again = next(result for result in results(tmp_path) if result["seed"] == 0)
    assert again["metrics"]["test/loss"] == first["metrics"]["test/loss"]


def test_a_runs_folder_that_cannot_be_made(tiny, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.train([*tiny, f"runs_dir={tmp_path}/file"]) == 2
    assert "choose another runs_dir" in capsys.readouterr().err


def test_the_wish_for_a_traceback_is_heard(train, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(Exception, match="avg_topkk"):
        train("pooling=avg_topkk")
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


# --- the other verbs ----------------------------------------------------------------------------------------------


def test_help_answers_at_once_and_lists_every_choice(pytestconfig):
    command = [sys.executable, "-X", "importtime", str(pytestconfig.rootpath / "train.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)  # with it, help takes seconds
    groups = [path for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"]
    assert len(groups) == 10
    choices = done.stdout.partition("== Choices")[2].partition("== Settings")[0].replace("\n    ", " ")
    listed = dict(line.split(": ", 1) for line in choices.splitlines() if ": " in line)
    listed["backbone"] = listed["backbone"].removesuffix(", torchvision/<name>, timm/<name>")
    for group in groups:
        names = sorted(path.stem for path in group.glob("*.yaml"))
        assert sorted(listed[group.name].split(", ")) == names
    assert "seed=0 " in done.stdout


@pytest.mark.parametrize("words", [[], ["pooling=lip", "data=shapes"], ["measure=full", "trainer=ddp", "tracker=none"],
                                   ["backbone=torchvision/resnet18", "optim=sgd"], ["recipe=finetune"]])  # fmt: skip
def test_help_says_in_80_columns_what_each_setting_is(words, capsys):
    assert cli.train([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    settings = out.partition("== Settings")[2]
    lines = re.findall(r"^  ([\w.]+)=(.*(?:\n {8}.*)*)", settings, re.MULTILINE)
    assert len(lines) > 40
    assert [key for key, told in lines if not re.search(r"\s{1,}\w", told)] == []


def test_help_has_the_options_of_the_chosen_pooling(capsys):
    assert cli.train(["-h", "pooling=avg_topk", "pooling.k=3"]) == 0
    assert "pooling.k=3 number of taps, 1 to the taps of the window" in " ".join(capsys.readouterr().out.split())
    assert cli.train(["pooling=max", "pooling.kk=3", "--help"]) == 2
    assert "pooling.kk: there is no such setting" in capsys.readouterr().err


def test_versions(capsys):
    assert cli.train(["--version"]) == 0
    assert re.match(r"poolab [\d.]+ \(Hydra [\d.rc]+, torch .*\)$", capsys.readouterr().out)


def test_m_may_stand_before_the_verb(capsys):
    assert cli.main(["-m", "train", "sed=0,1"]) == 2
    assert "did you mean seed" in capsys.readouterr().err


def test_table_of_the_records(train, tmp_path, capsys):
    assert train("trainer.epochs=1", "-m", "seed=0,1")[0] == 0
    made = results(tmp_path)
    mean = sum(result["metrics"]["test/accuracy"] for result in made) / 2
    assert cli.main(["table", "--runs", f"{tmp_path}/runs"]) == 0
    assert f"{mean:.4f}" in capsys.readouterr().out
    assert cli.main(["table", "--runs", f"{tmp_path}/runs", "--markdown"]) == 0
    assert f"| max | 2 | {mean:.4f} |" in capsys.readouterr().out


def test_table_without_records(tmp_path, capsys):
    assert cli.main(["table", "--runs", f"{tmp_path}/none"]) == 2
    assert "there are no records in" in capsys.readouterr().err


def test_shapes_fit_the_terminal(capsys):
    assert cli.main(["shapes", "pooling=avg_topk", "backbone=resnet20", "data=cifar10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if "avg_topk" in line]
    assert len(rows) >= 2


def test_shapes_flag_the_slot_where_the_map_vanishes(capsys):
    assert cli.main(["shapes", "data.image_size=6"]) == 0
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if "vanishes" in line]
    assert row.split()[0] == "pool2"
    assert "the map would vanish at" in out
    assert max(map(len, out.splitlines())) <= 80


def test_shapes_of_a_wrong_setting(capsys):
    assert cli.main(["shapes", "pooling=maxx"]) == 2
    assert "did you mean max" in capsys.readouterr().err


def test_without_a_verb_the_verbs_are_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "verb" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in cli.VERBS)


def test_poolab_train_is_train_py(tiny, tmp_path, capsys):
    assert cli.main(["train", *tiny, f"runs_dir={tmp_path}/runs", "seed=-1"]) == 2
    assert "seed must be" in capsys.readouterr().err


@pytest.mark.processes
def test_a_reader_that_goes_away_loses_nothing(pytestconfig, tmp_path):
    """`train.py ... | head -1`: the run is completed and recorded; `--help | head -1` ends without a traceback."""
    root = pytestconfig.rootpath
    tiny = "data.limit_train=200 data.limit_test=100 trainer.epochs=1 trainer.backend=plain"
    tiny += " measure.seconds=0.02 tracker=none"
    commands = (f"train.py {tiny} runs_dir={tmp_path}", "train.py --help", "-m poolab table --runs " + str(tmp_path))
    for command in commands:
        pipe = f"{sys.executable} {command} | head -1"
        done = subprocess.run(["bash", "-c", pipe], cwd=root, capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        assert len(done.stdout.splitlines()) == 1
    (result,) = tmp_path.glob("*/result.json")
    assert json.loads(result.read_text())["status"] == "completed"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plan", "sweeps/pooling_small.yaml"], "poolab plan: write poolab study plan FILE"),
        (["run"], "poolab run: write poolab study run FILE"),
        (["pool"], "poolab pool: there is no such verb; did you mean pools"),
        (["pooling=max"], "poolab pooling=max: a setting comes after a verb: poolab train pooling=max"),
    ],
)
def test_a_verb_that_there_is_not_is_told(words, told, capsys):
    assert cli.main(words) == 2
    assert told in capsys.readouterr().err


def test_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"poolab \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)
