"""Results and folders of images for the tests of commands."""

import json

from PIL import Image


def results(tmp_path):
    return [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/result.json")]


def images(root, *, classes=("cat", "dog"), channels="RGB", size=(16, 16)):
    for split, count in (("train", 24), ("test", 4)):
        for number, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                grey = (number * 120 + index * 3) % 256
                Image.new(channels, size, grey if channels == "L" else (grey,) * 3).save(
                    root / split / name / f"{index}.png"
                )
    return root
