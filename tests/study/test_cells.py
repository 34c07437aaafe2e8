"""Cells in Hydra's words: what Hydra reads is what the file says; and the quick composition is Hydra's."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.study import Cell, grid_cells, read_study
from poolab.study.sweep.cells import in_words
from poolab.study.sweep.composition import Composer

VALUES = (
    *(True, None, 0, -3, 0.1, 1e-5, float("inf"), "max", "", "a b", "a,b", "0.5", ".5", "1e5", "1_000", "null", "True"),
    *("it's", "a\\", "\\'", "a'\\'b", "c:\\x", "~/x", "/data/x y", "timm/resnet18", "[a]", "{a:b}", "=x", "a=b", "ü"),
    *(
        "x#y",
        "$(rm -rf /)",
        "`id`",
        "a;b",
        "a\nb",
        " a ",
        "@x",
        "-",
        "inf",
        [],
        ["pool1", "a,b", None],
        {"name": "lip"},
    ),
)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_hydra_reads_what_the_file_says(value):
    read = OverridesParser.create().parse_override(f"key={in_words(value)}").value()
    assert read == value
    assert type(read) is type(value)


def grid(tmp_path, parameters):
    path = tmp_path / "grid.yaml"
    command = '["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]'
    path.write_text(f"program: train.py\nmethod: grid\nparameters: {parameters}\ncommand: {command}\n")
    return read_study(path)


def test_the_last_parameter_varies_fastest_and_the_command_line_replaces(tmp_path):
    study = grid(tmp_path, "{pooling: {values: [max, avg]}, seed: {values: [0, 1]}}")
    assert [cell.overrides for cell in grid_cells(study)] == [
        ("pooling=max", "seed=0"), ("pooling=max", "seed=1"), ("pooling=avg", "seed=0"), ("pooling=avg", "seed=1")
    ]  # fmt: skip
    cells = grid_cells(study, ["seed=7", "pooling.slots=[pool1]"])
    assert [str(cell) for cell in cells] == [f"pooling={name} seed=7 pooling.slots=[pool1]" for name in ("max", "avg")]
    assert len({Cell({"seed": 0}), Cell({"seed": 0}), Cell({"seed": 1})}) == 2


@pytest.mark.parametrize("extra", ["seed", "+seed=0", "~seed", "hydra.job.name=x", "--seed=0"])
def test_the_command_line_takes_settings_only(tmp_path, extra):
    with pytest.raises(ConfigError, match="a study takes key=value"):
        grid_cells(grid(tmp_path, "{seed: {value: 0}}"), [extra])


@pytest.mark.parametrize("values", [
    {"pooling": "avg_topk", "pooling.k": 3, "backbone": "resnet20", "data": "cifar10", "seed": 4},
    {"task": "segmentation", "pooling": "avg", "optim": "sgd"},  # a choice that changes other groups
    {"task": "segmentation", "data": "shapes", "backbone": "unet", "backbone.match": None},
    {"optim": "sgd", "recipe": "finetune", "recipe.checkpoint": "x/y z"},
    {"optim": "sgd", "optim.lr": 1e-5, "recipe": "finetune"},
    {"backbone.match": "parameters", "backbone.match_to": {"name": "lip", "logit": "bottleneck"}},
    {"backbone": "torchvision/resnet18", "pooling.slots": ["maxpool"], "trainer": "ddp", "measure": "full"},
    {"pooling.at.pool1": "avg_topk_k3", "pooling": "lp", "pooling.at.pool2": {"name": "avg_topk", "k": 4}},
    {"pooling.at.pool1.k": 3, "pooling.at.pool1": "avg_topk", "pooling.at.a.0.pool": "max", "task": "segmentation"},
    {"pooling.at.pool1": {"name": "avg_topk"}, "pooling.at.pool1.k": 3, "pooling.p": 3, "pooling": "lp"},
    {"pooling.at.pool1.k": 3, "pooling.at.pool1": {"name": "avg_topk"}},  # one is merged into the other
    {"pooling.at": {"pool1": "avg"}, "pooling.at.pool2": "max"},
], ids=str)  # fmt: skip
def test_the_quick_composition_is_hydras(composer, values):
    cell = Cell(values)
    assert composer(cell) == compose(cell.overrides)
    assert composer(cell) == compose(cell.overrides)  # and a cell leaves nothing behind for the next


@pytest.mark.parametrize("values", [{"pooling": "avgtopk"}, {"pooling": "avg", "pooling.k": 3}, {"sed": 1}], ids=str)
def test_its_faults_are_those_of_a_run(composer, values):
    cell = Cell(values)
    with pytest.raises(ConfigError) as ours:
        composer(cell)
    with pytest.raises(ConfigError) as hydras:
        compose(cell.overrides)
    assert str(ours.value) == str(hydras.value)


@pytest.fixture(scope="module")
def composer():
    return Composer()
