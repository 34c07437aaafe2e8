"""W&B beside the record: for real where it needs no server, and broken in every way that a run must survive."""

import json
import shutil
import subprocess
import sys
import threading
import time
import warnings
from contextlib import nullcontext

import pytest
import wandb
from PIL import Image

from poolab.errors import PoolabError
from poolab.records import Record, RunFolder
from poolab.run_config import RunConfig
from poolab.training.launcher import launch
from poolab.training.trackers import WandbTracker, build_tracker, tell_again

OFFLINE = ["tracker=wandb_offline", "trainer.epochs=1"]
KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module", autouse=True)
def nobody(tmp_path_factory):
    """No test knows a key, reports an error to anybody, or writes into the home of a user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        leave_alone(patch, home)
        wandb.teardown()  # it reads the environment once
        yield home
    wandb.teardown()


def leave_alone(monkeypatch, home):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_SWEEP_ID", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home))


def stored(folder):
    """Configuration, summary, history and exit code, from the file that `wandb sync` would upload."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    config, summary, history, code = {}, {}, [], None
    for record in map(json.loads, lines):
        content = record[record["type"]]
        if record["type"] == "run":
            config |= content["config"]["update"]
        elif record["type"] == "summary":
            summary |= content.get("update", {})
        elif record["type"] == "history":
            history.append(content["item"])
        elif record["type"] == "exit":
            code = content.get("exit_code", 0)
    return config, summary, history, code


@pytest.fixture(scope="module")
def quiet_run(nobody, launched, tmp_path_factory):
    """An offline run, and what it printed."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        record, folder, _ = launched(tmp_path_factory.mktemp("offline"), *OFFLINE, "pooling=avg_topk", "pooling.k=3")
    return record, folder, out.getvalue() + err.getvalue()


@pytest.fixture(scope="module")
def seen(quiet_run):
    return stored(quiet_run[1])


def test_the_configuration_lies_under_cfg_and_nowhere_else(seen, quiet_run):
    config = seen[0]
    assert config.keys() - {"_wandb"} == {"cfg"}
    assert config["cfg"] == quiet_run[0].config
    assert config["cfg"]["pooling"]["k"] == 3


def test_the_summary_has_the_flat_names_of_the_record(seen, quiet_run):
    record, (_, summary, _, code) = quiet_run[0], seen
    assert summary["status"] == "completed"
    assert {name: summary[name] for name in record.metrics} == record.metrics
    assert summary["signature"] == record.signature
    assert code == 0


def test_the_history_has_the_epochs(seen):
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy"} <= set().union(*seen[2])


def test_the_history_has_the_learning_rate_of_each_epoch(seen, quiet_run):
    rows = [json.loads(line) for line in (quiet_run[1] / "history.jsonl").read_text().splitlines()]
    sent = {row["epoch"]: row["learning_rate"] for row in seen[2] if "learning_rate" in row}
    assert sent == {row["epoch"] - 1: pytest.approx(row["learning_rate"]) for row in rows}


def drawn(monkeypatch):
    """Let the pictures be drawn in no time."""

    def draw(*given, **_):
        path = next(one for one in given if str(one).endswith(".png"))
        Image.new("RGB", (4, 4)).save(path)

    for name in ("learning_curves", "sample_grid", "confusion_matrix"):
        monkeypatch.setattr(f"poolab.training.pictures.{name}", draw)


@pytest.mark.parametrize("words", [(), ("tracker.pictures=false", "tracker.learning_rate=false")])
def test_pictures_and_rate_are_there_unless_switched_off(configured, monkeypatch, tmp_path, words):
    drawn(monkeypatch)
    folder = launch(configured(tmp_path, *OFFLINE, *words), pictures=False)[1]  # as in a study: drawn to be sent
    history = stored(folder)[2]
    names = {name.partition(".")[0] for row in history for name in row}
    wanted = {"pictures/samples", "pictures/confusion", "learning_rate"}
    assert names & wanted == (set() if words else wanted)
    assert bool(list(folder.glob("wandb/*/files/media/images/pictures/*.png"))) == (not words)


def test_a_picture_that_wandb_does_not_take_costs_nothing_else(configured, monkeypatch, tmp_path):
    drawn(monkeypatch)

    def broken(*_):
        raise ValueError("no picture today")

    monkeypatch.setattr("poolab.training.trackers.log_pictures", broken)
    with pytest.warns(UserWarning, match="W&B is without the run's pictures .*no picture today"):
        record, folder, _ = launch(configured(tmp_path, *OFFLINE))
    _, summary, _, code = stored(folder)
    assert (record.status, summary["status"], code) == ("completed", "completed", 0)


def test_the_model_is_logged_where_it_is_asked_for(launched, monkeypatch, tmp_path):
    import poolab.training.trackers as trackers

    asked = []
    monkeypatch.setattr(trackers, "log_model", lambda run, folder, record: asked.append((folder, record.status)))
    folder = launched(tmp_path / "with", *OFFLINE, "tracker.log_model=true")[1]
    launched(tmp_path / "without", *OFFLINE)
    assert asked == [(folder, "completed")]


@pytest.mark.parametrize("fails", [False, True])
def test_the_artifact_has_an_onnx_file_where_that_is_asked_for(launched, tmp_path, monkeypatch, fails):
    import poolab.training.trackers as trackers

    asked = []

    def write(folder):
        assert (folder / "result.json").is_file()
        asked.append(folder)
        if fails:
            raise PoolabError("slot pool1 (odd): no")

    monkeypatch.setattr(trackers, "write_onnx", write)
    monkeypatch.setattr(trackers, "log_model", lambda run, folder, record: asked.append("model"))
    words = (*OFFLINE, "tracker.export_model=true")
    told = (
        pytest.warns(UserWarning, match=r"W&B is without model\.onnx .*slot pool1 \(odd\)") if fails else nullcontext()
    )
    with told:
        folder = launched(tmp_path / "with", *words, "tracker.log_model=true")[1]
    launched(tmp_path / "without", *words)  # there is no artifact that it would be in
    assert asked == [folder, "model"]


def test_a_session_that_goes_on_has_the_epochs_before_it_too(launched, stop_after, tmp_path):
    stop_after(7)  # of five steps an epoch
    record, folder, _ = launched(tmp_path, "tracker=wandb_offline")
    assert record.status == "interrupted"
    shutil.rmtree(folder / "wandb")
    stop_after(10**6)
    record, folder, fresh = launched(tmp_path, "tracker=wandb_offline")
    assert (record.status, fresh) == ("completed", True)
    losses = {row["epoch"]: row["val/loss"] for row in stored(folder)[2] if "val/loss" in row}
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert losses == {row["epoch"] - 1: pytest.approx(row["val/loss"]) for row in rows}


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_finished_run_is_told_from_its_record(configured, tmp_path, epochs):
    config = RunConfig.from_tree(configured(tmp_path, "tracker=wandb_offline"))
    folder = RunFolder(tmp_path, "0123456789ab").make()
    record = {
        "signature": "0123456789ab",
        "status": "diverged" if epochs == 0 else "completed",
        "metrics": {"epochs": epochs},
    }
    folder.write_json("result.json", record)
    rows = [{"epoch": n, "step": 5 * n, "val/accuracy": n / 4, "val/loss": None, "seconds": 1.0} for n in (1, 2)]
    if epochs:
        (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tell_again(config, folder)
    _, summary, history, code = stored(folder.path)
    assert (summary["status"], summary["epochs"], code) == (record["status"], epochs, 0)
    epochs_sent = [row for row in history if "val/accuracy" in row]  # the pictures, drawn to be sent, have a row too
    told = [(row["epoch"], row["trainer/global_step"], row["val/accuracy"]) for row in epochs_sent]
    assert told == [(0, 4, 0.25), (1, 9, 0.5)][:epochs]


def test_a_setting_that_json_has_no_number_for(configured, tmp_path):
    config = RunConfig.from_tree(configured(tmp_path, "pooling=lp", "pooling.p=inf", "tracker=wandb_offline"))
    tracker = build_tracker(config, tmp_path, "name")
    tracker.finish(Record(status="completed", signature="0123456789ab"))
    assert stored(tmp_path)[0]["cfg"]["pooling"]["p"] == "inf"


def test_nothing_but_the_run_itself_is_printed(quiet_run):
    lines = quiet_run[2].splitlines()
    assert [line.split()[0] for line in lines] == ["keras_cnn", "slots:", "record:", "epoch"]


def test_a_run_that_fails_ends_its_tracking_as_failed(launched, monkeypatch, tmp_path):
    def fail(*_):
        raise RuntimeError("the device fell off")

    monkeypatch.setattr("poolab.training.module.Classifier.training_step", fail)
    with pytest.raises(RuntimeError, match="fell off"):
        launched(tmp_path, *OFFLINE)
    _, summary, _, code = stored(next(tmp_path.iterdir()))
    assert (summary["status"], code) == ("failed", 1)


class Experiment:
    def __init__(self, broken):
        self.broken = broken
        self.summary = self

    def update(self, values):
        self.finish(0)

    def finish(self, exit_code):
        if self.broken == "finish":
            raise RuntimeError("finish is broken")


@pytest.fixture
def broken_logger(monkeypatch):
    """A W&B that raises at one verb; the verbs that were called."""

    def arrange(broken):
        called = []

        class Logger:
            def __init__(self, **settings):
                called.append("start")
                if broken == "start":
                    raise RuntimeError("start is broken")
                self.experiment = Experiment(broken)

            def log_metrics(self, metrics, step):
                called.append("log")
                if broken == "log":
                    raise RuntimeError("log is broken")

        monkeypatch.setattr("pytorch_lightning.loggers.WandbLogger", Logger)
        return called

    return arrange


@pytest.mark.parametrize("verb", ["start", "log", "finish"])
def test_a_tracker_that_fails_only_warns_and_only_once(broken_logger, launched, tmp_path, verb):
    called = broken_logger(verb)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        record, folder, _ = launched(tmp_path, "tracker=wandb_offline")
    ours = [str(warning.message) for warning in told if "W&B" in str(warning.message)]
    words = (
        f"W&B failed to {verb} (RuntimeError: {verb} is broken); the run continues, its record is complete without it"
    )
    assert ours == [words]
    assert record.status == "completed"
    assert record.metrics["test/samples"] == 100
    assert (folder / "result.json").exists()
    assert called.count("log") == {"start": 0, "log": 1}.get(verb, called.count("log"))


def test_online_without_a_key_is_offline_and_says_so(launched, tmp_path):
    with pytest.warns(UserWarning, match=r"W&B has no key .*tracked offline"):
        record, folder, _ = launched(tmp_path, "tracker=wandb_online", "trainer.epochs=1")
    assert record.status == "completed"
    assert list(folder.glob("wandb/offline-run-*"))


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_given_up(launched, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    started = time.monotonic()
    with pytest.warns(UserWarning, match=r"W&B cannot be reached \(.*127\.0\.0\.1:9.*tracked offline"):
        record, folder, _ = launched(tmp_path, "tracker=wandb_online", "tracker.init_timeout=4", "trainer.epochs=1")
    assert time.monotonic() - started < 40
    assert record.status == "completed"
    assert list(folder.glob("wandb/offline-run-*"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_tracker_that_is_left_out(configured, tmp_path):
    assert build_tracker(RunConfig.from_tree(configured(tmp_path)), tmp_path, "name") is None


def test_name_and_version(broken_logger, configured, tmp_path):
    broken_logger(None)
    config = RunConfig.from_tree(configured(tmp_path, "tracker=wandb_offline"))
    tracker = build_tracker(config, tmp_path / "0123456789ab", "max-keras_cnn-digits-0")
    assert isinstance(tracker, WandbTracker)
    assert (tracker.name, tracker.version) == ("max-keras_cnn-digits-0", "0123456789ab")


@pytest.mark.parametrize("verb", ["start", "log", "finish"])
@pytest.mark.parametrize("fault", [
    SystemExit(3), TypeError("Descriptors cannot be created directly"), ImportError("no wandb"),
    OSError(28, "No space left on device"), KeyboardInterrupt(), ConnectionError("http://me:hunter22@host refused"),
])  # fmt: skip
def test_no_fault_of_a_tracker_reaches_the_run(broken_logger, configured, monkeypatch, tmp_path, verb, fault):
    broken_logger(verb)
    monkeypatch.setitem(globals(), "RuntimeError", lambda _: fault)  # what the broken logger raises
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tracker = build_tracker(RunConfig.from_tree(configured(tmp_path, "tracker=wandb_offline")), tmp_path, "name")
        tracker.log_metrics({"val/loss": 1.0}, 1)
        tracker.finish(Record(status="completed", signature="0123456789ab"))
    ours = [str(warning.message) for warning in told if "W&B" in str(warning.message)]
    assert len(ours) == 1
    assert f"W&B failed to {verb} (" in ours[0]
    assert "hunter22" not in ours[0]


@pytest.mark.parametrize("verb", ["log_metrics", "finish"])
def test_a_tracker_that_hangs_is_given_up(broken_logger, configured, monkeypatch, tmp_path, verb):
    broken_logger(None)
    never = threading.Event()
    monkeypatch.setattr("poolab.training.trackers.PATIENCE", 0.05)
    config = RunConfig.from_tree(configured(tmp_path, "tracker=wandb_offline", "tracker.finish_timeout=0.05"))
    tracker = build_tracker(config, tmp_path, "name")
    target = tracker._logger if verb == "log_metrics" else tracker._logger.experiment
    monkeypatch.setattr(target, verb, lambda *_, **__: never.wait(), raising=False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tracker.log_metrics({"val/loss": 1.0}, 1)
        tracker.finish(Record(status="completed", signature="0123456789ab"))
    assert any("NoAnswer: its client has not answered for" in str(warning.message) for warning in told)
    never.set()


def test_wandb_hears_its_own_environment(configured, monkeypatch, tmp_path):
    told = []

    class Logger:
        def __init__(self, **settings):
            told.append(settings)
            self.experiment = Experiment(None)

    monkeypatch.setattr("pytorch_lightning.loggers.WandbLogger", Logger)
    for name, value in {"PROJECT": "mine", "ENTITY": "us", "NAME": "n", "RUN_GROUP": "g", "TAGS": "a,b"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    build_tracker(RunConfig.from_tree(configured(tmp_path, "tracker=wandb_auto")), tmp_path / "0123456789ab", "title")
    keys = ("project", "entity", "name", "group", "tags", "save_dir")
    assert [told[0][key] for key in keys] == ["mine", "us", "n", "g", ["a", "b"], tmp_path / "elsewhere/0123456789ab"]
    assert told[0]["settings"].mode == "offline"
