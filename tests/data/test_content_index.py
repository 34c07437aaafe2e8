"""What spares reading an image folder again: the index of its files' stamps, and the decoded images."""

import json
import os
import stat
import threading
import time

import numpy as np
import pytest
import torch

from poolab.data import content, stat_index
from poolab.errors import DataError
from tests.data.conftest import HOUR_NS
from tests.data.test_content import identity, load, one_byte, paint_black


def index_files(home):
    return list((home / "cache" / f"index-{os.geteuid()}").glob("*.json"))


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
