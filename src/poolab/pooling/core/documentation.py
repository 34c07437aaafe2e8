"""Complete the docstring of a pooling, as `help()` shows it, with what the class declares.

A leaf's docstring says what only the leaf knows. The arguments of all poolings, the ranges and defaults of the options,
the shapes, the errors and the siblings' text are added here, from one place.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator

from poolab.pooling.core.base import LAYOUTS, Pool, formula_parameters, has_twin
from poolab.pooling.core.docstring import Docstring, parsed
from poolab.pooling.core.options import Option

WIDTH = 76  # `help()` puts four columns before each line
GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
PAIRS = {1: "", 2: ", or a pair (height, width) of them", 3: ", or a triple (depth, height, width) of them"}
EXTRAS = {
    "input": "the map; its shape is below.",
    "training": "compute what the layer computes in training (True, the default) or in evaluation (False).",
    "labels": "a label for each position of the map, (N, H, W) of an integer dtype. Default: None.",
}
FUNCTIONS = "poolab.pooling.functional"
LENGTHS = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}


class Documentation:
    """Make a class's docstring when it is asked for; 150 of them at import would take milliseconds.

    Attributes:
        written: the docstring as the source has it, with its indent.
    """

    def __init__(self, written: str):
        self.written = written

    def __get__(self, owner: object, cls: type[Pool]) -> str:
        """Return the completed docstring, as `cls.__doc__`."""
        return class_documentation(cls)


def document(cls: type[Pool], like: type[Pool] | None = None) -> None:
    """Let `help()` show the completed docstring of a class, from its own words or those of another class."""
    own = vars(like or cls).get("__doc__")
    cls.__doc__ = Documentation(getattr(own, "written", own) or "")  # type: ignore[assignment]


def class_documentation(cls: type[Pool]) -> str:
    """Return the docstring of a pooling class, with all arguments, shapes, errors, an example and the source."""
    text = parsed(cls)
    arguments = [_entry(cls, name, text.arguments.get(name, "")) for name in cls.__signature__.parameters]
    related = _siblings(cls, _sibling) + ([f"`{FUNCTIONS}.{_function(cls, cls.dims)}`"] if has_twin(cls) else [])
    return _joined(cls, text, [*_dimensions(cls), *text.details], arguments, _class_example(cls, text), related)


def function_documentation(cls: type[Pool]) -> str:
    """Return the docstring of the function that computes what a class computes."""
    text = parsed(cls)
    names = ["input", *(GEOMETRY if cls.role == "window" else []), *formula_parameters(cls)]
    arguments = [_entry(cls, name, EXTRAS.get(name) or text.arguments.get(name, "")) for name in names]
    paragraphs = [f"The functional form of `{cls.__name__}`.", *text.details]
    related = [f"`{_public_module(cls)}.{cls.__name__}`", *_siblings(cls, _function)]
    return _joined(cls, text, paragraphs, arguments, _call_example(cls), related)


def _joined(
    cls: type[Pool],
    text: Docstring,
    paragraphs: list[str],
    arguments: list[tuple[str, str]],
    example: str,
    related: list[str],
) -> str:
    parts = [_filled(paragraph) for paragraph in (text.formula, *paragraphs)]
    parts += [_section("Args", arguments)] if arguments else []
    parts += [_section("Shape", _shapes(cls)), _section("Raises", list(text.raises.items()))]
    parts += [f"Example:\n{textwrap.indent(example, '    ')}"] if example else []
    parts += [_filled(f"See also: {', '.join(related)}.")] if related else []
    parts += [_filled(f"Reference: {_sentence(str(cls.reference))}")]
    return "\n\n".join(parts) + "\n"


def _filled(text: str, first: str = "", later: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def _section(title: str, entries: list[tuple[str, str]]) -> str:
    return "\n".join([f"{title}:", *(_filled(f"{name}: {text}", " " * 4, " " * 8) for name, text in entries)])


def _entry(cls: type[Pool], name: str, meaning: str) -> tuple[str, str]:
    """Return an argument and its meaning, followed by what it may be and its default."""
    if name in cls.options:
        option = cls.options[name]
        return name, f"{_sentence(meaning)} {allowed(option)}. Default: {option.default!r}."
    needed = "Required" if name == "kernel_size" or cls.uses_channels == "always" else "Default: None"
    may_be = {
        "kernel_size": f"An int >= 1{PAIRS[cls.dims]}. {needed}.",
        "stride": f"An int >= 1{PAIRS[cls.dims]}. Default: None.",
        "padding": f"An int >= 0{PAIRS[cls.dims]}, 'same' or 'valid'. Default: 0.",
        "dilation": f"An int >= 1{PAIRS[cls.dims]}. Default: 1.",
        "ceil_mode": "True or False. Default: False.",
        "channels": f"An int >= 1. {needed}.",
        "generator": "A `torch.Generator`. Default: None.",
    }
    return name, f"{_sentence(meaning)} {may_be.get(name, '')}".rstrip()


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def allowed(option: Option) -> str:
    """Return what an option may be, as a sentence without its full stop.

    >>> from poolab.pooling.core.options import Choice, Integer, Real
    >>> allowed(Integer(2, within_window=True)), allowed(Real(None, least=0.0))
    ('An int from 1 to the number of values in a window', 'A number >= 0 or None')
    """
    words = option.describe()
    if getattr(option, "within_window", False):
        words = re.sub(r">= (\d+)", r"from \1 to the number of values in a window", words)
    words = words.replace("one of True, False", "True or False") + ", also inf" * getattr(option, "infinite", False)
    return words[0].upper() + words[1:]


def _dimensions(cls: type[Pool]) -> Iterator[str]:
    if cls.dims != 2:
        yield f"`{_sibling(cls, 2)}` for input {' or '.join(LAYOUTS[cls.dims])}."


def _shapes(cls: type[Pool]) -> list[tuple[str, str]]:
    batched, single = LAYOUTS[cls.dims]
    return [
        ("Input", f"{batched} or {single}, of any floating dtype."),
        ("Output", f"{_output(cls)} It has the input's dtype, device and memory format."),
    ]


def _output(cls: type[Pool]) -> str:
    if cls.role != "window":
        return f"{cls.output_shape}; without N for an input without N."
    lengths = LENGTHS[cls.dims]
    channels = "C" if cls.out_channels is Pool.out_channels else "out_channels(C)"
    shape = ", ".join([channels, *(f"{length}_out" for length in lengths)])
    if "geometry" in cls.exempt:
        return f"(N, {shape}) or ({shape}); {_sentence(cls.exempt['geometry'])}"
    each = " and likewise " * (len(lengths) > 1) + " and ".join(f"{length}_out" for length in lengths[1:])
    rule = (
        f"{lengths[0]}_out = floor(({lengths[0]} + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1{each}, "
        "as for `torch.nn.MaxPool2d`; `ceil_mode` rounds up."
    ).replace("MaxPool2d", f"MaxPool{cls.dims}d")
    return f"(N, {shape}) or ({shape}), {rule}" + " The size changes with what is learned." * cls.resizes


def _siblings(cls: type[Pool], name: Callable[[type[Pool], int], str]) -> list[str]:
    """Return the names of the same method in other numbers of dimensions."""
    has_siblings = cls.role == "window" and "dimensions" not in cls.exempt
    return [f"`{name(cls, dims)}`" for dims in (1, 2, 3) if dims != cls.dims and has_siblings]


def _function(cls: type[Pool], dims: int) -> str:
    return f"{cls.name}_pool{dims}d"


def _sibling(cls: type[Pool], dims: int) -> str:
    return cls.__name__.removesuffix(f"{cls.dims}d") + f"{dims}d"


def _class_example(cls: type[Pool], text: Docstring) -> str:
    """Return the written example; a sibling's shows a shape, since the written one is for two dimensions."""
    imports = _imports(f"from {_public_module(cls)} import {cls.__name__}")
    if cls.dims == 2:
        missing = [line for line in imports if line not in text.example]
        return "\n".join([*missing, text.example]) if text.example else ""
    channels = ["channels=4"] if cls.uses_channels != "never" else []
    return _shape_example(cls, imports, f"{cls.__name__}({', '.join(['kernel_size=4', *channels])})(x)")


def _public_module(cls: type[Pool]) -> str:
    return "poolab.pooling" if cls.__module__.startswith("poolab.pooling.") else cls.__module__


def _call_example(cls: type[Pool]) -> str:
    """Return a call: the output's shape for a window method; for another, that the layer gives the same."""
    function = _function(cls, cls.dims)
    imports = _imports(f"from poolab.pooling.functional import {function}")
    if cls.role == "window":
        return _shape_example(cls, imports, f"{function}(x, kernel_size=4)")
    imports.append(f">>> from {_public_module(cls)} import {cls.__name__}")
    same = f"torch.allclose({function}(x), {cls.__name__}()(x))"
    return "\n".join([*imports, ">>> x = torch.rand(1, 4, 8, 8)", f">>> {same}", "True"])


def _imports(own: str) -> list[str]:
    return [">>> import torch", f">>> {own}"]


def _shape_example(cls: type[Pool], imports: list[str], call: str) -> str:
    sizes, shape = ((1, 4, *(length,) * cls.dims) for length in (8, 2))
    return "\n".join([*imports, f">>> x = torch.rand{sizes}", f">>> tuple({call}.shape)", str(shape)])


def overview(classes: Iterable[type[Pool]]) -> str:
    """Return the names of the poolings by role, a line each, for the package's docstring."""
    lines = []
    for role, heading in ROLES.items():
        lines += ["", heading, ""]
        members = sorted((cls for cls in classes if cls.role == role), key=lambda cls: cls.__name__.lower())
        lines += [f"{cls.__name__:<23} {summary(cls)}" for cls in members]
    return "\n".join(lines[1:]) + "\n"


ROLES = {
    "window": "Window methods, in place of max pooling; also `...1d` and `...3d`:",
    "global": "Heads, from a map of any size to features of one size:",
    "channel": "Across the channels, at the same size:",
    "same": "Over windows at stride 1, at the same size:",
}
END = re.compile(r"[:;] |[.]$")


def summary(cls: type[Pool]) -> str:
    """Return what a class computes in a few words: its first sentence without the verb and the formula.

    >>> from poolab.pooling import AvgTopKPool2d
    >>> summary(AvgTopKPool2d)
    'average top-k pooling, the mean of the k largest'
    """
    # Read from the raw text: the import of the package does this for all layers, and must stay quick.
    sentence = " ".join(vars(cls)["__doc__"].written.partition("\n\n")[0].split())
    return END.split(sentence.removeprefix("Apply "), maxsplit=1)[0]
