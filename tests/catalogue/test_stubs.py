"""The stub files: current, and declaring what the package exports, no more and no less."""

import ast

import pytest

from poolab import pooling
from poolab.catalogue import __main__ as work
from poolab.catalogue.stubs import MEND, exported, stale, type_text, write
from poolab.pooling import functional
from poolab.pooling.registry import POOLS, SIBLINGS


@pytest.fixture(scope="module")
def folder(pytestconfig):
    return pytestconfig.rootpath / "src" / "poolab" / "pooling"


def declared(path):
    """The public names of a stub: what it defines, and what it imports as itself."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names if alias.asname == alias.name}
    return names


def test_the_committed_stubs_are_as_the_classes_say(folder):
    found = stale(folder)
    assert not found, f"{', '.join(found)}: not as the classes say; mend with: {MEND}"


def test_the_package_s_stub_declares_what_it_exports(folder):
    rooms = {"channel", "core", "fused", "head", "window", "map_pool", "registry", "window_pool"}
    names = {name for name in dir(pooling) if not name.startswith("_")}
    assert declared(folder / "__init__.pyi") == names - rooms == set(exported())
    assert {cls.__name__ for cls in (*POOLS.values(), *SIBLINGS.values())} <= names


def test_the_functions_stub_declares_all_functions(folder):
    assert declared(folder / "functional.pyi") == {*dir(functional), "has_twin"}


def test_stale_stubs_are_told_and_written(tmp_path, capsys):
    assert work.main(["stubs", "--folder", str(tmp_path), "--check"]) == 1
    assert f"mend them: {MEND}" in capsys.readouterr().out
    assert write(tmp_path) == ["__init__.pyi", "functional.pyi"]
    (tmp_path / "functional.pyi").write_text("def avg_topk_pool2d(*given): ...\n")
    assert stale(tmp_path) == ["functional.pyi"]
    assert work.main(["stubs", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "written: functional.pyi\n"
    assert work.main(["stubs", "--folder", str(tmp_path), "--check"]) == 0


@pytest.mark.parametrize(("option", "given", "kept"), [
    ("avg_topk.k", "int", "int"),
    ("s3.grid_size", "int | None", "int | None"),
    ("gem.p", "float", "float"),
    ("fractional_max.output_ratio", "float | None", "float | None"),
    ("avg.count_include_pad", "bool", "bool"),
    ("lp.norm", 'Literal["mean", "sum"]', 'Literal["mean", "sum"]'),
    ("flc.window", 'Literal["hamming"] | None', 'Literal["hamming"] | None'),
    ("adaptive_avg.output_size", "int | tuple[int, int]", "int | tuple[int, int]"),
    ("spp.levels", "tuple[int, ...] | list[int]", "tuple[int, ...]"),
])  # fmt: skip
def test_the_type_of_an_option_is_what_it_allows(option, given, kept):
    name, _, field = option.partition(".")
    declared = POOLS[name].options[field]
    assert (type_text(declared.annotation), type_text(declared.kept_annotation)) == (given, kept)
