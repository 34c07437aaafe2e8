import io

import pytest

from poolab import cli
from poolab.catalogue.table import COLUMNS, listed, markdown, rows, short
from poolab.pooling import Reference, get_pool, list_pools


@pytest.fixture
def poolab(capsys, monkeypatch):
    """`poolab pools ...` in this process, 80 columns wide: its exit code, and what it printed."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words):
        code = cli.main(["pools", *words])
        return code, *capsys.readouterr()

    return call


def test_every_method_is_a_line_of_at_most_80_columns(poolab):
    code, out, err = poolab()
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == list(COLUMNS)
    assert [line.split()[0] for line in lines[1 : lines.index("")]] == listed()
    assert sorted(listed()) == list_pools()


def test_the_order_is_role_and_name():
    roles = [get_pool(name).role for name in listed()]
    assert roles == sorted(roles, key=["window", "global", "channel", "same"].index)
    assert listed("global") == list_pools("global") == sorted(listed("global"))


def test_one_role(poolab):
    out = poolab("--role", "global")[1]
    names = [line.split()[0] for line in out.splitlines()[1:] if line and not line.startswith("more")]
    assert names == list_pools("global")


def test_the_cells_are_the_attributes():
    columns = dict(zip(listed(), rows(listed()), strict=True))
    assert list(columns["mixed"].values())[:6] == ["mixed", "window", "option", "-", "option", "1 2 3"]
    assert list(columns["stochastic"].values())[:6] == ["stochastic", "window", "-", "yes", "-", "1 2 3"]
    assert list(columns["adaptive_avg"].values())[:6] == ["adaptive_avg", "global", "-", "-", "-", "2"]
    assert columns["softpool"]["reference"] == str(get_pool("softpool").reference)


@pytest.mark.parametrize(("authors", "shown"), [
    ("Zhang", "Zhang 2020"),
    ("Zeiler, Fergus", "Zeiler, Fergus 2020"),
    ("Lin, Chen, Yan", "Lin et al. 2020"),
    ("Serra (flat erosion)", "Serra 2020"),
    ("A committee with an endless name", "A committee with a... 2020"),
])  # fmt: skip
def test_short_references(authors, shown):
    assert short(Reference(authors, 2020, "somewhere")) == shown
    assert len(shown) <= 26


def test_markdown_has_a_row_of_the_same_cells_for_each_method(poolab):
    code, out, _ = poolab("--markdown", "--role", "window")
    lines = out.splitlines()
    assert code == 0
    assert out.rstrip() == markdown(listed("window"))
    assert len(lines) == 2 + len(list_pools("window"))
    assert {line.replace(r"\|", "").count("|") for line in lines} == {len(COLUMNS) + 2}


def test_a_class_of_a_user_is_in_it(poolab, users_own):
    assert "half_range" in poolab()[1]
    assert "| half_range | Half of the range, y = share (max_i x_i - min_i x_i). | window |" in poolab("--markdown")[1]


def test_what_is_no_terminal_gets_80_columns(poolab, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", io.StringIO())  # as of a pipe: no terminal that could be asked for its size
    lines = poolab()[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) >= len(list_pools("window"))


@pytest.mark.parametrize(("words", "message"), [
    (["avg_topkk"], "no pooling is called 'avg_topkk': did you mean avg_topk"),
    (["SPPF"], "no pooling is called 'SPPF': did you mean sppf? known: adapool"),
    (["avg_topkk", "--show", "x.png"], "no pooling is called 'avg_topkk': did you mean avg_topk"),
    (["avg_topk", "kk=2"], "AvgTopKPool2d: no option kk (did you mean k? options: k)"),
    (["AvgTopKPool2d"], "AvgTopKPool2d is the class, did you mean avg_topk?"),
    (["ordinal", "channels=5"], "channels is not to be given here: it is that of the map"),
    (["universal", "channels=1", "--show", "x.png"], "channels is not to be given here: it is that of the map"),
    (["max", "name=3", "dims=1"], "name is not to be given here: the method is the word before the options"),
    (["stochastic", "generator=3"], "generator is not to be given here: the draws are those of seed 0"),
    # what a method finds wrong only when it sees the map
    (["inter_map", "groups=3"], "inter_map cannot pool the map (2, 64, 16, 16)"),
    (["superpixel", "regions=4"], "leave regions null there and choose grid"),
    (["fractional_max", "output_ratio=0.001"], "the output for input (2, 64, 16, 16) would be 0x0"),
    (["avg_topk", "kernel_size=9999"], "or the kernel smaller"),
    (["avg_topk", "k=99"], "k must be an int from 1 to 4 (the window has no more taps), found 99"),
    (["avg_topk", "k=1.5", "padding=7"], "k must be an int >= 1, found 1.5"),
    (["avg_topk", "k=1.5", "padding=7"], "padding must be at most half of kernel_size"),
    (["mixed", "alpha=2", "sharing=chanel"], "alpha must be a number >= 0 and <= 1, found 2"),
    (["mixed", "alpha=2", "sharing=chanel"], "sharing must be one of 'layer', 'channel', found 'chanel'; did you mean"),
    (["avg_topk", "k"], "k is not an option: write key=value"),
    (["avg_topk", "k=1,2"], "k=1,2 is not an option: write key=value, and a list as key=[1,2]"),
    (["global_avg", "kernel_size=2"], "no option kernel_size (it has none)"),
    (["avg_topk", "--show", "x.png", "k=99"], "k must be an int from 1 to 16"),
    (["--show", "x.png"], "--show needs the NAME of a method"),
    (["avg_topk", "--image", "x.png"], "--image needs --show FILE"),
    (["avg_topk", "--role", "window"], "--role goes with the table"),
    (["avg_topk", "--show", "x.png", "--markdown"], "--markdown goes with"),
])  # fmt: skip
def test_wrong_words(poolab, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = poolab(*words)
    assert code == 2
    assert err.startswith("poolab: ")
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_role_and_the_help(poolab, capsys):
    with pytest.raises(SystemExit, match="2"):
        poolab("--role", "head")
    assert "choose from" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        poolab("--help")
    shown = capsys.readouterr().out
    assert "poolab pools avg_topk k=3 --show x.png" in shown
    assert max(map(len, shown.splitlines())) <= 80
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    assert "pools" in capsys.readouterr().out
