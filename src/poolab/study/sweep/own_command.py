"""The program that a study's `command` starts, as W&B's agent would: poolab with its own arguments, or another."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from poolab.errors import ConfigError
from poolab.study.sweep.cells import ASSIGNMENT
from poolab.study.sweep.command import command
from poolab.study.sweep.parameters import LOOKED_UP, Parameter

ARGUMENTS = "${args_no_hyphens}"
# The code of poolab's train.py, whatever its docstring says; people also have copies of the first one.
FIRST_ENTRY = """
import sys
from poolab.cli import train
if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
"""
ENTRY = """
import sys
from importlib.util import find_spec
for package in ("poolab", "torch"):
    if find_spec(package) is None:
        way = "run `. .venv/bin/activate`, or `pip install -e .`"
        sys.exit(f"{package} is not installed in this Python ({sys.executable}); {way}")
from poolab.cli import train
if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
"""
ENTRY_SIZE = 2_000  # bytes at most
FLAGS = ("-u", "-B")  # of Python, that change no result
FORM = "[${env}, ${interpreter}, ${program}, ${args_no_hyphens}]"


class Started(NamedTuple):
    """The program that a study starts: `trains` if it is poolab, and the command's settings around the parameters."""

    trains: bool
    before: tuple[Parameter, ...] = ()
    after: tuple[Parameter, ...] = ()


def read_command(program: str, given: Sequence[str], errors: list[str]) -> Started:
    """Read which program a study starts; differences from W&B's agent are added to `errors`.

    >>> read_command("fit.py", (), []).trains, read_command("train.py", (), []).trains
    (False, True)
    """
    if not given:
        return Started(is_own(program))
    words = _behind_start(program, list(given))
    if words is None:
        if is_own(program):
            errors.append(
                f"command must be {FORM}, and may have key=value beside the last one; poolab would leave out "
                f"other words at its start, found {', '.join(given)}"
            )
            words = [word for word in given if word.startswith("${args")]
        else:
            errors += _macro_errors(program, given)
            return Started(False)
    if words.count(ARGUMENTS) != 1:
        lacks = "lacks" if ARGUMENTS not in words else "has more than one"
        errors.append(f"command {lacks} {ARGUMENTS}, found {', '.join(given)}")
        return Started(True)
    index = words.index(ARGUMENTS)
    return Started(True, _constants(words[:index], errors), _constants(words[index + 1 :], errors))


def with_words(parameters: Sequence[Parameter], start: Started, errors: list[str]) -> tuple[Parameter, ...]:
    """Return the parameters with the settings of the command: the later argument wins, as in the agent's run."""
    own = {one.name: one for one in start.after}
    for parameter in parameters:
        if parameter.name in own and len(parameter.values) != 1:
            errors.append(
                f"{parameter.name}: the command sets it behind {ARGUMENTS}, so that all its values give the same run; "
                "leave one of the two out"
            )
    later = [one for one in parameters if one.name not in own]
    given = {*own, *(one.name for one in later)}
    return (*(one for one in start.before if one.name not in given), *later, *own.values())


def is_own(program: str) -> bool:
    """Return True if a path leads to poolab's train.py: its code, or its bare name if no such file exists."""
    path = Path(program)
    if path.name != "train.py":
        return False
    try:
        if not path.is_file():
            return path == Path("train.py") and not path.exists()
        content = path.read_bytes() if path.stat().st_size <= ENTRY_SIZE else b""
        tree = ast.parse(content)
    except (OSError, ValueError, SyntaxError):
        return False
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    code = [ast.dump(one) for one in body]
    return any(code == [ast.dump(one) for one in ast.parse(entry).body] for entry in (ENTRY, FIRST_ENTRY))


def _behind_start(program: str, words: list[str]) -> list[str] | None:
    """Return the arguments behind those that start poolab; None if another program is started."""
    if words[0] in ("${env}", "env", "/usr/bin/env"):
        del words[0]
    if words[:2] == ["poolab", "train"] or (words[:2] == ["${program}", "train"] and Path(program).name == "poolab"):
        return words[2:]
    if not words or not (words[0] == "${interpreter}" or Path(words[0]).name.rstrip("0123456789.") == "python"):
        return None
    del words[0]
    while words and words[0] in FLAGS:
        del words[0]
    if words[:3] == ["-m", "poolab", "train"]:
        return words[3:]
    script = program if words[:1] == ["${program}"] else words[0] if words else ""
    return words[1:] if is_own(script) else None


def _macro_errors(program: str, words: Sequence[str]) -> list[str]:
    try:
        command(words, program, {})
    except ConfigError as error:
        return [str(error)]
    return []


def _constants(words: Sequence[str], errors: list[str]) -> tuple[Parameter, ...]:
    """Read key=value arguments; of two with one key the later counts."""
    found: dict[str, Parameter] = {}
    for word in words:
        own = list(_word_errors(word))
        errors += [f"command: {error}" for error in own]
        if own:
            continue
        key = word.partition("=")[0]
        try:
            value = _value(word)
        except ConfigError as error:
            errors.append(f"command: {word}: {' '.join(str(error).split())}")
            continue
        found.pop(key, None)
        found[key] = Parameter(key, "constant", (value,))
    return tuple(found.values())


def _word_errors(word: str) -> Iterator[str]:
    match = ASSIGNMENT.fullmatch(word)
    if word.startswith("${") and word.endswith("}"):
        yield f"{word}: train.py takes key=value, which {ARGUMENTS} gives; leave {word} out"
    elif LOOKED_UP.search(word):
        yield f"{word!r}: a study's values are what they say; ${{...}} is not looked up"
    elif word in ("-m", "--multirun"):
        yield f"{word}: a study's cells are single runs; leave it out"
    elif match is None:
        yield f"{word!r}: its own words for train.py are key=value, e.g. trainer.epochs=1"
    elif match[1].split(".")[0].split("/")[0] == "hydra":
        yield f"{word}: a study sets the settings of a run, not Hydra's own"


def _value(word: str) -> Any:
    from poolab.study.sweep.composition import value_of

    return value_of(word)
