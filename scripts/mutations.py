"""Change modules in small ways, one change at a time, and list the changes that no test notices: `make mutations`.

mutmut makes the changes: a border moved, an argument dropped, a word misspelt. Its own runner wraps functions, whose
signatures poolab reads, and leaves constants alone; so here a changed module takes its place in a copy of the project.
The tests run in a fork of a process that has loaded torch and pytest. `[tool.mutations]` in pyproject.toml names the
tests of each module; its doctests belong to them. Sentences and references, which people read, are not changed.

    python scripts/mutations.py src/poolab/records/identity.py --sample 60 --seed 0
"""

import argparse
import ast
import difflib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import cast

from libcst import CSTNode, Module, SimpleString
from libcst.matchers import Call, Name, findall
from mutmut.mutation.file_mutation import create_mutations
from scipy.stats import binomtest

PROJECT = Path(__file__).resolve().parents[1]
COPIED = ("src", "tests", "conf", "scripts", "benchmarks", "conftest.py", "pyproject.toml", "train.py")
# Slow to import, and no module of poolab: what is loaded before a fork is not loaded again in it.
LOADED = ("pytest", "hypothesis", "torch", "torchvision", "torchmetrics", "pytorch_lightning", "hydra", "scipy.stats")
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
Mutant = tuple[str, str, str]


def mutants(module: str) -> Iterator[Mutant]:
    """Yield the module with each of its changed sources, and the change in one line."""
    original = (PROJECT / module).read_text()
    tree, mutations, *_ = create_mutations(module, original)
    shown = {id(node) for call in findall(tree, Call(func=Name("Reference"))) for node in _parts(call)}
    seen = {ast.dump(ast.parse(original))}
    for node, changed in ((each.original_node, each.mutated_node) for each in mutations):
        source = cast(Module, tree.deep_replace(node, changed)).code
        with suppress(SyntaxError):  # `return` in place of `break` outside a function, for instance
            meaning = ast.dump(compile(source, module, "exec", ast.PyCF_ONLY_AST))
            sentence = isinstance(node, SimpleString) and " " in node.value
            if meaning not in seen and id(node) not in shown and not sentence:
                yield module, source, _difference(original, source)
            seen.add(meaning)


def _parts(node: CSTNode) -> list[CSTNode]:
    return [node, *(part for child in node.children for part in _parts(child))]


def _difference(old: str, new: str) -> str:
    _, _, place, *lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return f"{place.split()[1][1:]}: {' '.join(f'{line[0]} `{line[1:].strip()}`' for line in lines)}"


def passes(copy: Path, tests: Sequence[str], limit: float) -> bool:
    """Return whether all tests pass in the copy within the limit, in seconds."""
    child = multiprocessing.get_context("fork").Process(target=_test, args=(copy, tests))
    child.start()
    child.join(limit)
    if child.exitcode is None and child.pid is not None:
        os.killpg(child.pid, signal.SIGKILL)  # with what the tests have started
        child.join()
    return child.exitcode == 0


def _test(copy: Path, tests: Sequence[str]) -> None:
    os.setsid()
    os.chdir(copy)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.path.insert(0, str(copy / "src"))
    os.environ["PYTHONPATH"] = str(copy / "src")
    sys.exit(int(import_module("pytest").main([*OPTIONS, *tests])))


def survivors(tried: Sequence[Mutant], tests: Mapping[str, Sequence[str]], copy: Path) -> Iterator[str]:
    """Yield the changes with which all tests of their module pass."""
    begun = time.monotonic()
    if not passes(copy, list(dict.fromkeys(test for module, *_ in tried for test in tests[module])), 600):
        sys.exit("the tests fail without any change")
    limit = 60 + 2 * (time.monotonic() - begun)
    for module, source, change in tried:
        original = (copy / module).read_text()
        (copy / module).write_text(source)
        if passes(copy, tests[module], limit):
            yield f"{module}:{change}"
        (copy / module).write_text(original)


def main() -> None:
    """Try the modules that are named, and print a row of a table for each name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+", metavar="MODULE", help="a file, or how the names of some begin")
    parser.add_argument("--sample", type=int, default=sys.maxsize, help="so many changes for each MODULE; else all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    wanted = parser.parse_args()
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["mutations"]
    paths = ((str(path.relative_to(PROJECT)), key) for key in told for path in sorted(PROJECT.glob(key)))
    tests = {path: [*told[key], path] for path, key in paths}
    for name in LOADED:
        import_module(name)
    # Nothing is compiled to a file: by its time and size a changed module can look like the one before.
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            copy_one = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy_one(PROJECT / name, Path(folder) / name)
        for asked in wanted.modules:
            found = [each for module in tests if module.startswith(asked) for each in mutants(module)]
            if not found:
                parser.error(f"{asked}: name its tests in [tool.mutations] of pyproject.toml")
            tried = random.Random(wanted.seed).sample(found, min(wanted.sample, len(found)))
            left = list(survivors(sorted(tried), tests, Path(folder)))
            killed, count = len(tried) - len(left), len(tried)
            low, high = binomtest(killed, count).proportion_ci(method="wilson")
            print(f"| {asked} | {len(found)} | {count} | {killed} | {killed / count:.0%} | {low:.0%} to {high:.0%} |")
            print(*left, sep="\n", flush=True)


if __name__ == "__main__":
    main()
