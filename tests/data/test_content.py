"""The identity of an image folder follows the bytes of its files."""

import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import data_fingerprint, legacy_fingerprint, load_data
from poolab.errors import DataError

HOUR_NS = 3_600_000_000_000


def identity(root, name="image_folder"):
    return data_fingerprint(name, root=root)


def load(root, **settings):
    return load_data("image_folder", root=root, **{"val_fraction": 0.2, **settings})


def paint_black(root):
    """Other pixels under the same name, size and modification time, in the same inode."""
    for path in root.rglob("*.bmp"):
        before = path.stat()
        with path.open("r+b") as file:
            file.seek(54)
            file.write(bytes(before.st_size - 54))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_images_painted_over_in_place_are_other_data(bitmaps, rested):
    first, pixels = identity(bitmaps), load(bitmaps).train.images
    assert pixels.any()
    paint_black(bitmaps)
    assert identity(bitmaps) != first
    assert not load(bitmaps).train.images.any(), "trained on the old pixels"


def swap_folders(root):
    for split in ("train", "test"):
        one, other, between = root / split / "cat", root / split / "dog", root / split / "between"
        one.rename(between)
        other.rename(one)
        between.rename(other)


def swap_two_files(root):
    one, other = root / "train" / "cat" / "0.bmp", root / "train" / "dog" / "0.bmp"
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def replace_by_rename(root):
    path = root / "test" / "dog" / "1.bmp"
    before = path.stat()
    new = path.with_name("new")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(new, "bmp")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)


def one_byte(root):
    path = root / "train" / "dog" / "4.bmp"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


def another_label(root):
    (root / "train" / "cat" / "3.bmp").rename(root / "train" / "dog" / "33.bmp")


def link_elsewhere(root):
    path = root / "train" / "cat" / "2.bmp"
    path.unlink()
    path.symlink_to(root / "train" / "dog" / "2.bmp")


@pytest.mark.parametrize(
    "change", [swap_folders, swap_two_files, replace_by_rename, one_byte, another_label, link_elsewhere]
)
def test_every_change_of_content_or_label_is_seen(bitmaps, rested, change):
    first, before = identity(bitmaps), load(bitmaps)
    old = before.test.images[0].clone(), before.train.images.sum()
    change(bitmaps)
    after = load(bitmaps)
    assert identity(bitmaps) == after.fingerprint != first
    fresh = load(shutil.copytree(bitmaps, bitmaps.with_name("fresh")))
    assert fresh.fingerprint == after.fingerprint
    assert torch.equal(fresh.train.images, after.train.images)
    assert torch.equal(fresh.test.labels, after.test.labels)
    if change is swap_folders:
        assert not torch.equal(after.test.images[0], old[0])


def same_bytes_again(root):
    for path in root.rglob("*.bmp"):
        path.write_bytes(path.read_bytes())


def other_times(root):
    for path in root.rglob("*.bmp"):
        os.utime(path, (0, 0))


def hard_links(root):
    copy = shutil.copytree(root, root.with_name("linked"), copy_function=os.link)
    shutil.rmtree(root)
    copy.rename(root)


def linked_class(root):
    elsewhere = root.with_name("elsewhere")
    (root / "train" / "cat").rename(elsewhere)
    (root / "train" / "cat").symlink_to(elsewhere, target_is_directory=True)


@pytest.mark.parametrize("change", [same_bytes_again, other_times, hard_links, linked_class])
def test_what_leaves_the_content_leaves_the_identity(bitmaps, rested, change):
    first = identity(bitmaps)
    change(bitmaps)
    assert identity(bitmaps) == first
    link = bitmaps.with_name("link")
    link.symlink_to(bitmaps, target_is_directory=True)
    assert identity(link) == first


@pytest.mark.parametrize("changed", ["train/images/00.png", "test/masks/01.png", "classes.txt"])
def test_images_masks_and_names_count(tmp_path, rested, changed):
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for kind, shape in (("images", (8, 8, 3)), ("masks", (8, 8))):
            (tmp_path / split / kind).mkdir(parents=True)
            for i in range(6):
                pixels = generator.integers(0, 2, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / kind / f"{i:02}.png", compress_level=0)
    (tmp_path / "classes.txt").write_text("ground\ncat\n")
    first = identity(tmp_path, "image_mask_folder")
    load_data("image_mask_folder", root=tmp_path, val_fraction=0.2)
    path = tmp_path / changed
    size = path.stat().st_size
    if changed == "classes.txt":
        path.write_text("ground\ndog\n")
    else:
        pixels = np.asarray(Image.open(path))
        Image.fromarray(1 - pixels).save(path, compress_level=0)
    assert path.stat().st_size == size
    after = load_data("image_mask_folder", root=tmp_path, val_fraction=0.2)
    assert after.fingerprint == identity(tmp_path, "image_mask_folder") != first
    if changed.startswith("test"):
        assert torch.equal(after.test.labels[1], torch.from_numpy(1 - pixels))


def test_the_form_stays_and_differs_from_that_of_names_and_sizes(bitmaps):
    kind, _, digits = identity(bitmaps).rpartition("-")
    assert (kind, len(digits)) == ("image_folder", 24)
    assert legacy_fingerprint("image_folder", root=bitmaps).startswith("image_folder-")
    assert legacy_fingerprint("image_folder", root=bitmaps) != identity(bitmaps)


def test_the_legacy_identity_is_the_one_that_was(tmp_path):
    """Fixed numbers, from the code before content counted."""
    for split in ("train", "test"):
        for name, files in (("cat", ("a.png", "b.JPG", ".x.png", "c.jfif")), ("dog", ("a.bmp", "notes.txt"))):
            (tmp_path / "tree" / split / name).mkdir(parents=True)
            for number, file in enumerate(files):
                (tmp_path / "tree" / split / name / file).write_bytes(bytes(10 + number))
        for kind in ("images", "masks"):
            (tmp_path / "pairs" / split / kind).mkdir(parents=True)
            for stem in ("a", "a-b", "c"):
                suffix = "png" if kind == "masks" else "jpg"
                (tmp_path / "pairs" / split / kind / f"{stem}.{suffix}").write_bytes(bytes(20))
    (tmp_path / "pairs" / "classes.txt").write_text("one\ntwo\n")
    assert legacy_fingerprint("image_folder", root=tmp_path / "tree") == "image_folder-2dda19e7217372389186d241"
    assert (
        legacy_fingerprint("image_mask_folder", root=tmp_path / "pairs") == "image_mask_folder-d86d0c7eaaad71016dc6a470"
    )
    assert legacy_fingerprint("digits") == "digits-1"
    with pytest.raises(DataError, match="cannot be listed"):
        legacy_fingerprint("image_folder", root=tmp_path / "nowhere")
