"""What the tests of exports share."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest


@pytest.fixture(scope="module")
def export_table(pytestconfig):
    """scripts/export_table.py, which is no module of a package; what it does to sys.path is taken back."""
    path = list(sys.path)
    spec = spec_from_file_location("export_table", pytestconfig.rootpath / "scripts" / "export_table.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path
