"""scripts/check_site.py finds links that lead nowhere, and what is loaded from another host."""

import pytest
from check_site import faults, main


@pytest.mark.parametrize(("body", "told"), [
    ('<a href="gone.html">', "the link gone.html leads nowhere"),
    ('<a href="other.html#gone">', "the link other.html#gone leads to no heading"),
    ('<a href="#gone">', "the link #gone leads to no heading"),
    ('<img src="gone.png">', "gone.png is loaded and is not there"),
    ('<script src="https://x.org/a.js"></script>', "https://x.org/a.js is loaded from another host"),
    ('<link rel="stylesheet" href="//x.org/a.css">', "//x.org/a.css is loaded from another host"),
])  # fmt: skip
def test_a_fault_is_told_with_its_page(body, told, tmp_path, capsys):
    (tmp_path / "other.html").write_text('<h2 id="here">')
    (tmp_path / "index.html").write_text(body)
    assert faults(tmp_path) == [f"index.html: {told}"]
    assert main(str(tmp_path)) == 1


def test_a_whole_site_has_none(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text('<a href="../index.html#here">')
    (tmp_path / "index.html").write_text(
        '<h2 id="here"><a href="sub/"><a href="https://x.org"><link rel="canonical" href="/x">'
    )
    assert main(str(tmp_path)) == 0
