"""Every study of sweeps/: each cell, or each choice and end of range of a search, is composed and checked."""

from pathlib import Path

import pytest
from PIL import Image

from poolab.study import read_study
from poolab.study.plan.plan import plan

CELLS = {
    "avg_topk_2023": 30,
    "caffenet_128": 15,
    "demo": 18,
    "galanis_2022": 135,
    "gated_bayes": 4,
    "genetic": 125,
    "imagenet_resnet50": 12,
    "pooling_cifar10": 160,
    "pooling_small": 65,
    "precision": 80,
    "ranking/digits": 80,
    "ranking/keras_2x2_lr_0.003": 40,
    "ranking/keras_3x3_lr_0.003": 30,
    "ranking/lenet_2x2_lr_0.003": 40,
    "ranking/tune_keras_2x2": 12,
    "ranking/tune_keras_3x3": 9,
    "ranking/tune_lenet_2x2": 12,
    "slots": 45,
    "tips_tiny_imagenet": 21,
    "topk_k": 60,
    "tutorial_table": 40,
}
FOLDERS = ("caffenet_128", "imagenet_resnet50", "tips_tiny_imagenet")  # the images are named with the command
COMMAND = ("${env}", "${interpreter}", "${program}", "${args_no_hyphens}")


@pytest.fixture
def images(tmp_path):
    for split in ("train", "test"):
        for name in ("one", "two"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(2):  # one for training, one for validation
                Image.new("RGB", (32, 32)).save(folder / f"{number}.png")
    return tmp_path


def test_every_file_is_here(pytestconfig):
    folder = pytestconfig.rootpath / "sweeps"
    studies = [path for path in folder.rglob("*.yaml") if not path.name.endswith(".report.yaml")]
    assert {path.relative_to(folder).as_posix().removesuffix(".yaml") for path in studies} == CELLS.keys()


# Networks of ImageNet's size, and 125 cells: a minute of a processor together.
SLOW = ("genetic", "imagenet_resnet50", "tips_tiny_imagenet")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.processes if name in SLOW else []) for name in CELLS]
)
def test_every_cell_can_be_run(pytestconfig, name, images):
    path = Path(pytestconfig.rootpath) / "sweeps" / f"{name}.yaml"
    study = read_study(path)
    assert (study.program, study.command) == ("train.py", COMMAND)
    assert path.read_text().startswith("# ")
    extra = [f"data.root={images}"] if name in FOLDERS or (name.startswith("ranking/") and "digits" not in name) else []
    assert len(plan(study, extra).cells) == CELLS[name]
