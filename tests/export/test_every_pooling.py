"""Every pooling inside keras_cnn in every format: what benchmarks/export.json says of it still holds."""

import json
import os
from pathlib import Path

import pytest

from poolab.pooling import list_pools

pytest.importorskip("onnxscript", reason="needs the extra `export`")


@pytest.fixture(scope="module")
def maximum(export_table, tmp_path_factory):
    """The network with max pooling in ONNX Runtime, which the others' time is compared with."""
    return export_table.session(export_table.exported("max", tmp_path_factory.mktemp("max"), {})["file"])


@pytest.fixture(scope="module")
def known(pytestconfig):
    """What was measured before; with POOLAB_EXPORTS=FILE each new row is added to that file."""
    place = os.environ.get("POOLAB_EXPORTS")
    path = Path(place) if place else pytestconfig.rootpath / "benchmarks" / "export.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    before = dict(rows)

    def keep(name, row):
        rows[name] = row
        if place:
            path.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")

    return before, keep


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # exporters'
@pytest.mark.parametrize("name", list_pools())
def test_a_pooling_gives_in_each_format_what_it_gives_in_torch(name, export_table, maximum, known, tmp_path):
    before, keep = known
    row = export_table.measured(name, tmp_path, maximum)
    keep(name, row)
    for key in [f"{form} {precision}" for _, form, precision in export_table.COLUMNS]:
        if "fault" in row[key]:
            assert "difference" not in before.get(name, {}).get(key, {}), row[key]
        elif key.endswith("float32"):
            assert row[key]["difference"] < 1e-4
            assert row[key]["accuracy"][0] == row[key]["accuracy"][1]
        else:
            assert row[key]["changed"] <= 0.05
