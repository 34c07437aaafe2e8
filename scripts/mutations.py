"""Change modules in small ways, one change at a time, and list the changes that no test notices: `make mutations`.

mutmut makes the changes: a border moved, an argument dropped, a word misspelt. Texts of errors that are raised are left
out. mutmut's own runner puts a wrapper around each function and changes no constant; poolab reads the signatures of
functions, so here the whole changed module takes its place in a copy of the project. Its tests run in a fork of a
process that has loaded torch and pytest. `[tool.mutations]` in pyproject.toml names the tests of each module; its
doctests belong to them.

    python scripts/mutations.py src/poolab/records/identity.py --sample 60 --seed 0
"""

import argparse
import ast
import difflib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
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


def mutants(module: str) -> Iterator[tuple[str, str]]:
    """Yield each changed source of a module, and the change in one line."""
    original = (PROJECT / module).read_text()
    tree, mutations, *_ = create_mutations(module, original)
    shown = {id(node) for citation in findall(tree, Call(func=Name("Reference"))) for node in _parts(citation)}
    seen = {ast.dump(ast.parse(original))}
    for mutation in mutations:
        node = mutation.original_node
        source = cast(Module, tree.deep_replace(node, mutation.mutated_node)).code
        with suppress(SyntaxError):  # a `return` in place of a `break` outside a function, say
            meaning = ast.dump(compile(source, module, "exec", ast.PyCF_ONLY_AST))
            prose = isinstance(node, SimpleString) and " " in node.value
            if meaning not in seen and id(node) not in shown and not prose:
                yield source, f"{module}:{_difference(original, source)}"
            seen.add(meaning)


def _parts(node: CSTNode) -> Iterator[CSTNode]:
    yield node
    for child in node.children:
        yield from _parts(child)


def _difference(before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    _, start, stop, first, last = next(each for each in matcher.get_opcodes() if each[0] != "equal")
    was, now = (" ".join(map(str.strip, lines)) for lines in (old[start:stop], new[first:last]))
    return f"{start + 1}: `{was}` -> `{now}`"


def passes(copy: Path, tests: Sequence[str], limit: float) -> bool:
    """Return whether all tests pass in the copy within the limit, in seconds."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(copy)
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        sys.path.insert(0, str(copy / "src"))
        os.environ["PYTHONPATH"] = str(copy / "src")
        os._exit(int(import_module("pytest").main([*OPTIONS, *tests])))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def try_modules(tests: dict[str, list[str]], sample: int | None, seed: int, copy: Path) -> tuple[list[str], list[str]]:
    """Try changes of these modules, drawn from all of theirs; return what was tried and what was not noticed."""
    found = [(module, *mutant) for module in tests for mutant in mutants(module)]
    tried = found if sample is None else random.Random(seed).sample(found, min(sample, len(found)))
    survivors = []
    for module in sorted({each[0] for each in tried}):
        place, own = copy / module, [*tests[module], module]
        for compiled in place.parent.glob(f"__pycache__/{place.stem}.*"):
            compiled.unlink()
        begun = time.monotonic()
        if not passes(copy, own, 600):
            sys.exit(f"{module}: its tests fail without any change: {' '.join(own)}")
        limit = 30 + 5 * (time.monotonic() - begun)
        original = place.read_text()
        for source, difference in (each[1:] for each in tried if each[0] == module):
            place.write_text(source)
            if passes(copy, own, limit):
                survivors.append(difference)
                print(f"  {difference}", file=sys.stderr, flush=True)
        place.write_text(original)
    return [each[2] for each in tried], survivors


def _modules(key: str) -> list[str]:
    """Return the modules that a key of `[tool.mutations]` names: a file, or a folder's."""
    found = sorted((PROJECT / key).glob("[!_]*.py")) if key.endswith("/") else [PROJECT / key]
    return [str(path.relative_to(PROJECT)) for path in found]


def main() -> None:
    """Try the modules that are named, or all of `[tool.mutations]`, and print a row of a table for each name."""
    known: dict[str, list[str]] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["mutations"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", default=list(known), help="a file, or a folder of some")
    parser.add_argument("--sample", type=int, help="so many changes, drawn at random, for each MODULE; else all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    wanted = parser.parse_args()
    for name in LOADED:
        import_module(name)
    # Nothing is compiled to a file: by its time and size a changed module can look like the one before.
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            source = PROJECT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, Path(folder) / name)
        for asked in wanted.modules:
            chosen = {module: known[key] for key in known for module in _modules(key) if module.startswith(asked)}
            if not chosen:
                parser.error(f"{asked}: name its tests in [tool.mutations] of pyproject.toml")
            tried, survivors = try_modules(chosen, wanted.sample, wanted.seed, Path(folder))
            killed = len(tried) - len(survivors)
            low, high = binomtest(killed, len(tried)).proportion_ci(method="wilson")
            print(f"| {asked} | {len(tried)} | {killed} | {killed / len(tried):.0%} | {low:.0%} to {high:.0%} |")
            print(*survivors, sep="\n", flush=True)


if __name__ == "__main__":
    main()
