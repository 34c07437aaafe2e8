"""The identity of an image folder follows the bytes of its files, and an index spares reading them again."""

import json
import os
import shutil
import stat
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import content, data_fingerprint, legacy_fingerprint, load_data, stat_index
from poolab.errors import DataError

HOUR_NS = 3_600_000_000_000


def identity(root, name="image_folder"):
    return data_fingerprint(name, root=root)


def load(root, **settings):
    return load_data("image_folder", root=root, **{"val_fraction": 0.2, **settings})


@pytest.fixture
def bitmaps(tmp_path):
    """A folder of BMP images, which all have one size in bytes."""
    generator = np.random.default_rng(1)
    for split, count in (("train", 5), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / "bitmaps" / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(1, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "bitmaps" / split / name / f"{i}.bmp")
    return tmp_path / "bitmaps"


@pytest.fixture
def rested(monkeypatch):
    """Time stands an hour later for the index, so that files written now have rested."""
    monkeypatch.setattr(content, "now_ns", lambda: time.time_ns() + HOUR_NS)


@pytest.fixture
def reads(monkeypatch):
    """The files whose bytes were hashed."""
    names = []
    attempt = content._attempt
    monkeypatch.setattr(content, "_attempt", lambda root, path: (names.append(path), attempt(root, path))[1])
    return names


def index_files(home):
    return list((home / "cache" / f"index-{os.geteuid()}").glob("*.json"))


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


def test_the_second_time_only_stamps_are_read(bitmaps, rested, reads, own_folders):
    first = identity(bitmaps)
    assert len(reads) == 16
    reads.clear()
    assert identity(bitmaps) == first
    assert reads == []
    one_byte(bitmaps)
    assert identity(bitmaps) != first
    assert reads == ["train/dog/4.bmp"]
    (path,) = index_files(own_folders)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert str(bitmaps) not in path.read_text()


def test_files_that_were_just_written_are_read_again(bitmaps, reads):
    identity(bitmaps)
    reads.clear()
    identity(bitmaps)
    assert len(reads) == 16


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns", "inode", "device"])
def test_each_number_of_a_stamp_counts(tmp_path, field):
    index = stat_index.StatIndex(tmp_path / "i.json")
    stamp = stat_index.Stamp(10, 20, 30, 40, 50)
    index.put("a", stamp, "value", stat_index.RACY_NS + 31)
    index.save()
    index = stat_index.StatIndex(tmp_path / "i.json")
    assert index.get("a", stamp) == "value"
    assert index.get("a", stamp._replace(**{field: 99})) is None
    assert index.get("b", stamp) is None


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"mtime_ns": stat_index.RACY_NS}, False),
        ({"ctime_ns": stat_index.RACY_NS}, False),
        ({"ctime_ns": 10 * stat_index.RACY_NS}, False),  # the future
        ({"mtime_ns": -HOUR_NS}, True),
        ({"inode": 0}, False),
    ],
)
def test_which_stamps_are_trusted(tmp_path, change, kept):
    stamp = stat_index.Stamp(1, 2, 3, 4, 5)._replace(**change)
    index = stat_index.StatIndex(tmp_path / "i.json")
    index.put("a", stamp, "value", 2 * stat_index.RACY_NS)
    index.save()
    assert (stat_index.StatIndex(tmp_path / "i.json").get("a", stamp) == "value") == kept


def flip_a_hash(path):
    text = path.read_text()
    path.write_text(text.replace(text[-6], "0" if text[-6] != "0" else "1"))


def lying(entries):
    """An index with a right checksum whose entries have another form."""

    def write(path):
        body = json.dumps(entries).encode()
        path.write_bytes(stat_index._checksum(body) + b"\n" + body)

    return write


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_hash,
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * 5000),
        lambda path: path.write_bytes(os.urandom(5000)),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text("[" * 100_000),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.rename(path.with_suffix(".x")), path.symlink_to(path.with_suffix(".x"))),
        lambda path: path.chmod(0o666),
        lambda path: os.chown(path, 12345, 12345) if os.geteuid() == 0 else path.chmod(0o666),
        lying([]),
        lying({"train/cat/0.bmp": 1}),
        lying({"train/cat/0.bmp": [1, 2]}),
        lying({"train/cat/0.bmp": "abcdef"}),
        lying(None),
    ],
)
def test_a_damaged_or_foreign_index_is_only_slow(bitmaps, rested, reads, own_folders, damage):
    first = identity(bitmaps)
    (path,) = index_files(own_folders)
    damage(path)
    reads.clear()
    assert identity(bitmaps) == first
    assert len(reads) == 16


def test_an_index_that_cannot_be_written_is_only_slow(bitmaps, rested, reads, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "file"))
    first = identity(bitmaps)
    reads.clear()
    assert identity(bitmaps) == first
    assert reads == [], "this process remembers"
    paint_black(bitmaps)
    assert identity(bitmaps) != first


def test_entries_of_files_that_are_gone_are_dropped(bitmaps, rested, own_folders):
    identity(bitmaps)
    (bitmaps / "train" / "cat" / "0.bmp").unlink()
    identity(bitmaps)
    (path,) = index_files(own_folders)
    assert len(json.loads(path.read_bytes().partition(b"\n")[2])) == 15


def test_processes_that_race_leave_a_whole_index(bitmaps, rested, reads):
    results = []
    threads = [threading.Thread(target=lambda: results.append(identity(bitmaps))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    reads.clear()
    assert identity(bitmaps) == results[0]
    assert reads == []


def test_a_file_that_changes_while_it_is_hashed(bitmaps, monkeypatch):
    digest = content.hashlib.file_digest
    path = bitmaps / "train" / "cat" / "0.bmp"
    changes = iter(range(1, 4))

    def disturbed(file, kind):
        result = digest(file, kind)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()) and (number := next(changes, 0)):
            os.utime(path, ns=(0, number))
        return result

    monkeypatch.setattr(content.hashlib, "file_digest", disturbed)
    with pytest.raises(DataError, match=r"train/cat/0.bmp was changed while it was read"):
        identity(bitmaps)
    assert identity(bitmaps), "when it rests again"


@pytest.mark.parametrize("change", ["painted", "gone", "pipe"])
def test_a_file_that_changes_between_its_hash_and_its_decoding(bitmaps, monkeypatch, own_folders, change):
    from poolab.data import image_folder

    path = bitmaps / "train" / "cat" / "0.bmp"
    hashed = image_folder.hashed

    def then_changed(tree):
        tree = hashed(tree)
        if change == "painted":
            one_byte(bitmaps)
        else:
            path.unlink()
        if change == "pipe":
            os.mkfifo(path)
        return tree

    monkeypatch.setattr(image_folder, "hashed", then_changed)
    words = {"painted": "train/dog/4.bmp .*it was changed", "gone": "0.bmp .*it was listed a moment ago and is gone"}
    with pytest.raises(DataError, match=words.get(change, "0.bmp .*no longer a regular file")):
        load(bitmaps)
    assert not list((own_folders / "cache" / "images").glob("*.npy")), "nothing is kept under a wrong identity"


def cached(home):
    (path,) = (home / "cache" / "images").glob("*.npy")
    return path


def zero_a_page(path):
    with path.open("r+b") as file:
        file.seek(500)
        file.write(bytes(600))


def another_tail(path):
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


def other_shape(path):
    np.save(path, np.zeros((16, 3, 8, 8), np.uint8))


@pytest.mark.parametrize("damage", [zero_a_page, another_tail, other_shape, lambda path: os.truncate(path, 2000)])
@pytest.mark.parametrize("verified", [False, True])
def test_decoded_images_that_were_damaged_in_place_are_made_again(bitmaps, own_folders, monkeypatch, damage, verified):
    from poolab.data import array_file

    first = load(bitmaps).test.images
    if verified:
        monkeypatch.setattr(array_file, "now_ns", lambda: time.time_ns() + HOUR_NS)
        load(bitmaps)
    damage(cached(own_folders))
    assert torch.equal(load(bitmaps).test.images, first)
    assert torch.equal(load(bitmaps).test.images, first)


def test_verified_images_are_not_read_again(bitmaps, monkeypatch):
    from poolab.data import array_file

    monkeypatch.setattr(array_file, "now_ns", lambda: time.time_ns() + HOUR_NS)
    load(bitmaps)
    monkeypatch.setattr(array_file, "_digest_at_end", lambda *_: pytest.fail("read again"))
    load(bitmaps)


def test_a_root_without_inode_numbers_is_read_every_time(bitmaps, rested, reads, monkeypatch):
    of = stat_index.Stamp.of
    monkeypatch.setattr(stat_index.Stamp, "of", classmethod(lambda cls, status: of(status)._replace(inode=0)))
    first = identity(bitmaps)
    assert identity(bitmaps) == first
    assert len(reads) == 32


def test_a_read_only_root(bitmaps, rested):
    for place, _, _ in os.walk(bitmaps, topdown=False):
        os.chmod(place, 0o555)
    try:
        assert identity(bitmaps) == load(bitmaps).fingerprint
    finally:
        for place, _, _ in os.walk(bitmaps):
            os.chmod(place, 0o755)
