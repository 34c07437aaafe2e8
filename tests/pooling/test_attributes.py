"""The contract of every pooling, item 8, and the places that follow the registry: twins, exports, configurations."""

import inspect
from pathlib import Path

import pytest
import torch
import yaml

import poolab.pooling
from poolab.pooling import functional, get_pool, list_pools
from tests.pooling import oracles
from tests.pooling.oracles import Shape
from tests.pooling.support import CHANNELS, HEADS, SHAPE, WINDOWS, distinct, make

NAMES = list_pools()
CONF = Path(__file__).parents[2] / "conf"
# The items of the suite that a method may be exempt from; each is tested to fail for a method that claims it.
EXEMPTIONS = {"padding", "nan", "ties"}
SHARED = {"kernel_size", "stride", "padding", "dilation", "ceil_mode", "slots", "name", "channels", "generator"}


@pytest.mark.parametrize("name", NAMES)
def test_a_class_says_what_it_is(name: str):
    cls = get_pool(name)
    assert cls.name == name
    assert cls.role in ("window", "global", "channel", "same")
    assert name in list_pools(cls.role)
    assert isinstance(cls.random, bool)
    assert isinstance(cls.positional, bool)
    assert cls.learns in ("never", "option", "always")
    assert cls.uses_channels in ("never", "option", "always")
    assert cls.reference.authors
    assert cls.reference.source
    assert 1980 <= cls.reference.year <= 2026
    assert str(cls.reference.year) in str(cls.reference)
    assert cls.out_channels(cls, 12) >= 1
    assert set(cls.exempt) <= EXEMPTIONS
    assert all(len(reason) > 10 for reason in cls.exempt.values())
    assert not set(cls.options) & SHARED, "an option may not hide an argument that every pooling has"


@pytest.mark.parametrize("name", NAMES)
def test_the_attributes_are_true(name: str):
    cls, parameters = get_pool(name), inspect.signature(get_pool(name)).parameters
    assert bool(list(make(name).parameters())) == (cls.learns == "always")
    assert ("learnable" in cls.options) == (cls.learns == "option")
    assert ("channels" in parameters) == (cls.uses_channels != "never")
    assert ("generator" in parameters) == cls.random
    assert all(parameters[n].default == option.default for n, option in cls.options.items())
    x, pool = distinct(1, CHANNELS, 8, 8), make(name, dtype=torch.float64)
    assert pool(x).shape[1] == pool.out_channels(CHANNELS)


@pytest.mark.parametrize("name", WINDOWS)
def test_only_a_positional_method_looks_at_places(name: str):
    pool, x = make(name, Shape((3, 3), (3, 3)), dtype=torch.float64), distinct(1, CHANNELS, 3, 3)
    same = torch.equal(pool(x).round(decimals=9), pool(x.flip(2, 3)).round(decimals=9))
    assert same != get_pool(name).positional


@pytest.mark.parametrize("name", NAMES)
def test_one_stem_names_the_class_and_the_package_exports_it(name: str):
    cls = get_pool(name)
    stem = cls.__name__.removesuffix("2d").lower()
    assert name.replace("_", "") in (stem, stem.removesuffix("pool"))
    assert getattr(poolab.pooling, cls.__name__) is cls
    assert cls.__name__ in poolab.pooling.__all__
    assert cls.__doc__
    assert ">>>" in cls.__doc__, "each class has an example that runs"


def test_every_method_has_an_oracle_and_no_oracle_lacks_its_method():
    assert sorted([*oracles.ORACLES, *oracles.POSITIONAL]) == WINDOWS
    assert sorted(oracles.HEADS) == HEADS
    assert set(oracles.TIES) <= set(WINDOWS)


@pytest.mark.parametrize("name", NAMES)
def test_a_functional_twin_exists_where_there_is_no_state(name: str):
    cls, twin = get_pool(name), getattr(functional, f"{name}_pool2d", None)
    assert (twin is None) == (cls.learns == "always")
    if twin is None:
        return
    assert twin.__name__ == f"{name}_pool2d"
    assert cls.__name__ in twin.__doc__
    geometry = ["kernel_size", "stride", "padding", "dilation", "ceil_mode"] if cls.role == "window" else []
    shown = list(inspect.signature(twin).parameters)
    assert shown[: 1 + len(geometry)] == ["input", *geometry]
    stateless = [n for n in cls.options if n not in ("learnable", "sharing")]
    assert shown[1 + len(geometry) :] == stateless + (["training", "generator"] if cls.random else [])


@pytest.mark.parametrize("name", [name for name in NAMES if get_pool(name).learns != "always"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_functional_twin_is_its_module(name: str, mode: str):
    cls, twin = get_pool(name), getattr(functional, f"{name}_pool2d")
    options = {n: option.default for n, option in cls.options.items() if n not in ("learnable", "sharing")}
    options |= {"training": mode == "train", "generator": torch.Generator().manual_seed(0)} if cls.random else {}
    geometry = SHAPE.arguments if cls.role == "window" else {}
    x, pool = distinct(2, CHANNELS, 7, 8), make(name)
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


@pytest.mark.parametrize(("group", "names"), [("pooling", WINDOWS), ("head", [*HEADS, "own"])])
def test_each_method_has_its_configuration_and_no_other(group: str, names: list[str]):
    assert sorted(path.stem for path in (CONF / group).glob("*.yaml")) == sorted(names)


@pytest.mark.parametrize("path", sorted([*(CONF / "pooling").glob("*.yaml"), *(CONF / "head").glob("*.yaml")]), ids=str)
def test_a_configuration_holds_the_name_and_the_classs_defaults(path: Path):
    text = path.read_text(encoding="utf-8")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("# ")
    gave = [line for line in comments if line.startswith("# Gave ")]  # the window methods have been run
    assert len(gave) == (path.parent.name == "pooling")
    assert len(comments) - len(gave) <= 2
    assert all(len(line) <= 120 for line in text.splitlines())
    if path.stem == "own":
        assert yaml.safe_load(text) == {"name": "own"}
        return
    cls = get_pool(path.stem)
    defaults = {name: option.default for name, option in cls.options.items()}
    assert yaml.safe_load(text) == {"name": path.stem, **defaults}
    assert cls.reference.source in " ".join(comments) or "no first source" in text
