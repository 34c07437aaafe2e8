"""`poolab new study`: a study file from the words of a command line."""

import json
import math
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from poolab.arguments import verb_parser
from poolab.errors import ConfigError, PoolabError, nearest
from poolab.study.sweep.grid import MOST, grid_cells
from poolab.study.sweep.mixed import ways_out

EXAMPLES = """examples:
  poolab new study pooling=max,avg,avg_topk seed=0,1,2 data=digits --out mine.yaml
  poolab new study pooling=max,softpool seed=range(8) backbone=resnet20 data=cifar10 --out mine.yaml
"""
AGENT = ("${env}", "${interpreter}", "${program}", "${args_no_hyphens}")  # as W&B's agent gives settings to train.py
MOST_CHECKED = 2000  # cells; they take 3 s


def new(given: Sequence[str], description: str) -> int:
    """Print a study file, or write it.

    Raises:
        ConfigError: the words are no settings, or do not fit each other; all errors at once.
        PoolabError: the file cannot be written.
    """
    parser = verb_parser("new", description, EXAMPLES)
    parser.add_argument("kind", nargs="?", metavar="study", help="what is made: a study")
    parser.add_argument(
        "words", nargs="*", metavar="key=value", help="settings; several values, key=a,b, are compared with each other"
    )
    parser.add_argument("--out", metavar="FILE", help="write the file FILE instead of printing it")
    chosen = parser.parse_intermixed_args(given)
    if chosen.kind != "study" or not chosen.words:
        raise ConfigError(_usage(chosen.kind))
    text = study_text(chosen.words, chosen.out or _redirected() or "FILE", f"poolab new {shlex.join(given)}")
    if chosen.out is None:
        print(text, end="")
        return 0
    path = Path(chosen.out).expanduser()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists: choose another name, or delete it first") from None
    except OSError as fault:
        raise PoolabError(f"{path} cannot be written: {fault.strerror or fault}") from fault
    print(f"{path}: {_counted(_parameters(chosen.words))}; next: poolab study plan {shlex.quote(chosen.out)}")
    return 0


def _usage(kind: str | None) -> str:
    """Return the message for words that do not say what is made, or nothing about it."""
    form = "poolab new study pooling=max,avg seed=0,1,2"
    if kind in (None, "study"):
        return f"poolab new makes a study from settings: write {form}"
    if "=" in str(kind):
        return f"poolab new {kind}: say what is made first: poolab new study {kind} ..."
    return f"poolab new {kind}: there is no such thing to make; {nearest(str(kind), ['study'])}write {form}"


def _redirected() -> str | None:
    """Return the name of the file that a shell writes the output into (`> mine.yaml`), where the system tells it."""
    try:
        path = Path(os.readlink(f"/proc/self/fd/{sys.stdout.fileno()}"))
    except (OSError, ValueError, AttributeError):  # another system, or an output without a file
        return None
    return path.name if path.suffix in (".yaml", ".yml") and path.is_file() else None


def study_text(words: Sequence[str], file: str, command: str) -> str:
    """Return the text of a study file whose cells are the runs of `train.py -m` with these words.

    Args:
        words: `key=value` each; several values are separated by commas.
        file: the name that the comments call it.
        command: what made it, for the first comment.

    Raises:
        ConfigError: all errors of the words.

    >>> print(study_text(["pooling=max,avg", "seed=0,1"], "mine.yaml", "poolab new study ...").split("parameters:")[1])
    <BLANKLINE>
      pooling: {values: [max, avg]}
      seed: {values: [0, 1]}
    command: ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]  # for `wandb agent` alone
    <BLANKLINE>
    """
    parameters = _parameters(words)
    place = shlex.quote(file)
    hint = "" if len(parameters.get("seed", ())) > 1 else "\n# One seed tells no difference from chance: seed=0,1,2 ..."
    text = (
        f"# Made by: {' '.join(command.split())}\n"
        f"# {_counted(parameters)}. What is not named here has the defaults of `poolab train`.{hint}\n"
        "# Next:\n"
        f"#   poolab study plan {place}     checks all runs; estimates time and detectable difference\n"
        f"#   poolab study run {place}      runs them; the same command goes on after Ctrl-C\n"
        f"#   poolab study table {place}    compares them\n"
        f"#   poolab report {place}         writes the verdict, tables and figures\n"
        "program: train.py\nmethod: grid\nparameters:\n"
        + "".join(f"  {key}: {_flow(values)}\n" for key, values in parameters.items())
        + f"command: {json.dumps(AGENT)}  # for `wandb agent` alone\n"
    )
    _check(text)
    return text


def _counted(parameters: Mapping[str, Sequence[Any]]) -> str:
    swept = [str(len(values)) for values in parameters.values() if len(values) > 1]
    count = math.prod(map(int, swept))
    product = f" ({' x '.join(swept)})" if len(swept) > 1 else ""
    return f"{count} run{'s' if count > 1 else ''}{product}"


def _flow(values: Sequence[Any]) -> str:
    import yaml

    content = {"value": values[0]} if len(values) == 1 else {"values": list(values)}
    return yaml.safe_dump(content, default_flow_style=True, width=math.inf, allow_unicode=True).strip()


def _parameters(words: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each setting, as Hydra reads them.

    Raises:
        ConfigError: a word that Hydra cannot read, or several values that are no list of values.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from poolab.configuration import current_setting, groups, prepared
    from poolab.hydra_words import readable
    from poolab.study.sweep.cells import assignments

    assignments(words)
    prepared(words, sweep=True)
    found: dict[str, list[Any]] = {}
    for parsed in OverridesParser.create().parse_overrides(readable(words, groups(), sweep=True)):
        key = current_setting(parsed.key_or_group)
        if key in found:
            raise ConfigError(f"{key} is there twice: give all its values at once, {key}=a,b")
        found[key] = _values(key, parsed)
    return found


def _values(key: str, parsed: Any) -> list[Any]:
    from hydra.core.override_parser.types import ChoiceSweep, RangeSweep

    if not parsed.is_sweep_override():
        return [_plain(parsed.value())]
    sweep = parsed.value()
    if isinstance(sweep, ChoiceSweep):
        return [_plain(value) for value in sweep.list]
    if isinstance(sweep, RangeSweep):
        values = [_plain(value) for value in islice(sweep.range(), MOST + 1)]
        if len(values) > MOST:
            raise ConfigError(f"{parsed.input_line}: a grid has at most {MOST:,} runs")
        return values
    raise ConfigError(f"{parsed.input_line}: a study lists its values: {key}=a,b,c, or {key}=range(1,5)")


def _plain(value: Any) -> Any:
    """Return a value of Hydra's grammar as Python's."""
    from hydra.core.override_parser.types import QuotedString

    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, Mapping):
        return {_plain(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _check(text: str) -> None:
    """Check the file as `poolab study` reads it, and compose its cells.

    Raises:
        ConfigError: every error.
    """
    from poolab.study.sweep.composition import Composer
    from poolab.study.sweep.sweep_file import read_study
    from poolab.training import check_settings

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            cells = grid_cells(read_study(path))
        except ConfigError as fault:
            raise ConfigError(str(fault).replace(f"{path}", "this")) from fault
    composer, errors = Composer(), dict[str, None]()
    for cell in cells[:MOST_CHECKED]:
        try:
            check_settings(composer(cell))
        except ConfigError as fault:
            errors |= dict.fromkeys(str(fault).splitlines())
    if len(cells) > MOST_CHECKED:
        print(f"poolab: the first {MOST_CHECKED:,} of {len(cells):,} runs were checked", file=sys.stderr)
    if errors:
        raise ConfigError("\n".join([*errors, *ways_out(errors, cells[:MOST_CHECKED])]))
