"""Which files of an image folder are taken, what a run says of the others, and every fault by name."""

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import data_fingerprint, data_shape, load_data
from poolab.errors import ConfigError, DataError
from poolab.text import one_line


def load(root, **settings):
    return load_data("image_folder", root=root, **{"val_fraction": 0.2, **settings})


def test_the_summary_counts_each_split_and_class(make_tree):
    summary = load(make_tree()).summary
    assert str(summary) == "images: train 12 (cat 6, dog 6), test 6 (cat 3, dog 3)"
    assert summary.splits == {"train": {"cat": 6, "dog": 6}, "test": {"cat": 3, "dog": 3}}
    assert load_data("digits").summary is None


def test_many_classes_are_told_in_short(make_tree):
    root = make_tree(classes=[f"c{i:02}" for i in range(20)], train=3, test=1)
    (root / "train" / "c07" / "000.png").unlink()
    assert "train 59 of 20 classes (c07 2 to c00 3), test 20 of 20 classes" in str(load(root).summary)


def jpeg(path, level=200):
    Image.new("RGB", (8, 8), (level, 1, level)).save(path, "JPEG")


def in_sub_folder(folder):
    (folder / "more" / "deeper").mkdir(parents=True)
    for path in (folder / "more" / "1.png", folder / "more" / "deeper" / "2.png"):
        shutil.copy(folder / "000.png", path)


def broken(folder):
    (folder / "x.png").symlink_to(folder / "nowhere.png")


def loop(folder):
    (folder / "x.png").symlink_to(folder / "y.png")
    (folder / "y.png").symlink_to(folder / "x.png")


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (in_sub_folder, "2 in a sub-folder (train/cat/more/1.png)"),
        (broken, "1 a broken link (train/cat/x.png)"),
        (loop, "2 a loop of links (train/cat/x.png)"),
        (lambda folder: (folder / ".x.png").write_bytes(b""), "1 hidden (train/cat/.x.png)"),
        (lambda folder: (folder / "notes.txt").write_text("P1 is no picture"), "1 no image (train/cat/notes.txt)"),
        (lambda folder: (folder / "labels.csv").write_text("GIF87a? no"), "1 no image (train/cat/labels.csv)"),
        (lambda folder: (folder / "x.raw").write_bytes(b""), "1 empty (train/cat/x.raw)"),
        (lambda folder: os.mkfifo(folder / "x.png"), "1 no regular file (train/cat/x.png)"),
        (lambda folder: (folder / "up").symlink_to(folder.parent), "1 a link to a folder (train/cat/up)"),
        (lambda folder: jpeg(folder.parent / "x.jpg"), "1 in no class folder (train/x.jpg)"),
        (lambda folder: (folder.parent / ".git").mkdir(), "1 hidden (train/.git)"),
        (
            lambda folder: (folder.parent.parent / "val" / "cat").mkdir(parents=True),
            "1 a folder beside train/ and test/",
        ),
        (lambda folder: (folder.parent / "emu").symlink_to(folder / "nowhere"), "1 a broken link (train/emu)"),
        (lambda folder: (folder / "a\nb\x1b[31m.txt").write_text(""), r"1 empty (train/cat/a\nb\x1b[31m.txt)"),
    ],
)
def test_what_is_left_out_is_told(make_tree, add, told):
    root = make_tree()
    add(root / "train" / "cat")
    data = load(root)
    assert str(data.summary).splitlines()[1].startswith(f"left out: {told}")
    assert len(data.train) + len(data.val) == 12
    assert str(data.summary).isprintable() or "\n" in str(data.summary)


def test_reasons_are_told_together_the_most_frequent_first(make_tree):
    root = make_tree()
    in_sub_folder(root / "train" / "cat")
    broken(root / "test" / "dog")
    assert str(load(root).summary).endswith(
        "\nleft out: 2 in a sub-folder (train/cat/more/1.png), 1 a broken link (test/dog/x.png)"
    )


@pytest.mark.parametrize(
    "name", ["x.jfif", "x.JPE", "x", "x.image", "x.png", "x.jpg.txt", "caf\udce9.jpg", "a\nb.jpg", "a b"]
)
def test_a_file_counts_by_its_content(make_tree, name):
    root = make_tree()
    first = data_fingerprint("image_folder", root=root)
    jpeg(root / "train" / "cat" / name)
    data = load(root)
    assert len(data.train) + len(data.val) == 13
    assert data.summary.left_out == {}
    assert data.fingerprint == data_fingerprint("image_folder", root=root) != first


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb", "\x1b[31mred", "Cat", "a$b", "日本", "-x", "a=b"])
def test_class_folders_of_any_name(make_tree, name):
    root = make_tree(classes=("cat", name))
    data = load(root)
    assert set(data.classes) == {"cat", name}
    assert data.fingerprint == data_fingerprint("image_folder", root=root)
    str(data.summary).encode()
    (root / "train" / name / "000.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        load(root)
    assert one_line(name) in str(caught.value)
    str(caught.value).encode()


def test_folders_that_differ_in_capital_letters(make_tree):
    root = make_tree()
    (root / "test" / "cat").rename(root / "test" / "Cat")
    with pytest.raises(DataError, match=r"train/cat is there but test/cat is missing \(test/Cat differs in capital"):
        load(root)


def test_the_same_file_in_train_and_test_is_warned_of(make_tree):
    root = make_tree()
    assert load(root).summary.warnings == ()
    shutil.copy(root / "train" / "cat" / "001.png", root / "test" / "cat" / "copy.png")
    os.link(root / "train" / "cat" / "002.png", root / "test" / "cat" / "link.png")
    (warning,) = load(root).summary.warnings
    assert "2 of 8 test images are training images too" in warning
    assert "test/cat/copy.png and train/cat/001.png" in warning
    assert f"\nwarning: {warning}" in str(load(root).summary)


def test_train_and_test_the_same_folder(make_tree):
    root = make_tree()
    shutil.rmtree(root / "test")
    (root / "test").symlink_to(root / "train", target_is_directory=True)
    assert "12 of 12 test images are training images too" in str(load(root).summary)


def test_the_same_file_with_two_labels_is_warned_of(make_tree):
    root = make_tree()
    for split in ("train", "test"):
        shutil.copy(root / split / "cat" / "001.png", root / split / "dog" / "copy.png")
    shutil.copy(root / "train" / "cat" / "002.png", root / "train" / "cat" / "same label.png")
    training, test = load(root).summary.warnings
    assert training.startswith(
        "1 training images are the same file as another one with another label: train/cat/001.png"
    )
    assert test.startswith("1 test images")


def test_the_same_image_with_two_masks_is_warned_of(tmp_path):
    for split in ("train", "test"):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
        for i in range(4):
            level = i if split == "train" else 10 + i
            Image.new("RGB", (8, 8), (level, 2, 3)).save(tmp_path / split / "images" / f"{i}.png")
            Image.fromarray(np.eye(8, k=i, dtype=np.uint8)).save(tmp_path / split / "masks" / f"{i}.png")
    data = load_data("image_mask_folder", root=tmp_path, val_fraction=0.25)
    assert str(data.summary) == "images: train 4 with masks, test 4 with masks"
    shutil.copy(tmp_path / "train" / "images" / "0.png", tmp_path / "train" / "images" / "1.png")
    (warning,) = load_data("image_mask_folder", root=tmp_path, val_fraction=0.25).summary.warnings
    assert "train/images/0.png and train/images/1.png" in warning


def test_an_empty_image_is_a_fault(make_tree):
    root = make_tree()
    for name in ("train/cat/000.png", "test/dog/001.png"):
        (root / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)2 faults.*train/cat/000.png .*it is empty.*test/dog/001.png"):
        load(root)


@contextmanager
def as_nobody():
    """Be a user who owns nothing."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_tree(make_tree, tmp_path):
    """A tree that every user may enter."""
    root = make_tree()
    for place in [tmp_path, *tmp_path.parents]:
        if place.stat().st_uid == os.geteuid() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)
    return root


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can run code as another user")
@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("train/cat", 0o000, "train/cat/ cannot be listed: Permission denied: this user may not; let it"),
        ("train/cat", 0o444, "train/cat holds no image"),
        ("train/cat", 0o444, "left out: 6, such as train/cat/000.png (unreadable)"),
        ("train/cat/001.png", 0o000, "train/cat/001.png cannot be read: Permission denied: this user may not"),
        ("train", 0o000, "train/ cannot be listed: Permission denied"),
        ("", 0o000, "has no train/ and no test/: it holds what cannot be listed (Permission denied)"),
    ],
)
@pytest.mark.parametrize("ask", [data_fingerprint, load_data])
def test_what_this_user_may_not_read_is_named(open_tree, monkeypatch, tmp_path, name, mode, words, ask):
    ask("image_folder", root=open_tree)  # imports what it needs while it may
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "no cache"))
    (open_tree / name).chmod(mode)
    try:
        with as_nobody(), pytest.raises(DataError) as caught:
            ask("image_folder", root=open_tree)
    finally:
        (open_tree / name).chmod(0o755)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "chmod u"), (errno.EIO, "restore it"), (errno.ESTALE, "is gone; start again")]
)
def test_every_refusal_of_the_system_is_named(make_tree, monkeypatch, number, words):
    from poolab.data import content

    def refuse(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(content, "_open", refuse)
    with pytest.raises(DataError, match=rf"(?s)18 faults.*train/cat/000.png cannot be read: .*{words}"):
        data_fingerprint("image_folder", root=make_tree())


def test_a_root_that_is_a_loop_of_links(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "a/deeper"):
        with pytest.raises(DataError, match=r"is not a folder \(.*loop of links"):
            load(tmp_path / name)


def test_splits_that_are_loops_of_links(make_tree):
    root = make_tree()
    shutil.rmtree(root / "test")
    (root / "test").symlink_to(root / "test")
    with pytest.raises(DataError, match="has no test/"):
        load(root)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("root", ""), ("root", 3), ("root", []), ("root", True), ("cache_dir", ""), ("cache_dir", 1.5)],
)
def test_a_folder_must_be_a_path(make_tree, setting, value):
    settings = {"root": make_tree(), setting: value}
    with pytest.raises(ConfigError, match=rf"data.{setting}={'.*' if isinstance(value, list) else repr(value)}"):
        load_data("image_folder", **settings)
    if setting == "root":
        with pytest.raises(ConfigError, match=r"data.root="):
            data_fingerprint("image_folder", root=value)
        with pytest.raises(ConfigError, match=r"data.root="):
            data_shape({"name": "image_folder", "root": value, "image_size": 8, "channels": 3})


@pytest.mark.parametrize("root", ["a\0b", "~nobody-of-this-name/x", "x" * 5000, "/proc/self/mem", "/dev/null"])
def test_strange_roots_are_named(root):
    with pytest.raises((ConfigError, DataError), match=r"data.root="):
        load(root)
    with pytest.raises((ConfigError, DataError), match=r"data.root="):
        data_fingerprint("image_mask_folder", root=root)


def test_a_working_folder_that_was_deleted(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(DataError, match=r"data.root=images is not a folder"):
        load("images")
    monkeypatch.chdir(tmp_path)


def test_paths_are_taken_in_every_form(make_tree, tmp_path, monkeypatch):
    root = make_tree()
    first = load(root, cache_dir=tmp_path / "own").fingerprint
    assert load(str(root), cache_dir=str(tmp_path / "own")).fingerprint == first
    monkeypatch.chdir(tmp_path)
    assert load(Path("tree")).fingerprint == data_fingerprint("image_folder", root="tree") == first
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("~/tree").fingerprint == first


@pytest.mark.parametrize(
    "size", [50_000, 8193, True, "32", "big", 16.5, [8, 16.5], [8], [8, 8, 8], [0, 8], [8, 9000], {}, -1]
)
def test_sizes_that_cannot_be(make_tree, size):
    words = r"data.image_size=.*from 1 to 8192"
    with pytest.raises(ConfigError, match=words):
        load(make_tree(), image_size=size)
    with pytest.raises(ConfigError, match=words):
        data_shape({"name": "cifar10", "image_size": size})


@pytest.mark.parametrize("channels", [0, 2, True, 3.0, "3", [3], -1])
def test_channels_that_cannot_be(make_tree, channels):
    root, words = make_tree(), r"data.channels=.* is not possible: 1 \(grey\), 3 \(colour\) or null"
    with pytest.raises(ConfigError, match=words):
        load(root, channels=channels)
    with pytest.raises(ConfigError, match=words):
        data_shape({"name": "image_folder", "root": root, "image_size": 8, "channels": channels})


def test_a_size_beyond_memory_is_refused(monkeypatch):
    from poolab.data import load as module

    monkeypatch.setattr(module.os, "sysconf", lambda name: 1 << 13)  # 64 MB
    with pytest.raises(ConfigError, match=r"1,797 images of that size take .* of memory; take a smaller size"):
        load_data("digits", image_size=512)
    assert load_data("digits", image_size=512, limit_train=20, limit_test=10, val_fraction=0.5).image_size == (512, 512)


def test_the_form_of_a_folder_is_known_without_reading_its_files(make_tree, monkeypatch):
    from poolab.data import content

    root = make_tree(classes=("a", "b", "c"))
    (root / "train" / ".hidden").mkdir()
    monkeypatch.setattr(content, "_open", lambda path: pytest.fail("read a file"))
    assert data_shape({"name": "image_folder", "root": root, "image_size": [8, 9], "channels": 1}) == (1, (8, 9), 3)


def test_names_of_data_sets_that_are_no_text():
    for name in (None, 5, ["digits"], {}):
        with pytest.raises(ConfigError, match="there is no data set"):
            data_fingerprint(name)


def test_images_without_a_cache_beyond_memory_are_refused(make_tree, tmp_path, monkeypatch):
    from poolab.data import image_cache

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(image_cache, "_memory", lambda: 100)
    with pytest.raises(DataError, match=r"cannot be kept in .* do not fit into memory: data.cache_dir"):
        load(make_tree(), cache_dir=tmp_path / "file")


def test_a_disk_with_too_little_room_is_told_before_decoding(make_tree, monkeypatch, own_folders):
    from poolab.data import image_cache

    usage = shutil.disk_usage("/")
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda place: usage._replace(free=10))
    with pytest.warns(UserWarning, match="more than the disk has left"):
        data = load(make_tree())
    assert len(data.train) == 10
    assert torch.equal(data.train.images, data.train.images_at(slice(None)))


@pytest.mark.parametrize("planted", [None, "a link", "a folder that others write to"])
def test_without_a_home_the_cache_is_a_private_folder(make_tree, tmp_path, monkeypatch, planted):
    from poolab.data import folders

    def nobody(path):
        raise RuntimeError("Could not determine home directory.")

    place = tmp_path / f"poolab-{os.geteuid()}"
    if planted == "a link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    elif planted:
        place.mkdir()
        place.chmod(0o777)
    monkeypatch.delenv("POOLAB_CACHE")
    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.setattr(folders.tempfile, "tempdir", str(tmp_path))
    folders._without_home.cache_clear()
    try:
        found = folders.home_folder()
    finally:
        folders._without_home.cache_clear()
    assert found.parent == tmp_path
    assert (found == place) == (planted is None)
    assert found.lstat().st_mode & 0o077 == 0


def test_a_cache_in_the_home_of_nobody_is_named(make_tree, monkeypatch):
    monkeypatch.setenv("POOLAB_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(ConfigError, match=r"POOLAB_CACHE=~nobody-of-this-name/cache: .*write the whole path"):
        load(make_tree())
