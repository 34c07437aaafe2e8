"""Docstrings in plain words: each of the room's begins with a verb, a layer's with Apply."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import poolab.pooling

ROOM = Path(poolab.pooling.__file__).parent
# A verb that is missing here is added; a noun, an article or a third person is not.
VERBS = {
    "Add", "Append", "Apply", "Begin", "Bound", "Check", "Choose", "Collect", "Compile", "Compute", "Copy", "Cut",
    "Declare", "Define", "Describe", "Divide", "Draw", "End", "Extend", "Filter", "Give", "Hand", "Hash", "Have",
    "Hold", "Keep", "Let", "Load", "Make", "Name", "Normalise", "Note", "Open", "Pool", "Project", "Read",
    "Record", "Refuse", "Renew", "Repeat", "Return", "Run", "Set", "Split", "Start", "Stop", "Suggest", "Sum",
    "Take", "Tell", "Transform", "Turn", "Warn", "Weight", "Write",
}  # fmt: skip


def documented(node: ast.AST, owner: str = "") -> Iterator[tuple[str, str]]:
    """The classes and functions of a file with their docstrings, without what is inside functions."""
    for child in getattr(node, "body", []):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            name = f"{owner}{child.name}"
            yield name, ast.get_docstring(child) or ""
            if isinstance(child, ast.ClassDef):
                yield from documented(child, f"{name}.")


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOM)))
def test_each_docstring_begins_with_a_verb(path: Path):
    found = dict(documented(ast.parse(path.read_text(encoding="utf-8"))))
    first = {name: text.split()[0].strip(".,:;") for name, text in found.items() if text}
    assert {name: word for name, word in first.items() if word not in VERBS} == {}


@pytest.mark.parametrize("folder", ["channel", "core", "fused", "head", "window"])
def test_each_folder_says_what_it_holds(folder: str):
    assert ast.get_docstring(ast.parse((ROOM / folder / "__init__.py").read_text(encoding="utf-8")))
