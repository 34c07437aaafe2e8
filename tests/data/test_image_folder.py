import os
import shutil
import threading
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import array_file, data_fingerprint, image_cache, load_data
from poolab.errors import ConfigError, DataError


def load(root, **settings):
    return load_data("image_folder", root=root, **{"val_fraction": 0.2, **settings})


def cache_files(home):
    return sorted((home / "cache" / "images").glob("*"))


def test_images_and_labels_come_from_the_files(make_tree):
    root = make_tree(classes=("dog", "cat"))
    data = load(root)
    assert data.classes == ("cat", "dog")
    assert (data.channels, data.image_size) == (3, (8, 8))
    assert (len(data.train), len(data.val), len(data.test)) == (10, 2, 6)
    files = [(c, path) for c, name in enumerate(data.classes) for path in sorted((root / "test" / name).iterdir())]
    for image, label, (c, path) in zip(data.test.images, data.test.labels, files, strict=True):
        assert label == c
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(Image.open(path)))


def test_no_warning_and_the_mapped_images_may_be_written_to(make_tree):
    root = make_tree()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(root)
        data = load(root)
    before = data.test.images[0].clone()
    data.test.images[0].fill_(7)  # copy-on-write: the file keeps what it has
    assert torch.equal(load(root).test.images[0], before)


def test_the_second_load_does_not_decode(make_tree, own_folders, monkeypatch):
    root = make_tree()
    first = load(root)
    assert [path.suffix for path in cache_files(own_folders)] == [".npy"]

    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(image_cache, "decode", refuse)
    monkeypatch.setattr(image_cache, "read_header", refuse)
    assert torch.equal(load(root).train.images, first.train.images)
    moved = root.rename(root.with_name("elsewhere"))
    assert torch.equal(load(moved).train.images, first.train.images), "the key says nothing of where the folder lies"
    with pytest.raises(DataError, match="decoded again"):
        load(moved, image_size=4)
    with pytest.raises(DataError, match="decoded again"):
        load(moved, channels=1)


def test_a_cache_file_cut_short_is_made_again(make_tree, own_folders):
    root = make_tree()
    first = load(root).test.images.clone()  # of its own: what is mapped goes with the file
    (path,) = cache_files(own_folders)
    path.write_bytes(path.read_bytes()[:-100])
    assert torch.equal(load(root).test.images, first)
    path.write_bytes(b"")
    assert torch.equal(load(root).test.images, first)


def test_a_folder_of_ones_own_for_the_cache(make_tree, own_folders, tmp_path):
    load(make_tree(), cache_dir=tmp_path / "mine")
    assert len(list((tmp_path / "mine" / "images").iterdir())) == 1
    assert cache_files(own_folders) == []


def test_racing_ranks_all_get_whole_images(make_tree, own_folders, monkeypatch):
    root = make_tree(train=30)
    gate = threading.Barrier(4, timeout=30)
    results = []

    # All four find no cache, and only then decode and write.
    target = image_cache._target

    def together(*arguments):
        gate.wait()
        return target(*arguments)

    monkeypatch.setattr(image_cache, "_target", together)

    def rank():
        results.append(load(root).train.images.sum().item())

    threads = [threading.Thread(target=rank) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    monkeypatch.setattr(image_cache, "_target", target)
    assert set(results) == {load(root).train.images.sum().item()}
    assert [path.suffix for path in cache_files(own_folders)] == [".npy"], "no temporary file stays"


def test_a_half_written_cache_is_never_seen(make_tree, own_folders, monkeypatch):
    root = make_tree()
    monkeypatch.setattr(array_file.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        load(root)
    assert cache_files(own_folders) == []


def test_a_cache_folder_that_cannot_be_written_to_costs_one_warning(make_tree, tmp_path):
    root = make_tree()
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="cannot be kept in .*data.cache_dir") as caught:
        data = load(root, cache_dir=tmp_path / "file")
    assert len(caught) == 1
    assert torch.equal(data.train.images, load(root).train.images)


def test_a_full_disk_costs_one_warning(make_tree, monkeypatch, own_folders):
    root = make_tree()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(array_file, "_write_header", full)
    with pytest.warns(UserWarning, match="No space left"):
        data = load(root)
    assert len(data.train) == 10
    assert cache_files(own_folders) == []


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(make_tree, tmp_path):
    root = make_tree()
    first = data_fingerprint("image_folder", root=root)
    assert data_fingerprint("image_folder", root=shutil.copytree(root, tmp_path / "copy")) == first
    assert load(root).fingerprint == first
    os.utime(root / "train" / "cat" / "000.png", (0, 0))
    (root / "train" / "cat" / ".hidden.png").write_text("")
    (root / "train" / "cat" / "notes.txt").write_text("not an image")
    assert data_fingerprint("image_folder", root=root) == first
    (root / "train" / "cat" / "000.png").rename(root / "train" / "cat" / "zzz.png")
    renamed = data_fingerprint("image_folder", root=root)
    (root / "train" / "cat" / "zzz.png").write_bytes(b"1")
    assert len({first, renamed, data_fingerprint("image_folder", root=root)}) == 3


def test_grey_folders_have_one_channel_and_mixed_ones_three(make_tree):
    grey = make_tree("grey", mode="L")
    assert load(grey).channels == 1
    assert load(grey, channels=3).channels == 3
    mixed = make_tree("mixed", mode="L")
    Image.new("RGB", (8, 8), (255, 0, 0)).save(mixed / "train" / "cat" / "000.png")
    assert load(mixed).channels == 3
    assert load(mixed, channels=1).channels == 1


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "CMYK", "1"])
def test_other_kinds_of_image_are_converted(make_tree, mode):
    root = make_tree(mode="L")
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new("RGB", (8, 8), (250, 250, 250)).convert(mode).save(root / "train" / "cat" / f"x.{suffix}")
    assert load(root).channels == (1 if mode in ("LA", "1") else 3)


def test_different_sizes_are_named_and_can_be_brought_to_one(make_tree):
    root = make_tree()
    Image.new("RGB", (20, 10)).save(root / "test" / "dog" / "wide.png")
    with pytest.raises(DataError) as caught:
        load(root)
    words = ["train/cat/000.png is 8x8", "test/dog/wide.png is 10x20", "data.image_size="]
    assert all(word in str(caught.value) for word in words)
    assert load(root, image_size=6).image_size == (6, 6)


def test_resizing_fits_the_shorter_side_and_crops_the_centre(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200  # the middle third is what stays
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert (image_cache.decode(tmp_path / "wide.png", 3, (10, 10)) == 200).all()
    assert (image_cache.decode(tmp_path / "wide.png", 1, (5, 3)) == 200).all()
    assert image_cache.decode(tmp_path / "wide.png", 3, (7, 31)).shape == (3, 7, 31)


def test_a_root_must_be_given():
    with pytest.raises(ConfigError, match=r"data.root=FOLDER with FOLDER/train/<class>"):
        load(None)


@pytest.mark.parametrize("name", ["missing/deeper", "tree/train", "file"])
def test_a_wrong_root_says_what_is_there(make_tree, tmp_path, name):
    make_tree()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    expected = {"missing/deeper": ["not a folder", "file, tree/"], "file": ["not a folder", "file, tree/"]}
    words = expected.get(name, ["no train/ and no test/", "it holds cat/, dog/"])
    assert all(word in str(caught.value) for word in [*words, name])


def test_a_root_with_one_of_both(make_tree):
    root = make_tree()
    shutil.rmtree(root / "test")
    with pytest.raises(DataError, match="has no test/: it holds train/"):
        load(root)


def test_all_faults_of_a_tree_come_at_once(make_tree):
    root = make_tree(classes=("cat", "dog", "emu"))
    shutil.rmtree(root / "test" / "cat")
    (root / "test" / "fox").mkdir()
    for path in (root / "train" / "dog").iterdir():
        path.unlink()
    (root / "train" / "dog" / "notes.txt").write_text("no image")
    with pytest.raises(DataError) as caught:
        load(root)
    message = str(caught.value)
    assert "train/cat is there but test/cat is missing" in message
    assert "test/fox is there but train/fox is missing" in message
    assert "train/dog holds no image" in message
    assert "emu" not in message
    with pytest.raises(DataError):
        data_fingerprint("image_folder", root=root)


def test_no_classes_at_all(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match="no class folders"):
        load(tmp_path)


def test_damaged_images_are_named_together(make_tree):
    root = make_tree(train=8)
    whole = (root / "train" / "cat" / "000.png").read_bytes()
    (root / "train" / "cat" / "000.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (8, 8)).resize((64, 64)).save(root / "test" / "dog" / "cut.jpg")
    cut = root / "test" / "dog" / "cut.jpg"
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(DataError) as caught:
        load(root, image_size=8)
    message = str(caught.value)
    assert "2 faults" in message
    assert all(name in message for name in ("train/cat/000.png", "test/dog/cut.jpg", str(root)))


def test_damage_is_found_without_reading_headers_first(make_tree):
    root = make_tree()
    for name in ("train/cat/001.png", "test/dog/002.png"):
        (root / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"(?s)2 faults.*train/cat/001.*test/dog/002"):
        load(root, image_size=8, channels=3)


def test_many_faults_are_counted(make_tree):
    root = make_tree(train=14)
    for path in (root / "train" / "cat").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        load(root)
    assert len(str(caught.value).splitlines()) == 12
    assert "14 faults" in str(caught.value)
    assert "... and 4 more" in str(caught.value)


def test_sixteen_bit_images_are_refused(make_tree):
    root = make_tree(mode="L")
    Image.fromarray(np.full((8, 8), 1000, np.uint16)).save(root / "train" / "cat" / "deep.png")
    for settings in ({}, {"channels": 1, "image_size": 8}):
        with pytest.raises(DataError, match=r"train/cat/deep.png .*more than 8 bits"):
            load(root, **settings)


def test_a_class_with_one_image_cannot_be_split(make_tree):
    root = make_tree()
    for path in sorted((root / "train" / "dog").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DataError, match="class 'dog' has 1"):
        load(root)
