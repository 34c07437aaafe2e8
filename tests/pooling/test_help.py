"""What `help()` shows: of a class its real constructor and all that is to be known, of the package a page or two."""

import doctest
import inspect
import pydoc
import re
from typing import Any

import pytest

from poolab import pooling
from poolab.pooling import functional, get_pool, list_pools
from poolab.pooling.core.base import Pool, has_twin
from poolab.pooling.core.documentation import allowed
from poolab.pooling.core.options import Integer, Real, Size
from poolab.pooling.registry import SIBLINGS
from tests.pooling.support import CHANNELS, distinct, make

NAMES = list_pools()
CLASSES = [*map(get_pool, NAMES), *SIBLINGS.values()]
FUNCTIONS = dir(functional)


def shown(thing: Any) -> str:
    """The text of `help(thing)`."""
    return pydoc.plain(pydoc.render_doc(thing))


def sections(text: str) -> dict[str, str]:
    """The sections of a docstring by their title."""
    parts = re.split(r"^(Args|Shape|Raises|Example):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def arguments(text: str) -> dict[str, str]:
    """The entries of a docstring's arguments by name, each on one line."""
    entries = re.split(r"\n {4}(?=\S)", "\n" + sections(text).get("Args", "").partition("\n\n")[0])[1:]
    return {name: " ".join(words.split()) for name, _, words in (entry.partition(": ") for entry in entries)}


def test_help_of_the_package_is_two_pages_of_80_columns_that_name_every_layer():
    lines = shown(pooling).splitlines()
    assert len(lines) <= 130
    assert max(map(len, lines[: lines.index("FILE")])) <= 80
    for name in NAMES:
        (line,) = [line for line in lines if line.split()[:1] == [get_pool(name).__name__]]
        assert len(line.split()) >= 3, "its name and what it is"


@pytest.mark.parametrize("name", ["functional", "create_pool", "get_pool", "list_pools", "register", "Pool", "Windows"])
def test_help_of_the_package_names_what_is_not_a_layer(name: str):
    assert re.search(rf"\b{name}\b", shown(pooling))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_help_of_a_class_says_all(cls: type[Pool]):
    text = cls.__doc__
    assert text.startswith("Apply ")
    assert max(map(len, text.partition("Example:")[0].splitlines())) <= 76
    assert list(sections(text)) == ["Args"] * bool(cls.__signature__.parameters) + ["Shape", "Raises", "Example"]
    assert list(arguments(text)) == list(inspect.signature(cls).parameters)
    for name, words in arguments(text).items():
        default = inspect.signature(cls).parameters[name].default
        assert words.endswith("Required." if default is inspect.Parameter.empty else f"Default: {default!r}."), name
        assert len(words.split(". ")) >= 3, f"{name}: its meaning, what it may be and its default"
    for said in ("ValueError: ", "TypeError: "):
        assert said in sections(text)["Raises"]
    assert f"Reference: {cls.reference}" in " ".join(text.split())
    assert f"{cls.__name__}(" in sections(text)["Example"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_help_of_a_function_says_all_and_its_example_runs(function: str):
    twin = getattr(functional, function)
    text = twin.__doc__
    assert text.startswith("Apply ")
    assert list(arguments(text)) == list(inspect.signature(twin).parameters)
    assert all(arguments(text).values())
    assert list(sections(text)) == ["Args", "Shape", "Raises", "Example"]
    test = doctest.DocTestParser().get_doctest(text, {}, function, None, None)
    assert len(test.examples) >= 3
    assert doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(test).failed == 0


def test_help_names_related_classes_and_functions_but_not_what_it_is_asked_for():
    text = " ".join(functional.avg_topk_pool1d.__doc__.split())
    assert "See also: `poolab.pooling.AvgTopKPool1d`, `avg_topk_pool2d`, `avg_topk_pool3d`." in text
    text = " ".join(pooling.AvgTopKPool2d.__doc__.split())
    assert "`AvgTopKPool1d`, `AvgTopKPool3d`, `poolab.pooling.functional.avg_topk_pool2d`." in text
    for function in FUNCTIONS:
        related = getattr(functional, function).__doc__.partition("See also: ")[2].partition("Reference:")[0]
        assert related, function
        assert not re.search(rf"\b{function}\b", related)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_help_says_the_range_of_a_number_once(cls: type[Pool]):
    for name, words in arguments(cls.__doc__).items():
        option = cls.options.get(name)
        if isinstance(option, Real | Integer | Size):
            meaning = words.lower().partition(allowed(option).lower())[0]
            limits = [f"{one:g}" for one in (option.least, option.most) if one is not None]
            twice = re.search(
                rf"from {re.escape(limits[0])}\b.* to {re.escape(limits[-1].replace('+', ''))}\b", meaning
            )
            assert not twice, f"{name}: {words}"
            assert "an int" not in meaning, f"{name}: {words}"


def test_help_shows_the_real_constructor_and_ranges_from_the_declared_options():
    text = shown(pooling.AvgTopKPool2d)
    signature = next(line for line in text.splitlines() if "AvgTopKPool2d(kernel_size" in line)
    assert "kernel_size: int | tuple[int, int], stride: int | tuple[int, int] | None = None" in signature
    assert signature.endswith("*, k: int = 2)")
    said = arguments(pooling.AvgTopKPool2d.__doc__)
    assert said["k"].endswith("An int from 1 to the number of values in a window. Default: 2.")
    assert said["padding"].endswith("An int >= 0, or a pair (height, width) of them, 'same' or 'valid'. Default: 0.")
    assert arguments(pooling.AvgTopKPool3d.__doc__)["stride"].count("a triple (depth, height, width)") == 1
    assert arguments(pooling.AvgTopKPool1d.__doc__)["stride"].endswith("An int >= 1. Default: None.")
    assert "One of 'mean', 'sum'. Default: 'mean'." in arguments(pooling.LpPool2d.__doc__)["norm"]
    assert "also inf" in arguments(pooling.LpPool2d.__doc__)["p"]


def test_a_class_of_a_user_is_documented_too(monkeypatch: pytest.MonkeyPatch):
    from poolab.pooling import registry

    monkeypatch.setattr(registry, "POOLS", dict(registry.POOLS))
    monkeypatch.setattr(registry, "SIBLINGS", dict(registry.SIBLINGS))

    @pooling.register("undocumented")
    class UndocumentedPool2d(pooling.WindowPool2d):
        reference = pooling.Reference("nobody", 2026, "none")

        @staticmethod
        def formula(windows: pooling.Windows) -> Any:
            return windows.maximum()

    assert "kernel_size: the size of the window." in UndocumentedPool2d.__doc__
    assert "Reference: nobody, 2026, none." in registry.SIBLINGS["undocumented", 3].__doc__


def stated(cls: type[Pool], options: dict[str, Any], input: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a class's `output_shape` states for an input and options."""
    names = {"pair": lambda size: size if isinstance(size, tuple) else (size, size), "len": len, "sum": sum}
    names |= dict(zip("NCHW", input, strict=True)) | {name: option.default for name, option in cls.options.items()}
    names |= options
    shape, _, where = cls.output_shape.partition(", where ")
    if where:
        exec(where, names)
    return eval(shape, names)


@pytest.mark.parametrize(("name", "options"), [
    *((name, {}) for name in NAMES if get_pool(name).role != "window"),
    ("adaptive_max", {"output_size": (3, 2)}),
    ("clip_attention", {"output_dim": 5}),
    ("compact_bilinear", {"output_dim": 11}),
    ("global_avgmax", {"mode": "cat"}),
    ("isqrt_cov", {"dim": None}),
    ("isqrt_cov", {"dim": 2}),
    ("mop", {"clusters": 2, "scales": (2, 3, 5)}),
    ("netvlad", {"clusters": 5}),
    ("spp", {"levels": (3, 1)}),
    ("superpixel", {"grid": (3, 2)}),
    ("pixel_pyramid", {"windows": (3, 5)}),
    ("pixel_pyramid", {"windows": (3, 5), "project": True}),
    ("inter_map", {"groups": CHANNELS}),
], ids=str)  # fmt: skip
def test_the_stated_shape_is_the_output_s(name: str, options: dict[str, Any]):
    cls = get_pool(name)
    made = make(name, **options)
    found = tuple(made.eval().double()(distinct(2, CHANNELS, 7, 6)).shape)
    used = {option: getattr(made, option) for option in cls.options}  # `make` gives the trial options
    assert stated(cls, used, (2, CHANNELS, 7, 6)) == found
    assert cls.output_shape.partition(", where ")[0] in " ".join(cls.__doc__.split())


def test_there_is_a_function_for_each_layer_without_parameters():
    assert {f"{cls.name}_pool{cls.dims}d" for cls in CLASSES if has_twin(cls)} == set(FUNCTIONS)
