"""Try every setting of conf/ with values that do not belong there, and count what becomes of them.

Each value goes through the checks of `study plan` and of `train` (without training), in this process. The outcomes:

- accepted: both go on, and the setting's declaration allows the value;
- refused: both say one message that names the setting and what is allowed;
- unclear: the message names neither;
- traceback: an exception that is no message of poolab's;
- silent: a value is accepted although the setting's declaration forbids it;
- differs: one of the two accepts what the other refuses.

    python scripts/hostile.py            # all of them: some minutes
    python scripts/hostile.py --every 9  # every ninth

The exit code is 1 unless the last four are 0.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from poolab.configuration import compose, config_dir, groups
from poolab.errors import PoolabError
from poolab.pooling.core.options import Option
from poolab.study.plan.checks import Checks
from poolab.study.sweep.cells import Cell, Words
from poolab.study.sweep.composition import Composer
from poolab.training.settings import declared

# As they are typed behind `key=`.
VALUES = ("-1", "0", "abc", "null", "1e308", "nan", "[1,2]", "{a:1}", "true", "")
GROUP_WORDS = (*VALUES, "5", "[max,avg]")
OUTCOMES = ("accepted", "refused", "unclear", "traceback", "silent", "differs")
BAD = ("unclear", "traceback", "silent", "differs")
# What a message says when it says what is allowed.
ALLOWED = (
    "must",
    "can be",
    "takes",
    "allowed",
    "choose",
    "write",
    "name",
    "needs",
    "is not possible",
    "smallest",
    "there is no",
    "expected",
)
ALIASES = {"data.image_size": "image"}  # "keras_cnn on 1x2 images ... the smallest image that works is 10x10"


class Trial(NamedTuple):
    """A setting, the value that is tried, and the words that choose what has the setting."""

    setting: str
    value: str
    chosen: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The overrides."""
        return (*self.chosen, f"{self.setting}={self.value}")


def trials(root: Path) -> list[Trial]:
    """Return every setting of every file of conf/ with every value; `root` is a folder of images."""
    tree = config_dir()
    found: list[Trial] = []
    for setting in _keys(tree / "train.yaml"):
        found += [Trial(setting, value, ()) for value in VALUES]
    for group in groups():
        found += [Trial(group, value, ()) for value in GROUP_WORDS]
        for path in sorted((tree / group).glob("*.yaml")):
            chosen = _choosing(group, path.stem, root)
            for key in _keys(path):
                setting = key if group in ("recipe", "task") else f"{group}.{key}"
                found += [Trial(setting, value, chosen) for value in VALUES if not setting.startswith("/")]
    return list(dict.fromkeys(found))


def _keys(path: Path) -> Iterator[str]:
    """Return the dotted keys of a file, without Hydra's own."""
    content = OmegaConf.load(path)
    assert isinstance(content, DictConfig)
    yield from (key for key in _below(content) if key.split(".")[0] not in ("defaults", "hydra"))


def _below(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, node):
        value = node._get_node(key)
        if isinstance(value, DictConfig) and len(value):
            yield from _below(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _choosing(group: str, choice: str, root: Path) -> tuple[str, ...]:
    """Return the words that choose what has a file's settings, and what else is needed for it."""
    words = [f"{group}={choice}"]
    segments = (group, choice) in (("backbone", "unet"), ("data", "shapes"), ("data", "image_mask_folder"))
    if segments:
        words.insert(0, "task=segmentation")
    if group == "data" and choice in ("image_folder", "image_mask_folder"):
        words.append(f"data.root={root / choice}")
    if group == "backbone" and choice in ("alexnet", "densenet121", "mobilenet_v2"):
        words += ["data.image_size=64", "pooling.slots=strided_conv" if choice == "mobilenet_v2" else "seed=0"]
    return tuple(words)


def make_images(root: Path) -> None:
    """Write the smallest image folders that the checks take."""
    from PIL import Image

    for split in ("train", "test"):
        for kind in (
            "image_folder/{}/a",
            "image_folder/{}/b",
            "image_mask_folder/{}/images",
            "image_mask_folder/{}/masks",
        ):
            folder = root / kind.format(split)
            folder.mkdir(parents=True)
            for number in range(4):
                mode, value = ("L", number % 2) if "masks" in kind else ("RGB", (60 * number,) * 3)
                Image.new(mode, (32, 32), value).save(folder / f"{number}.png")


class Hostile:
    """Both checks, and what they say."""

    def __init__(self) -> None:
        self._composer, self._checks = Composer(), Checks()

    def outcome(self, trial: Trial) -> tuple[str, str]:
        """Return what became of a trial, and the message or the exception."""
        ways = {"plan": self._plan, "train": self._train}
        said = {name: _said(way, trial) for name, way in ways.items()}
        for name, (kind, text) in said.items():
            if kind in ("traceback", "unclear"):
                return kind, f"{name}: {text}"
        kinds = {kind for kind, _ in said.values()}
        if len(kinds) > 1:
            return "differs", str(said)
        if kinds == {"accepted"} and self._is_forbidden(trial):
            return "silent", trial.value
        return next(iter(said.values()))

    def _plan(self, trial: Trial) -> None:
        values = dict(word.partition("=")[::2] for word in trial.words)
        self._checks(self._composer(Cell({key: Words(value) for key, value in values.items()})))

    def _train(self, trial: Trial) -> None:
        """Compose as the command line does; equal configurations are checked once."""
        self._checks(compose(trial.words))

    def _is_forbidden(self, trial: Trial) -> bool:
        with suppress(PoolabError):
            option: Option | None = declared(compose(trial.chosen), trial.setting)
            config: Any = compose(trial.words)
            for part in trial.setting.split("."):
                config = config.get(part) if isinstance(config, dict) else None
            return option is not None and option.fault(config, None) is not None
        return False


def _said(way: Any, trial: Trial) -> tuple[str, str]:
    try:
        way(trial)
    except PoolabError as fault:
        text = str(fault)
        key = ALIASES.get(trial.setting, trial.setting.rpartition(".")[2])
        clear = key in text and any(word in text.lower() for word in ALLOWED) and "hydra.cc" not in text
        return ("refused" if clear else "unclear"), text
    except Exception as fault:
        return "traceback", f"{type(fault).__name__}: {fault}"
    return "accepted", ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, count and print; the exit code is 1 where something is not told clearly."""
    parser = argparse.ArgumentParser(description="every setting of conf/ with values that do not belong there")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try every N-th only")
    parser.add_argument("--show", action="store_true", help="print every message")
    chosen = parser.parse_args(arguments)
    counts: Counter[tuple[str, str]] = Counter()
    # A value such as data.cache_dir=abc is a folder that may be made: not where the user stands.
    with tempfile.TemporaryDirectory() as place, chdir(place):
        os.environ["POOLAB_CACHE"] = f"{place}/cache"
        make_images(Path(place))
        hostile = Hostile()
        for trial in trials(Path(place))[:: chosen.every]:
            kind, text = hostile.outcome(trial)
            counts[trial.setting.split(".")[0], kind] += 1
            if kind in BAD or chosen.show:
                print(f"{kind}: {' '.join(trial.words)}: {text[:400]}")
    _print(counts)
    return int(any(count for (_, kind), count in counts.items() if kind in BAD))


def _print(counts: Counter[tuple[str, str]]) -> None:
    names = sorted({name for name, _ in counts})
    rows = {name: [counts[name, kind] for kind in OUTCOMES] for name in names}
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    print(f"{'settings':12}{'tried':>8}" + "".join(f"{kind:>11}" for kind in OUTCOMES))
    for name, figures in rows.items():
        print(f"{name:12}{sum(figures):8}" + "".join(f"{figure:11}" for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
