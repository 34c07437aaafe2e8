"""docs/export.md is what scripts/export_table.py makes of benchmarks/export.json."""

import json

from poolab.pooling import list_pools


def test_the_page_is_up_to_date(export_table, pytestconfig):
    found = json.loads((pytestconfig.rootpath / "benchmarks" / "export.json").read_text())
    assert set(found) <= set(list_pools())
    page = (pytestconfig.rootpath / "docs" / "export.md").read_text()
    assert page == export_table.rendered(found), "make it again: python scripts/export_table.py page > docs/export.md"


def test_rows_and_reasons(export_table):
    row = {"difference": 2.3e-7, "changed": 0.0, "accuracy": [0.9, 0.92]}
    fault = {"fault": "slot pool1 (b): the operator aten.sort.stable has no translation"}
    found = {
        "a": {f"{form} {precision}": row for _, form, precision in export_table.COLUMNS} | {"bytes": 2000, "time": 1.5},
        "b": {"onnx float32": fault, "onnx int8": fault, "torch_export float32": {**row, "difference": 0.0}},
    }
    text = export_table.rendered(found)
    assert "ONNX Runtime agrees\nwith 1 of 2 to 2.3e-07" in text
    assert "| [a](poolings/a.md) | 2e-7 | -2.0 | 2e-7 | 2e-7 | 2 | 1.50 |" in text
    assert "| [b](poolings/b.md) | no | no | 0 | no | - | - |" in text
    assert "- `b`: the operator aten.sort.stable has no translation (ONNX, ONNX int8)" in text
    assert "{{" not in text
