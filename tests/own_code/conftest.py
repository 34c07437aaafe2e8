"""A working folder with modules of a user."""

import sys

import pytest

from poolab.own_code import finding
from poolab.pooling import registry as pools
from tests.own_code.modules import DATA, NET, POOL


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """An empty working folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    modules, found, own, siblings = set(sys.modules), dict(finding._FOUND), dict(pools.OWN), dict(pools.SIBLINGS)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for kept, before in ((finding._FOUND, found), (pools.OWN, own), (pools.SIBLINGS, siblings)):
        kept.clear()
        kept.update(before)
    for name in [name for name in sys.modules if name not in modules]:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def files(lab):
    """The working folder with a pooling, a network and data."""
    for name, text in (("own_pool", POOL), ("own_net", NET), ("own_data", DATA)):
        (lab / f"{name}.py").write_text(text)
    return lab
