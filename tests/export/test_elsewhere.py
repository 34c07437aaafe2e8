"""A copied run folder in an empty folder: no data, no conf/; and the exported file without torch and poolab."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from poolab.data import load_data
from poolab.run_config import RunConfig

pytest.importorskip("onnxscript", reason="needs the extra `export`")

# `poolab` on a machine where neither conf/ nor a data set can be found.
BARE = """
import sys
import poolab.paths
from pathlib import Path
poolab.paths.config_dir = lambda: Path("/nowhere/conf")
from poolab.cli import main
sys.exit(main(sys.argv[1:]))
"""
# What a program that is not in Python would do too.
FOREIGN = """
import json, sys
import numpy as np
import onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
names = sys.argv[1:]
images = np.stack([np.asarray(Image.open(name).convert("RGB")).transpose(2, 0, 1) for name in names])
probabilities, logits = session.run(["probabilities", "logits"], {"images": images})
classes = json.loads(session.get_modelmeta().custom_metadata_map["poolab.classes"])
foreign = {name.partition(".")[0] for name in sys.modules} & {"torch", "poolab", "torchvision", "onnx"}
assert not foreign, foreign
best = probabilities.argmax(1)
print(json.dumps([[classes[index] for index in best], probabilities.max(1).tolist()]))
"""


def python(program, *words, folder):
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.processes
def test_a_copied_folder_alone_predicts_and_exports_what_its_record_says(launched, tmp_path, pytestconfig):
    page = pytestconfig.rootpath / "docs" / "export.md"
    numbers = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 6)):
        for level, name in ((60, "dark"), (120, "grey"), (190, "light")):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(level + numbers.integers(-50, 50, (16, 16, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    words = ("data=image_folder", f"data.root={tmp_path / 'data'}", "data.limit_train=null", "data.limit_test=null")
    record, made, _ = launched(tmp_path / "runs", *words, "trainer.epochs=2", "backbone.width_mult=0.5")
    config = RunConfig.from_tree(record.config)
    data = load_data(**config.data.reading, seed=config.seed)
    empty = tmp_path / "empty"
    shutil.copytree(made, empty / "run")
    with np.load(made / "test_examples.npz") as examples:
        order, predicted, confidence = examples["index"], examples["predicted"], examples["confidence"]
    names = [f"{number:02}.png" for number in range(len(order))]
    for name, image in zip(names, data.test.images_at(slice(None))[order], strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(empty / name)
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(tmp_path / "runs")
    wanted = [data.classes[index] for index in predicted]

    answers = json.loads(python(BARE, "predict", "run", *names, "--json", folder=empty))
    best = [answer["predictions"][0] for answer in answers]
    assert [one["class"] for one in best] == wanted
    np.testing.assert_allclose([one["probability"] for one in best], confidence, atol=1e-5)

    told = python(BARE, "export", "run", "--format", "onnx", "--out", "model.onnx", folder=empty)
    assert "on 64 random images (the test images are not at hand: " in told
    labels, shares = json.loads(python(FOREIGN, *names, folder=empty))
    assert labels == wanted
    np.testing.assert_allclose(shares, confidence, atol=1e-5)

    shutil.copy(empty / names[0], empty / "photo.jpg")
    (program,) = [
        block for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL) if "onnxrun" in block
    ]
    assert python(program, folder=empty).strip() == wanted[0]
