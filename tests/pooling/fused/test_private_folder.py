"""A library that somebody else may have put into the cache is not loaded; the work goes on."""

import os
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from poolab.pooling.fused import building, library, private_folder
from poolab.pooling.fused.private_folder import NotPrivate
from tests.pooling.fused.small import PLANTED, SOURCE

STRANGER = 4321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


def plant(folder: Path) -> Path:
    """Put another library in the place of ours, with a digest that is right."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = library.file_name(SOURCE)
    data = building.build(PLANTED, ["/tmp"])
    path = folder / name
    path.write_bytes(data + library._digest(name, data))
    path.chmod(0o600)
    return path


def call(expected_warning: str | None) -> int:
    """What the library's first function returns, with the warning that is expected and no other."""
    if expected_warning is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return library.library(SOURCE).forward()
    with pytest.warns(UserWarning, match=expected_warning) as caught:
        first, second = (library.library(SOURCE).forward() for _ in range(2))
    assert len(caught) == 1
    assert first == second
    return first


def test_the_planted_library_would_be_taken_from_a_private_folder(fresh):
    plant(fresh)
    assert call(None) == 666  # so that the tests below can fail


@as_root
def test_a_folder_of_another_user(fresh):
    os.chown(plant(fresh).parent, STRANGER, -1)
    assert call(rf"not kept.*kernels' belongs to user {STRANGER}: take it over with chown, or name a folder") == 41


@as_root
def test_a_file_of_another_user_is_replaced(fresh):
    path = plant(fresh)
    os.chown(path, STRANGER, -1)
    assert call(None) == 41
    assert path.stat().st_uid == os.geteuid()


@as_root
def test_a_folder_above_of_another_user(fresh, monkeypatch):
    plant(fresh / "deep" / "kernels")
    monkeypatch.setenv("POOLAB_CACHE", str(fresh / "deep"))
    os.chown(fresh, STRANGER, -1)
    assert call(f"belongs to user {STRANGER}") == 41


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702, 0o770, 0o1777])
@pytest.mark.parametrize("place", ["folder", "file", "above"])
def test_what_others_can_write_to(fresh, monkeypatch, mode, place):
    monkeypatch.setattr(private_folder, "_is_own_group", lambda group: False)
    path = plant(fresh)
    changed = {"folder": fresh, "file": path, "above": fresh.parent}[place]
    changed.chmod(mode)
    if place == "above" and mode == 0o1777:  # as /tmp is
        assert call(None) == 666
    elif place == "file":
        assert call(None) == 41
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    else:
        assert call(rf"is writable by .*\(mode {mode:o}\): chmod go-w ") == 41


def test_the_users_own_group_may_write(fresh, monkeypatch):
    monkeypatch.setattr(private_folder, "_is_own_group", lambda group: True)
    plant(fresh)
    fresh.chmod(0o770)
    assert call(None) == 666


def test_a_link_in_place_of_the_file(fresh, tmp_path):
    path = plant(tmp_path / "elsewhere")
    fresh.mkdir(mode=0o700)
    (fresh / path.name).symlink_to(path)
    assert call(None) == 41
    assert not (fresh / path.name).is_symlink()


@as_root
def test_a_link_to_the_folder_of_another_user(fresh, tmp_path):
    path = plant(tmp_path / "elsewhere")
    os.chown(path.parent, STRANGER, -1)
    fresh.symlink_to(path.parent)
    assert call(f"belongs to user {STRANGER}") == 41


def test_a_link_in_a_folder_that_others_can_write_to(fresh, tmp_path, monkeypatch):
    plant(tmp_path / "own" / "kernels")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "link").symlink_to(tmp_path / "own")
    shared.chmod(0o777)
    monkeypatch.setenv("POOLAB_CACHE", str(shared / "link"))
    assert call("shared' is writable by everybody") == 41


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_value_means_the_home_folder(fresh, monkeypatch, tmp_path, value):
    work, home = tmp_path / "work", tmp_path / "home"
    plant(work / "kernels")
    home.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("POOLAB_CACHE", "")
    if value is None:
        monkeypatch.delenv("POOLAB_CACHE")
    assert call(None) == 41
    assert [path.name for path in (home / ".cache/poolab/kernels").iterdir()] == [library.file_name(SOURCE)]


def test_the_home_folder_is_expanded_and_a_relative_path_is_settled(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("POOLAB_CACHE", "~/c")
    assert private_folder.cache_folder() == tmp_path / "c" / "kernels"
    monkeypatch.setenv("POOLAB_CACHE", f"relative of {tmp_path.name}")
    monkeypatch.chdir(tmp_path)
    settled = private_folder.cache_folder()
    monkeypatch.chdir("/")
    assert private_folder.cache_folder() == settled == tmp_path / f"relative of {tmp_path.name}" / "kernels"


@pytest.mark.parametrize(("cache", "home"), [("", "."), ("~nobody-of-this-name/x", None)])
def test_a_home_that_is_not_known(fresh, monkeypatch, tmp_path, cache, home):
    plant(tmp_path / ".cache/poolab/kernels")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POOLAB_CACHE", cache)
    if home:
        monkeypatch.setenv("HOME", home)
    assert call("home folder of .* is not known: set HOME") == 41


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_what_is_made_is_private_under_any_umask(fresh, monkeypatch, tmp_path, umask):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "a" / "b"))
    before = os.umask(umask)
    try:
        assert call(None) == 41
    finally:
        os.umask(before)
    folder = tmp_path / "a" / "b" / "kernels"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o755 & ~umask  # images may be shared there
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert library.is_kept(SOURCE)


@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "quoted"', "Übung 数据", "x" * 200, "a\x1b[31mb", "-dash", "%s{}"]
)
def test_any_name_will_do(fresh, monkeypatch, tmp_path, name):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / name))
    assert call(None) == 41
    assert library.is_kept(SOURCE)


def _loop(path: Path) -> Path:
    (path / "loop").symlink_to(path / "loop")
    return path / "loop"


def _file(path: Path) -> Path:
    (path / "file").write_text("")
    return path / "file"


def _dangling(path: Path) -> Path:
    (path / "dangling").symlink_to(path / "nowhere")
    return path / "dangling"


def _fifo(path: Path) -> Path:
    os.mkfifo(path / "fifo")
    return path / "fifo"


UNUSABLE = [
    _loop,
    _file,
    _dangling,
    _fifo,
    lambda path: path / ("x" * 300),
    lambda path: path.joinpath(*["y" * 200] * 30),
]


@pytest.mark.parametrize("make", UNUSABLE, ids=["loop", "file", "dangling", "fifo", "long name", "long path"])
def test_a_folder_that_cannot_be_used(fresh, monkeypatch, tmp_path, make):
    monkeypatch.setenv("POOLAB_CACHE", str(make(tmp_path)))
    assert call("each process compiles its own: .* cannot be used") == 41


def test_a_full_disk_and_a_cache_that_is_deleted_meanwhile(fresh, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(library, "write_file", full)
        assert call(r"cannot be written \(No space left on device\)") == 41
    loaded = library.library(SOURCE)
    assert library.is_kept(SOURCE)
    for path in fresh.iterdir():
        path.unlink()
    fresh.rmdir()
    assert loaded.forward() == 41
    assert call(None) == 41


def test_what_lies_there_of_an_older_version_is_left_alone(fresh):
    fresh.mkdir(mode=0o700)
    old = fresh / f"{'0' * 24}.so"
    old.write_bytes(b"old")
    assert call(None) == 41
    assert old.read_bytes() == b"old"


def test_images_beside_it_may_be_shared(fresh):
    (fresh.parent / "images").mkdir()
    (fresh.parent / "images").chmod(0o1777)
    assert call(None) == 41


@as_root
def test_a_process_that_has_taken_another_user(fresh, tmp_path):
    tmp_path.chmod(0o755)
    code = f"""
import os, warnings
from poolab.pooling.fused import building, library
os.seteuid({STRANGER})
building.sys.executable = ""  # the user may not be able to run it
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert library.library({SOURCE!r}).forward() == 41
print(len(caught), caught[0].message)
"""
    plant(fresh)
    environment = {**os.environ, "TMPDIR": "/tmp"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 kernels of poolings are not kept")


def test_a_temporary_folder_that_others_can_write_to_is_not_used(fresh, monkeypatch, tmp_path):
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    assert library._folders() == [str(fresh)]
    shared.chmod(0o1777)
    assert library._folders() == [str(fresh), str(shared)]


def test_two_processes_and_eight_threads_make_the_same_kernel(fresh):
    code = f"""
import threading
from poolab.pooling.fused import library
found = []
work = [threading.Thread(target=lambda: found.append(library.library({SOURCE!r}).forward())) for _ in range(8)]
for thread in work: thread.start()
for thread in work: thread.join()
assert found == [41] * 8, found
"""
    running = [subprocess.Popen([sys.executable, "-W", "error", "-c", code]) for _ in range(2)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert [path.name for path in fresh.iterdir()] == [library.file_name(SOURCE)]


def test_eight_threads_make_a_kernel_once(fresh, monkeypatch):
    import torch

    from poolab.pooling import AvgTopKPool2d, use_backend
    from poolab.pooling.fused import kernels

    made, real = [], kernels._made
    monkeypatch.setattr(kernels, "_made", lambda key: made.append(key) or real(key))

    def work():
        with use_backend("fused"):
            AvgTopKPool2d(2)(torch.zeros(1, 1, 4, 4))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_container_that_knows_only_its_user(monkeypatch, tmp_path):
    """There, root's folders belong to "nobody": trusted above the cache, not as the cache."""
    monkeypatch.setattr(private_folder, "_unmapped", lambda: (65534,))
    found = os.stat_result((0o40755, 0, 0, 1, 65534, 65534, 0, 0, 0, 0))
    private_folder._check("/home", found, is_above=True)
    with pytest.raises(NotPrivate, match="belongs to user"):
        private_folder._check("/home", found)
