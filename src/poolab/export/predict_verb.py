"""The verb `poolab predict`: the classes of pictures, by the network of a finished run."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError, DataError, PoolabError
from poolab.export.run_argument import run_parser
from poolab.text import one_line

EXAMPLES = """examples:
  poolab predict runs/0123456789ab photo.jpg            its most probable class
  poolab predict runs/0123456789ab photos/ --top 5      five classes for each picture below a folder
  poolab predict runs/0123456789ab photos/ --json       for other programs
  poolab predict runs/0123456789ab photos/ --out masks  a PNG file for each picture (segmentation)
"""
SHOWN = 6  # classes that are named


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the verb's arguments."""
    words = run_parser("predict", description, EXAMPLES)
    words.add_argument("images", nargs="+", metavar="IMAGE", help="picture files, and folders of them")
    words.add_argument("--top", type=int, default=1, metavar="K", help="classes for each picture (default: 1)")
    words.add_argument("--json", action="store_true", help="print JSON instead of a table")
    words.add_argument("--out", metavar="DIR", help="the folder of the masks, for segmentation (default: masks)")
    words.add_argument("--batch-size", type=int, default=64, metavar="N", help="pictures at a time (default: 64)")
    words.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu (the default), cuda, cuda:1, mps, ...")
    return words


def predict(given: Sequence[str], description: str) -> int:
    """Print the classes of pictures. Pictures that cannot be read are named, and the exit code is then 1.

    Raises:
        PoolabError: the run has no network, a number is out of its range, or a folder has no pictures.
    """
    chosen = parser(description).parse_intermixed_args(given)
    for name in ("top", "batch_size"):
        if getattr(chosen, name) < 1:
            raise ConfigError(f"--{name.replace('_', '-')} {getattr(chosen, name)}: it must be at least 1")
    from poolab.export.loading import load
    from poolab.export.picture_files import picture_files

    files = picture_files(chosen.images)
    model = load(chosen.run, device=checked_device(chosen.device))
    segments = model.task == "segmentation"
    if chosen.out is not None and not segments:
        raise ConfigError(f"--out is for the masks of a segmentation network, and {chosen.run} is a classifier")
    masks = _masks(chosen.out or "masks", files) if segments else {}
    print(f"poolab: {_described(model)}", file=sys.stderr)
    found: list[dict[str, Any]] = []
    failed = 0
    for path, answer in _answers(model, files, chosen.batch_size):
        if isinstance(answer, DataError):
            failed += 1
            found.append({"image": str(path), "error": str(answer)})
            print(f"poolab: {answer}", file=sys.stderr)
            continue
        entry = answer.to_json(chosen.top)
        if segments:
            answer.save(masks[path])
            entry["mask"] = str(masks[path])
        found.append(entry)
    print(json.dumps(found, indent=2) if chosen.json else _table(found, segments))
    if failed:
        print(f"poolab: {failed} of {len(files)} pictures could not be read", file=sys.stderr)
    return 1 if failed else 0


def _described(model: Any) -> str:
    """Return which network answers: with several runs at hand it is easy to name another one."""
    names = [model.record.settings.get(f"{group}.name", "?") for group in ("backbone", "pooling", "data")]
    classes = ", ".join(map(str, model.classes[:SHOWN])) + (", ..." if len(model.classes) > SHOWN else "")
    return one_line(
        "{} with pooling={}, trained on data={} with seed {}; {} classes: {}".format(
            *names, model.record.seed, len(model.classes), classes
        )
    )


def checked_device(name: str) -> str:
    """Check that there is a device of that name.

    Raises:
        ConfigError: torch does not know it, or this machine does not have it.

    >>> checked_device("cpu")
    'cpu'
    """
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as fault:
        raise ConfigError(
            f"--device {name} is not possible here: {str(fault).splitlines()[0][:200]}; --device cpu always is"
        ) from fault
    if name == "meta":
        raise ConfigError("--device meta is not possible: it computes nothing")
    return name


def _answers(model: Any, files: Sequence[Path], size: int) -> Iterator[tuple[Path, Any]]:
    """Yield each file with its prediction or with what is wrong with it, in their order."""
    for start in range(0, len(files), size):
        part = files[start : start + size]
        read: dict[Path, Any] = {}
        answers: dict[Path, Any] = {}
        for path in part:
            try:
                read[path] = model.reader.read(path)
            except DataError as fault:
                answers[path] = fault
        if read:
            predictions = model.predict_read([str(path) for path in read], list(read.values()))
            answers |= dict(zip(read, predictions, strict=True))
        yield from ((path, answers[path]) for path in part)


def _masks(folder: str, files: Sequence[Path]) -> dict[Path, Path]:
    """Return where the mask of each picture goes; two pictures of one name get numbers.

    Raises:
        PoolabError: the folder cannot be made.
    """
    place = Path(folder).expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise PoolabError(f"--out {folder}: the folder cannot be made: {fault.strerror or fault}") from fault
    taken: set[str] = set()
    found = {}
    for path in files:
        name, number = path.stem, 2
        while name in taken:
            name, number = f"{path.stem}-{number}", number + 1
        taken.add(name)
        found[path] = place / f"{name}.png"
    return found


def _table(found: Sequence[dict[str, Any]], segments: bool) -> str:
    """Return the answers as lines with aligned columns."""
    kind, share = ("shares", "share") if segments else ("predictions", "probability")
    rows = [
        (one_line(entry["image"]) if number == 0 else "", one_line(answer["class"]), f"{answer[share]:.1%}")
        for entry in found
        for number, answer in enumerate(entry.get(kind, []))
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    lines = [f"{image:<{widths[0]}}  {label:<{widths[1]}}  {value:>6}" for image, label, value in rows]
    if segments:
        lines += [f"mask of {one_line(entry['image'])}: {entry['mask']}" for entry in found if "mask" in entry]
    return "\n".join(line.rstrip() for line in lines)
