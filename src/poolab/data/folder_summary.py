"""The summary of an image folder at the start of a run: images per split and class, files left out, duplicates."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poolab.data.content import File
from poolab.data.tree import Tree
from poolab.text import one_line

MOST_CLASSES = 6


@dataclass(frozen=True)
class FolderSummary:
    """Counts of an image folder, before limits and the validation split; `str()` gives the lines to print.

    `splits` has for each split the number of images of each class, or of all as the class "" where the labels are
    masks; `left_out` has for each reason how many files were left out, and one of them.

    >>> splits = {"train": {"cat": 3, "dog": 2}, "test": {"cat": 1, "dog": 1}}
    >>> print(FolderSummary(splits, {"hidden": (1, "train/cat/.x")}))
    images: train 5 (cat 3, dog 2), test 2 (cat 1, dog 1)
    left out: 1 hidden (train/cat/.x)
    """

    splits: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, tuple[int, str]]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = ["images: " + ", ".join(_counted(split, classes) for split, classes in self.splits.items())]
        if self.left_out:
            told = [f"{count:,} {reason} ({one_line(path)})" for reason, (count, path) in self.left_out.items()]
            lines.append("left out: " + ", ".join(told))
        return "\n".join(lines + [f"warning: {line}" for line in self.warnings])


def summarise(tree: Tree, warnings: tuple[str, ...]) -> FolderSummary:
    """Return the summary of a folder; of one without class names, images are counted with their masks."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in tree.left:
        reasons[one.reason].append(one.path)
    classes = tree.classes or ("",)
    return FolderSummary(
        {
            name: dict(Counter(classes[file.label] for file in split))
            for name, split in (("train", tree.train), ("test", tree.test))
        },
        {reason: (len(paths), paths[0]) for reason, paths in sorted(reasons.items(), key=lambda item: -len(item[1]))},
        warnings,
    )


def doubles(tree: Tree, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each kind of files that have the same content and should not.

    `labels` has, by its path, the class of each file or what its mask holds.
    """
    train, test, hashes = tree.train, tree.test, tree.hashes
    first: dict[str, str] = {}
    for file in train:
        first.setdefault(hashes[file.path], file.path)
    lines = []
    shared = [file.path for file in test if hashes[file.path] in first]
    if shared:
        lines.append(
            f"{len(shared):,} of {len(test):,} test images are training images too (the same file), "
            f"{one_line(shared[0])} and {one_line(first[hashes[shared[0]]])}: test figures come out too good"
        )
    for name, split in (("training", train), ("test", test)):
        lines += _contradictions(name, split, hashes, labels)
    return tuple(lines)


def _contradictions(
    name: str, split: Sequence[File], hashes: Mapping[str, str], labels: Mapping[str, str]
) -> list[str]:
    """Return a warning of files with the same content and different labels in one split."""
    first: dict[str, str] = {}
    found = []
    for file in split:
        other = first.setdefault(hashes[file.path], file.path)
        if labels[other] != labels[file.path]:
            found.append((other, file.path))
    if not found:
        return []
    one, other = map(one_line, found[0])
    return [f"{len(found):,} {name} images are the same file as another one with another label: {one} and {other}"]


def _counted(split: str, classes: Mapping[str, int]) -> str:
    total = f"{split} {sum(classes.values()):,}"
    if set(classes) == {""}:
        return f"{total} with masks"
    if len(classes) <= MOST_CLASSES:
        return f"{total} ({', '.join(f'{one_line(name)} {count:,}' for name, count in classes.items())})"
    least, most = (choose(classes, key=lambda name: classes[name]) for choose in (min, max))
    return (
        f"{total} of {len(classes):,} classes ({one_line(least)} {classes[least]:,} to "
        f"{one_line(most)} {classes[most]:,})"
    )
