"""scripts/release_check.py: what it says about version and changelog. (`make release-check` builds and installs.)"""

import pytest
import release_check

from poolab import __version__


def test_three_files_have_one_version(monkeypatch):
    assert release_check.version() == __version__
    monkeypatch.setattr(release_check, "_written", lambda file, pattern: "9.9.9")
    with pytest.raises(release_check.Fault, match=r"the versions differ: pyproject.toml has .*CITATION.cff has 9.9.9"):
        release_check.version()


@pytest.mark.parametrize(("text", "told"), [
    ("## Unreleased\n\n### Added\n- x\n", "has no line '## 1.0.0 - YYYY-MM-DD'"),
    ("## Unreleased\n\n- x\n\n## 1.0.0 - 2026-12-01\n", "has entries under Unreleased"),
    ("## 1.0.0\n", "has no line"),
])  # fmt: skip
def test_a_changelog_that_is_not_ready_is_told(text, told):
    with pytest.raises(release_check.Fault, match=told):
        release_check.changelog("1.0.0", text)
