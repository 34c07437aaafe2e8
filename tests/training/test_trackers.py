"""W&B beside the record: for real where it needs no server, and broken in every way that a run must survive."""

import json
import subprocess
import sys
import time
import warnings

import pytest

from poolab.training.trackers import WandbTracker, _has_key, build_tracker

OFFLINE = ["tracker=wandb_offline", "trainer.epochs=1"]
KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module", autouse=True)
def nobody(tmp_path_factory):
    """No test knows a key, reports an error to anybody, or writes into the home of a user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        leave_alone(patch, home)
        yield home


def leave_alone(monkeypatch, home):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_BASE_URL", "WANDB_SWEEP_ID", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
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
    assert config["cfg"] == quiet_run[0]["config"]
    assert config["cfg"]["pooling"]["k"] == 3


def test_the_summary_has_the_flat_names_of_the_record(seen, quiet_run):
    record, (_, summary, _, code) = quiet_run[0], seen
    assert summary["status"] == "completed"
    assert {name: summary[name] for name in record["metrics"]} == record["metrics"]
    assert code == 0


def test_the_history_has_the_epochs(seen):
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy"} <= set().union(*seen[2])


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
    words = f"W&B failed to {verb} (RuntimeError: {verb} is broken); the run goes on, its record is complete without it"
    assert ours == [words]
    assert record["status"] == "completed"
    assert record["metrics"]["test/samples"] == 100
    assert (folder / "result.json").exists()
    assert called.count("log") == {"start": 0, "log": 1}.get(verb, called.count("log"))


def test_online_without_a_key_is_offline_and_says_so(launched, tmp_path):
    with pytest.warns(UserWarning, match=r"W&B has no key .*tracked offline"):
        record, folder, _ = launched(tmp_path, "tracker=wandb_online", "trainer.epochs=1")
    assert record["status"] == "completed"
    assert list(folder.glob("wandb/offline-run-*"))


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_given_up(launched, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    started = time.monotonic()
    with pytest.warns(UserWarning, match=r"W&B cannot be reached \(.*tracked offline"):
        record, folder, _ = launched(tmp_path, "tracker=wandb_online", "tracker.init_timeout=4", "trainer.epochs=1")
    assert time.monotonic() - started < 40
    assert record["status"] == "completed"
    assert list(folder.glob("wandb/offline-run-*"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize(("text", "known"), [
    (None, False),
    ("machine api.wandb.ai login user password x\n", True),
    ("machine elsewhere.org login user password x\n", False),
    ("this is no netrc", False),
])  # fmt: skip
def test_a_key_in_netrc(nobody, monkeypatch, text, known):
    monkeypatch.setenv("HOME", str(nobody))
    if text is not None:
        (nobody / ".netrc").write_text(text)
        (nobody / ".netrc").chmod(0o600)
    assert _has_key() is known


def test_a_tracker_that_is_left_out(configured, tmp_path):
    assert build_tracker(configured(tmp_path), tmp_path, "name") is None


def test_name_and_version(broken_logger, configured, tmp_path):
    broken_logger(None)
    config = configured(tmp_path, "tracker=wandb_offline")
    tracker = build_tracker(config, tmp_path / "0123456789ab", "max-keras_cnn-digits-0")
    assert isinstance(tracker, WandbTracker)
    assert (tracker.name, tracker.version) == ("max-keras_cnn-digits-0", "0123456789ab")
