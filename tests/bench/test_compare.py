import argparse
import copy
import json

import pytest

from poolab.bench import compare
from poolab.errors import ConfigError


def ratio(median, half=0.01, refused=False):
    share = {"median": median, "low": median * (1 - half), "high": median * (1 + half), "rounds": 15}
    return {**share, "iqr": median * half, "refused": refused}


def cell(method, backend, figure, direction="both"):
    return {"method": method, "backend": backend, "direction": direction, "ratio": figure, "seconds": ratio(1e-3)}


@pytest.fixture
def old():
    place = {"shape": "2x4x8x8", "kernel": "2/2", "layout": "contiguous", "dtype": "float32", "device": "cpu"}
    cells = [
        cell("max", "nn.MaxPool2d", None),
        cell("min", "plain", ratio(2.0)),
        cell("lp", "plain", ratio(4.0)),
        cell("gem", "plain", ratio(3.0)),
        cell("lse", "plain", ratio(3.0)),
        {"method": "blur", "backend": "plain", "fault": "ValueError: no"},
    ]
    made = {"processor": "Some CPU", "cpus": 2, "threads": 2, "devices": {"cpu": "x86_64"}, "python": "3.11.7"}
    made["packages"] = {"torch": "2.15.0", "poolab": "0.1.0"}
    return {"benchmark": "ops", "format": 1, "made_with": made, "groups": [{**place, "cells": cells}]}


@pytest.fixture
def new(old):
    changed = copy.deepcopy(old)
    cells = changed["groups"][0]["cells"]
    cells[1]["ratio"], cells[2]["ratio"] = ratio(1.0), ratio(4.8)
    cells[3]["ratio"], cells[4]["ratio"] = ratio(3.06, half=0.001), ratio(1.0, refused=True)
    return changed


def verdicts(result):
    return {row["method"]: row["verdict"] for rows in result["groups"].values() for row in rows}


def test_clear_changes_are_marked(old, new):
    result = compare.compare(old, new)
    assert verdicts(result) == {"min": "faster", "lp": "slower", "gem": "", "lse": "refused"}
    (rows,) = result["groups"].values()
    assert rows[0]["quotient"] == 0.5
    assert 0.49 < rows[0]["low"] < 0.5 < rows[0]["high"] < 0.51
    assert result["differences"] == {}
    assert result["only"] == {"old": {}, "new": {}}


def test_a_wide_interval_is_no_clear_change(old, new):
    new["groups"][0]["cells"][1]["ratio"] = ratio(1.7, half=0.2)
    assert verdicts(compare.compare(old, new))["min"] == ""


def test_a_result_beside_itself_has_no_change(old):
    assert set(verdicts(compare.compare(old, old)).values()) == {""}


def test_what_only_one_has_is_listed(old, new):
    del old["groups"][0]["cells"][1]
    new["groups"].append({**copy.deepcopy(new["groups"][0]), "layout": "channels_last"})
    result = compare.compare(old, new)
    assert result["only"] == {
        "old": {},
        "new": {
            "2x4x8x8 2/2 contiguous float32 cpu": ["min plain both"],
            "2x4x8x8 2/2 channels_last float32 cpu": ["all 4 ratios"],
        },
    }


def test_two_kinds_do_not_compare(old, new):
    new["benchmark"] = "net"
    with pytest.raises(ConfigError, match="old result is of ops, the new one of net"):
        compare.compare(old, new)


def run(tmp_path, old, new, *words):
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, content in zip(paths, (old, new), strict=True):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    arguments = parser.parse_args([*map(str, paths), *words])
    return arguments.run(arguments)


def test_the_command_says_it_all(tmp_path, capsys, old, new):
    new["made_with"] |= {"threads": 1, "packages": {"torch": "2.11.0", "poolab": "0.2.0"}}
    new["groups"][0]["cells"].append(cell("mixed", "plain", ratio(1.0)))
    out, table = tmp_path / "compared.json", tmp_path / "compared.md"
    assert run(tmp_path, old, new, "--json", str(out), "--markdown", str(table)) == 0
    shown = capsys.readouterr().out
    assert "The two differ in threads: 2 before, 1 now." in shown
    assert "The two differ in torch: 2.15.0 before, 2.11.0 now." in shown
    assert "poolab" not in shown  # the version of what is compared may differ
    assert "Only in the new result, 2x4x8x8 2/2 contiguous float32 cpu: mixed plain both." in shown
    assert "4 ratios: 1 clearly faster, 1 clearly slower, 1 without a clear change, 1 refused" in shown
    tables = [line for line in shown.splitlines() if "plain" in line and "Only" not in line]
    assert tables
    assert max(map(len, tables)) <= 80
    assert verdicts(json.loads(out.read_text()))["min"] == "faster"
    assert "| min plain both | 2.00 1.98-2.02 | 1.00 0.99-1.01 | 0.50 0.49-0.51 | faster |" in table.read_text()


@pytest.mark.parametrize(("content", "message"), [
    ("{", "cannot be read as a result"),
    ("[]", "is not a result of format 1"),
    ({"format": 2, "groups": []}, "is not a result of format 1"),
])  # fmt: skip
def test_a_wrong_file_is_told(tmp_path, capsys, old, content, message):
    assert run(tmp_path, old, content) == 2
    assert message in capsys.readouterr().err


def test_nothing_in_common_is_told(tmp_path, capsys, old):
    assert run(tmp_path, old, {**old, "groups": []}) == 0
    assert "The two results have no ratio in common." in capsys.readouterr().out
