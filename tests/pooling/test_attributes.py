"""The contract of every pooling, item 8, and the places that follow the registry: twins, exports, configurations."""

import inspect
from pathlib import Path

import pytest
import torch
import yaml

import poolab.pooling
from poolab.pooling import functional, get_pool, list_pools
from poolab.testing import ITEMS
from tests.pooling.oracles import Shape
from tests.pooling.support import CHANNELS, HEADS, SHAPE, distinct, make

NAMES = list_pools()
CONF = Path(__file__).parents[2] / "conf"
# Names that are abbreviations, and what their classes spell out.
SPELT_OUT = {
    "aps": "Polyphase",
    "dpp": "DetailPreserving",
    "flc": "FrequencyLowCut",
    "hwd": "HaarWavelet",
    "lps": "LearnedPolyphase",
    "pasa": "AdaptiveLowPass",
    "rotp": "OptimalTransport",
    "spp": "SpatialPyramid",
    "weighted": "EntropyWeighted",
}
PRESETS = {"avg_topk_k3", "avg_topk_author", "max_overlap", "lp_sum", "sppf"}  # see tests/test_configuration.py
# Methods that have been run in a network; inter_map changes the channels, pixel_pyramid makes the maps stay large.
RUN = [*list_pools("window"), *list_pools("global")]
IN_SLOTS = [name for role in ("window", "channel", "same") for name in list_pools(role)]


@pytest.mark.parametrize("name", NAMES)
def test_a_registered_class_says_where_it_comes_from(name: str):
    cls = get_pool(name)
    assert cls.name == name
    assert name in list_pools(cls.role)
    assert cls.reference.authors
    assert cls.reference.source
    assert str(cls.reference.year) in str(cls.reference)
    assert all(" " in sentence and sentence.endswith((".", ")")) for sentence in cls.disagreements)


@pytest.mark.parametrize("name", NAMES)
def test_exemptions_name_items_and_trials_name_options(name: str):
    cls = get_pool(name)
    assert set(cls.exempt) <= set(ITEMS)
    assert set(cls.trial) <= set(cls.options)
    make(name, Shape((1, 2), (1, 2), (0, 0)))  # the smallest windows of the suite


@pytest.mark.parametrize("name", NAMES)
def test_one_stem_names_the_class_and_the_package_exports_it(name: str):
    cls = get_pool(name)
    stem = cls.__name__.removesuffix("2d").removesuffix("Pool")
    assert stem == SPELT_OUT.get(name, stem)
    assert name in SPELT_OUT or name.replace("_", "") in (stem.lower(), f"{stem}Pool".lower())
    assert getattr(poolab.pooling, cls.__name__) is cls
    assert cls.__name__ in dir(poolab.pooling)
    assert cls.__doc__
    assert ">>>" in cls.__doc__, "each class has an example that runs"


@pytest.mark.parametrize(("name", "dims"), [(name, dims) for dims in (1, 3) for name in list_pools(dims=dims)])
def test_the_package_exports_the_siblings(name: str, dims: int):
    cls = get_pool(name, dims)
    assert cls.__name__ == get_pool(name).__name__.replace("2d", f"{dims}d")
    assert getattr(poolab.pooling, cls.__name__) is cls
    assert cls.__name__ in dir(poolab.pooling)


def own_arguments(name: str) -> list[str]:
    """What the formula takes beside its windows."""
    return list(inspect.signature(get_pool(name).formula).parameters)[1:]


def fixed(name: str) -> dict:
    """The option that leaves a learnable method without a parameter."""
    return {"learnable": False} if "learnable" in get_pool(name).options else {}


@pytest.mark.parametrize("name", NAMES)
def test_a_functional_twin_exists_where_there_is_no_state(name: str):
    cls, twin = get_pool(name), getattr(functional, f"{name}_pool2d", None)
    assert (twin is None) == bool(make(name, **fixed(name)).state_dict())
    if twin is None:
        return
    assert twin.__name__ == f"{name}_pool2d"
    assert cls.__name__ in twin.__doc__
    geometry = ["kernel_size", "stride", "padding", "dilation", "ceil_mode"] if cls.role == "window" else []
    assert list(inspect.signature(twin).parameters) == ["input", *geometry, *own_arguments(name)]
    # What the twin does not take says how the module learns.
    assert set(cls.options) - set(own_arguments(name)) <= {"learnable", "sharing", "per_channel", "project"}
    assert set(own_arguments(name)) - set(cls.options) <= {"training", "generator", "labels"}


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(functional, f"{name}_pool2d")])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_functional_twin_is_its_module(name: str, mode: str):
    cls, twin = get_pool(name), getattr(functional, f"{name}_pool2d")
    given = {n: option.default for n, option in cls.options.items()} | dict(cls.trial)
    options = {n: value for n, value in given.items() if n in own_arguments(name)}
    options |= {"training": mode == "train", "generator": torch.Generator().manual_seed(0)} if cls.random else {}
    geometry = SHAPE.arguments if cls.role == "window" else {}
    x, pool = distinct(2, CHANNELS, 7, 8), make(name, **fixed(name))
    if cls.random:
        pool.generator = torch.Generator().manual_seed(0)
    assert torch.equal(twin(x, **geometry, **options), pool.train(mode == "train")(x))


def test_every_twin_belongs_to_a_method():
    twins = [name.removesuffix("_pool2d") for name in vars(functional) if name.endswith("_pool2d")]
    assert set(twins) <= set(NAMES)


def test_a_pooling_shows_its_geometry_and_what_differs_from_the_defaults():
    assert repr(make("max", SHAPE)) == "MaxPool2d(kernel_size=3, stride=2, padding=1)"
    assert repr(make("lp", SHAPE, p=3.0)) == "LpPool2d(kernel_size=3, stride=2, padding=1, p=3.0)"
    assert repr(make("adaptive_max", output_size=(1, 2))) == "AdaptiveMaxPool2d(output_size=(1, 2))"


@pytest.mark.parametrize(("group", "names"), [("pooling", IN_SLOTS), ("head", [*HEADS, "own"])])
def test_each_method_has_its_configuration_and_no_other(group: str, names: list[str]):
    assert sorted({path.stem for path in (CONF / group).glob("*.yaml")} - PRESETS) == sorted(names)


@pytest.mark.parametrize("path", sorted([*(CONF / "pooling").glob("*.yaml"), *(CONF / "head").glob("*.yaml")]), ids=str)
def test_a_configuration_holds_the_name_and_the_classs_defaults(path: Path):
    text = path.read_text(encoding="utf-8")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("# ")
    results = [line for line in comments if line.startswith("# Result: ")]
    assert len(results) == (path.stem in RUN), "a method that a network of ours can hold says what a run gave"
    assert len(comments) - len(results) <= 2
    assert all(len(line) <= 120 for line in text.splitlines())
    if path.stem in PRESETS:
        assert "name" not in yaml.safe_load(text)
        return
    if path.stem == "own":
        assert yaml.safe_load(text) == {"name": "own"}
        return
    cls = get_pool(path.stem)
    defaults = {n: list(o.default) if isinstance(o.default, tuple) else o.default for n, o in cls.options.items()}
    held = yaml.safe_load(text)
    assert held == {"name": path.stem, **defaults}
    assert {n: type(held[n]) for n in defaults} == {n: type(value) for n, value in defaults.items()}, "1 == True"
    assert cls.reference.source in " ".join(comments) or "no first source" in text
