import pytest

from poolab.catalogue import __main__ as work
from poolab.catalogue import listed
from poolab.catalogue.chosen import own
from poolab.catalogue.pages import MEND, pages, stale, write


def test_the_committed_pages_are_as_the_classes_say(pytestconfig):
    found = stale(pytestconfig.rootpath / "docs" / "poolings")
    assert not found, f"{', '.join(found)}: not as the classes say; mend with: {MEND}"


@pytest.fixture
def three(monkeypatch):
    """Only some of the methods, for speed."""
    monkeypatch.setattr("poolab.catalogue.pages.own", lambda: ["avg", "global_max", "max"])


def test_the_index_has_all_methods_but_a_user_s(three, users_own):
    made = pages()
    assert list(made) == ["README.md", "avg.md", "max.md", "global_max.md"]
    assert all(f"[{name}]({name}.md)" in made["README.md"] for name in ("avg", "max", "global_max"))
    assert own() == [name for name in sorted(listed()) if name != "half_range"]


def test_pages_are_written_mended_and_removed(three, tmp_path, capsys):
    assert work.main(["docs", "--folder", str(tmp_path), "--check"]) == 1
    assert f"mend them: {MEND}" in capsys.readouterr().out
    assert write(tmp_path) == sorted(path.name for path in tmp_path.iterdir()) == sorted(pages())
    (tmp_path / "max.md").write_text("otherwise")
    (tmp_path / "gone.md").write_text("a method that is gone")
    (tmp_path / "avg.md").unlink()
    assert stale(tmp_path) == ["avg.md", "gone.md", "max.md"]
    assert work.main(["docs", "--folder", str(tmp_path)]) == 0
    assert "avg.md, gone.md, max.md" in capsys.readouterr().out
    assert not (tmp_path / "gone.md").exists()
    assert work.main(["docs", "--folder", str(tmp_path), "--check"]) == 0


def test_another_torch_may_count_other_bytes_but_nothing_else(three, tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setattr("torch.__version__", "7.1.0")
    monkeypatch.setattr("poolab.measure.pooling_saved_bytes", lambda *_: {"": 12345678})
    assert "torch 7.1." in pages()["README.md"]
    assert "376.8 bytes" in pages()["max.md"]
    assert stale(tmp_path) == []
    (tmp_path / "max.md").write_text((tmp_path / "max.md").read_text().replace("max_i", "min_i"))
    assert stale(tmp_path) == ["max.md"]
