"""Files are known by their content: the same bytes are the same run wherever they lie, other bytes another run."""

import os
import shutil

import pytest
import torch
from PIL import Image

from poolab.configuration import compose
from poolab.errors import ConfigError, DataError
from poolab.records import RunFolder, signature
from poolab.records.content import file_sha256
from poolab.run_config import RunConfig
from poolab.training import with_automatic
from poolab.training.content import content_of, earlier_run, file_facts, files_of
from poolab.training.launcher import under


@pytest.fixture
def named():
    """The signature of a configuration whose weights are a file."""

    def name(path, *more):
        config = compose(["backbone=torchvision/resnet18", f"backbone.weights='{path}'", "data=digits", *more])
        return signature(config, content_of(RunConfig.from_tree(config)))

    return name


def test_the_content_is_the_identity(named, tmp_path):
    one, two = tmp_path / "a.pt", tmp_path / "b.pt"
    one.write_bytes(b"one")
    first = named(one)
    shutil.copy(one, two)
    assert named(two) == first
    two.write_bytes(b"two")
    assert named(two) != first
    one.write_bytes(b"two")
    assert named(one) == named(two)


def test_an_overwritten_file_is_another_run_though_size_and_time_stay(named, tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"one")
    facts = path.stat()
    first = named(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert named(path) != first


def test_a_relative_path_is_the_file_of_this_folder(named, tmp_path, monkeypatch):
    names = []
    for folder, content in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.pt").write_bytes(content)
        monkeypatch.chdir(tmp_path / folder)
        names.append(named("w.pt"))
    assert names[0] == names[2] != names[1]


def test_a_link_is_its_target(named, tmp_path):
    (tmp_path / "a.pt").write_bytes(b"one")
    (tmp_path / "b.pt").symlink_to("a.pt")
    assert named(tmp_path / "a.pt") == named(tmp_path / "b.pt")


def test_weights_are_another_run_than_none(named, tmp_path):
    (tmp_path / "a.pt").write_bytes(b"")
    config = compose(["backbone=torchvision/resnet18", "data=digits"])
    assert named(tmp_path / "a.pt") != signature(config, content_of(RunConfig.from_tree(config)))
    assert files_of(RunConfig.from_tree(config)) == ""


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def loop(path):
    path.symlink_to(path)


def nothing(path):
    pass


@pytest.mark.parametrize("make", [pipe, folder, loop, nothing])
def test_what_is_no_file_is_said(named, tmp_path, make):
    make(tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"backbone.weights=\S+w\.pt"):
        named(tmp_path / "w.pt")


def test_a_file_is_read_once_a_process(tmp_path, monkeypatch):
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    monkeypatch.setattr("poolab.records.content.RACY_NS", -1)
    value = file_sha256(path)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    assert file_sha256(path) == value


def test_a_file_that_changed_a_moment_ago_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    file_sha256(path)
    seen = []
    monkeypatch.setattr("hashlib.file_digest", lambda file, name: seen.append(name) or _Digest())
    file_sha256(path)
    assert seen


class _Digest:
    def hexdigest(self):
        return "0" * 64


def test_plan_and_run_agree(tmp_path):
    from poolab.study.plan.checks import Checks

    path = tmp_path / "w.pt"
    torch.save({}, path)
    words = ["backbone=torchvision/resnet18", f"backbone.weights={path}", "data=digits", "data.image_size=32"]
    config = with_automatic(compose(words))
    assert Checks()(config)[1][0] == signature(config, content_of(RunConfig.from_tree(config)))


def test_the_record_says_the_hashes(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    config = compose(["backbone=torchvision/resnet18", f"backbone.weights={path}", "data=digits"])
    assert file_facts(RunConfig.from_tree(config)) == {"weights_sha256": file_sha256(path)}


def test_a_run_of_earlier_code_is_named_and_not_taken(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    words = ["backbone=torchvision/resnet18", f"backbone.weights={path}", "data=digits", f"runs_dir={tmp_path}/runs"]
    config = compose(words)
    name = signature(config, content_of(RunConfig.from_tree(config)))
    assert earlier_run(RunConfig.from_tree(config), name) is None
    old = RunFolder(config["runs_dir"], signature(config, "digits-1", files_by_path=True)).make()
    old.write_json("result.json", {"status": "completed"})
    said = earlier_run(RunConfig.from_tree(config), name)
    assert said is not None
    assert str(old.path) in said
    assert "its record does not say what they held then" in said
    assert name in said


def test_no_earlier_run_is_looked_for_where_the_signature_stayed(tmp_path):
    config = compose(["data=digits", f"runs_dir={tmp_path}/runs"])
    name = signature(config, content_of(RunConfig.from_tree(config)))
    RunFolder(config["runs_dir"], name).make().write_json("result.json", {"status": "completed"})
    assert earlier_run(RunConfig.from_tree(config), name) is None


def test_paths_below_the_folder_in_which_the_command_was_typed(tmp_path):
    config = {"runs_dir": "runs", "data": {"root": "/data", "cache_dir": None}, "backbone": {"weights": "w.pt"}}
    assert under({**config, "seed": 0}, tmp_path) == {
        "runs_dir": f"{tmp_path}/runs",
        "data": {"root": "/data", "cache_dir": None},
        "backbone": {"weights": f"{tmp_path}/w.pt"},
        "seed": 0,
    }


def test_a_folder_that_changes_between_its_hash_and_its_loading_is_refused(launched, tmp_path, monkeypatch):
    for split in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(10):
                level = 20 * number + label
                Image.new("RGB", (16, 16), (level, 0, 0)).save(tmp_path / "data" / split / name / f"{number}.png")
    words = ("data=image_folder", f"data.root={tmp_path / 'data'}", "data.limit_train=null", "data.limit_test=null")
    monkeypatch.setattr("poolab.training.launcher.content_of", lambda config: "image_folder-of-a-moment-ago")
    with pytest.raises(DataError, match=r"data.root=.* was changed while this run read it; start it again"):
        launched(tmp_path / "runs", *words, "data.batch_size=4")
    assert not (tmp_path / "runs").exists()
