import inspect
import re

import pytest

from poolab import cli
from poolab.catalogue import card, listed
from poolab.catalogue.card import allowed, written
from poolab.catalogue.chosen import make, preset
from poolab.catalogue.cost import measured
from poolab.catalogue.render import escaped, markdown, text
from poolab.configuration import config_dir
from poolab.errors import ConfigError
from poolab.pooling import functional, get_pool, use_backend
from poolab.pooling.core.docstring import parsed
from poolab.pooling.core.options import Choice, Integer, Integers, Real, Size, flag

CARDS = {}


def card_of(name):
    """Each method's card is made once."""
    return CARDS.setdefault(name, card(name))


@pytest.mark.parametrize("name", listed())
def test_every_card_is_whole(name):
    shown, cls = card_of(name), get_pool(name)
    assert shown.class_name == cls.__name__
    assert shown.formula.endswith("."), "the docstring's first sentence says what it computes"
    assert all(shown.details)
    assert [row.name for row in shown.options] == list(cls.options)
    for row in shown.options:
        assert row.meaning, f"say in Args: of {cls.__name__} what {row.name} means"
        assert row.allowed
        assert row.default
    assert shown.example.startswith(">>>")
    assert all(shown.use.values())
    assert all(shown.cost.values())
    assert list(shown.cost) == ["parameters", "kept for backward", "output"]
    needed = {"class", "signature", "input", "output size", "in training", "in evaluation", "1-d and 3-d", "function"}
    assert needed | {"reference"} <= shown.use.keys()
    group = {"window": "pooling", "global": "head"}.get(cls.role)
    if group and (config_dir() / group / f"{name}.yaml").exists():
        assert shown.use["configuration"] == f"python train.py {group}={name} (conf/{group}/{name}.yaml)"


@pytest.mark.parametrize("name", listed())
def test_the_text_says_everything_in_80_columns(name):
    shown = card_of(name)
    lines = text(shown).splitlines()
    code = lines.index("Example")
    assert max(map(len, lines[:code])) <= 80
    flowing = " ".join(" ".join(lines).split())
    parts = [shown.formula, *shown.details, *shown.use.values(), *shown.cost.values(), *shown.disagreements]
    parts += [f"{row.name}: {row.allowed}; default {row.default} {row.meaning}" for row in shown.options]
    parts += [f"{item}: {why}" for item, why in shown.exempt.items()]
    for part in parts:
        assert " ".join(part.split()) in flowing
    assert all(line in "\n".join(lines[code:]) for line in shown.example.splitlines())


@pytest.mark.parametrize("name", listed())
def test_the_tables_of_the_markdown_are_whole(name):
    page = markdown(card_of(name))
    assert page.startswith(f"# {name}\n")
    for table in re.findall(r"(?:^\|.*\|\n?)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert not re.search(r"\n{3}", page)


def test_a_card_on_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["pools", "mixed"]) == 0
    assert capsys.readouterr().out.rstrip() == text(card("mixed"))
    monkeypatch.setenv("COLUMNS", "50")
    assert cli.main(["pools", "mixed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[: lines.index("Example")])) <= 50
    assert cli.main(["pools", "mixed", "--markdown"]) == 0
    assert capsys.readouterr().out.rstrip() == markdown(card("mixed"))


def test_the_parameters_are_counted_with_and_without_what_learns():
    assert card("max").cost["parameters"] == "0"
    assert card("lp").cost["parameters"] == "0, 1 with learnable=true"
    assert card("mixed").cost["parameters"] == "0, 1 with learnable=true, 64 with learnable=true sharing=channel"
    assert card("mixed", learnable=True).cost["parameters"] == "1, 64 with sharing=channel"
    assert card("strided_conv").cost["parameters"] == f"{64 * 64 * 4 + 64:,}"


def test_the_bytes_are_those_kept_beyond_the_input():
    """The maximum keeps an int64 index for each window, that is 8 bytes for 4 elements; the mean keeps nothing."""
    assert card("max").cost["kept for backward"].startswith("2 bytes per input element")
    assert card("max", kernel_size=4).cost["kept for backward"].startswith("0.5 bytes per input element")
    assert card("avg").cost["kept for backward"].startswith("0 bytes per input element")
    assert card("max", kernel_size=4).cost["output"] == "(2, 64, 4, 4)"


def test_evaluation_is_told_where_it_differs(monkeypatch):
    assert card("max").use["in evaluation"] == "deterministic"
    assert card("max").use["in training"] == "the same as in evaluation"
    assert card("stochastic").use["in training"] == "draws random numbers"
    assert "expectation" in card("stochastic").use["in evaluation"]
    monkeypatch.setattr(get_pool("stochastic"), "evaluates", "the median of the draws")
    assert card("stochastic").use["in evaluation"] == "the median of the draws"


def test_the_names_on_a_card_exist():
    from poolab import pooling

    for name in listed():
        use = card_of(name).use
        assert use["class"].rpartition(".")[2] == get_pool(name).__name__
        if not use["function"].startswith("none"):
            assert callable(getattr(functional, use["function"].rpartition(".")[2]))
        for sibling in use["1-d and 3-d"].split(", ") if not use["1-d and 3-d"].startswith("none") else []:
            assert sibling in (pooling.get_pool(name, 1).__name__, pooling.get_pool(name, 3).__name__)
        for option in get_pool(name).options:
            assert f"{option}=" in use["signature"]


def test_a_class_of_a_user_has_a_card(users_own):
    shown = card("half_range", share=2)
    assert shown.use["class"].endswith(".HalfRangePool2d")
    assert "configuration" not in shown.use
    assert "share=2" in shown.measured_on
    page = markdown(shown)
    assert "- owner/repo takes the \\*whole\\* range (owner/repo#1)." in page
    assert "- expectation: a \\| b" in page
    assert "Where implementations differ" in text(shown)
    assert "  - padding: a constant has no range" in text(shown)


@pytest.mark.parametrize(("option", "words"), [
    (Integer(2), "an int >= 1"),
    (Integer(2, most=5), "an int from 1 to 5"),
    (Integer(2, least=2, within_window=True), "an int from 2 to the number of taps of the window"),
    (Integer(None), "an int >= 1, or null"),
    (Real(0.5, least=0, most=1, open_least=True), "a number > 0 and <= 1"),
    (Real(2.0, least=1, infinite=True), "a number >= 1, or inf"),
    (Real(2.0), "a number"),
    (Choice("a", ("a", "b")), "one of 'a', 'b'"),
    (Choice(None, (None, "b")), "one of None, 'b', or null"),
    (flag(True), "true or false"),
    (Size(1), "an int >= 1 or a pair of them"),
    (Integers((1, 2)), "a list of ints >= 1"),
], ids=str)  # fmt: skip
def test_what_an_option_may_be(option, words):
    assert allowed(option) == words


@pytest.mark.parametrize("value", [None, True, 0.5, 3, "mean", [1, 2], (27, 9), float("inf")])
def test_a_default_is_written_as_it_can_be_given(value):
    from poolab.catalogue.chosen import values

    back = values([f"key={written(value)}"])["key"]
    assert back == (list(value) if isinstance(value, tuple) else value)


def test_a_docstring_is_taken_apart():
    class Base:
        """Base.

        Args:
            shared: what both
                have: colons too.
            hidden: by the base.
        """

    class Leaf(Base):
        """The mean (Lee et al. 2016) over r, y = sum w_i x_i. A second sentence.

        A paragraph
        of two lines.

        Args:
            hidden: by the leaf.
            a, b: two at once.

        Example:
            >>> Leaf()
            <Leaf>
        """

    found = parsed(Leaf)
    assert found.formula == "The mean (Lee et al. 2016) over r, y = sum w_i x_i."
    assert found.details == ("A second sentence.", "A paragraph of two lines.")
    assert found.arguments == {
        "shared": "what both have: colons too.",
        "hidden": "by the leaf.",
        "a": "two at once.",
        "b": "two at once.",
    }
    assert found.example == ">>> Leaf()\n<Leaf>"


def test_formulas_survive_markdown():
    assert escaped("a * b_c < |d| ~ $e _f_ `g*h|i`") == r"a \* b_c \< \|d\| \~ \$e \_f_ `g*h\|i`"


def test_what_a_method_needs_to_be_made(users_own, monkeypatch):
    """Defaults that do not stand alone fall back to the trial options; given ones never do."""
    monkeypatch.setattr(users_own, "conflicts", lambda self: ["0.5 is too much"] if self.share == 0.5 else [])
    with pytest.raises(ConfigError, match=r"0\.5 is too much"):
        make(users_own, {}, channels=1)
    monkeypatch.setattr(users_own, "trial", {"share": 0.25})
    assert make(users_own, {}, channels=1)[0].share == 0.25
    with pytest.raises(ConfigError, match=r"0\.5 is too much"):
        make(users_own, {"share": 0.5}, channels=1)


def test_the_first_kernel_that_a_method_takes(users_own, monkeypatch):
    monkeypatch.setattr(users_own, "conflicts", lambda self: ["needs 3"] if self.kernel_size != (3, 3) else [])
    pool, made = make(users_own, {}, channels=1)
    assert (pool.kernel_size, made) == ((3, 3), {"kernel_size": 3})
    with pytest.raises(ConfigError, match="needs 3"):
        make(users_own, {"kernel_size": 2}, channels=1)


def test_the_house_rule_of_the_first_sentence():
    assert all("\n\n" in inspect.getdoc(get_pool(name)) for name in listed())


@pytest.mark.parametrize("name", ["adapool", "gem"])
def test_the_bytes_are_those_of_plain_torch_whatever_kernels_this_process_has(name):
    cls = get_pool(name)
    plain = measured(cls, {})
    with use_backend("fused"):
        assert measured(cls, {}) == plain


@pytest.mark.parametrize(("name", "told"), [
    ("avg_topk_k3", "avg_topk: k=3"),
    ("sppf", "pixel_pyramid: windows=[1,5,9,13] project=true"),
    ("max_overlap", "max: kernel_size=3 stride=2 padding=1"),
    ("lp_sum", "lp: norm=sum"),
])  # fmt: skip
def test_a_preset_is_told_with_the_page_of_its_method(name, told, capsys):
    assert cli.main(["pools", name]) == 0
    out = capsys.readouterr().out
    method = told.partition(":")[0]
    assert out.startswith(f"{name} is a preset of {told}\n\n{method}: {get_pool(method).__name__}\n")


def test_options_beside_a_preset_replace_its_own(capsys):
    assert cli.main(["pools", "avg_topk_k3", "k=2", "kernel_size=3"]) == 0
    assert "AvgTopKPool2d(kernel_size=3, stride=3)" in " ".join(capsys.readouterr().out.split())


def test_every_preset_has_its_page():
    files = [file for group in ("pooling", "head") for file in (config_dir() / group).glob("*.yaml")]
    presets = [
        file.stem
        for file in files
        if "defaults" in file.read_text() and not re.search("^name:", file.read_text(), re.M)
    ]
    assert {"avg_topk_k3", "avg_topk_author", "sppf", "max_overlap", "lp_sum"} <= set(presets)
    for name in presets:
        method, options = preset(name)
        assert card(method, **options).name == method
