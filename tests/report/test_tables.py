"""Tables: on the terminal, as Markdown, CSV and LaTeX; with names that mean something to each of them."""

import csv
import io
import re

import pytest

from poolab.report import terminal
from poolab.report.tables import csv_table, csv_tables, latex_table, markdown_table, markdown_tables
from poolab.report.terminal import print_tables, verdict_text
from tests.report.made import answer, drawn, record, study

NASTY = ("<script>alert(1)</script>", "$x$ & 100% #1 {a}_b^c~\\", "a|b\nc", "\x1b[2J\x1b[31m", "a\ud800b", "n" * 200)
MEANS = {"max": 0.8, "avg": 0.75, "lp": 0.82, "softpool": 0.7}


@pytest.fixture
def analysis():
    records = study(drawn(MEANS, 6))
    return answer([*records, record("avg", 6, status="failed"), record("max", 6, 0.8)])


def nasty(**more):
    """A study in which each odd name is an arm."""
    return answer(study(drawn({"max": 0.8, **dict.fromkeys(NASTY, 0.7)}, 4), **more))


def test_csv_keeps_all_digits(analysis):
    (table,) = analysis.tables
    rows = list(csv.DictReader(io.StringIO(csv_table(table, analysis))))
    assert [row["arm"] for row in rows] == [row.label for row in table.rows]
    for told, row in zip(rows, table.rows, strict=True):
        assert float(told["mean"]) == row.compared.mean
        assert int(told["pairs"]) == row.compared.pairs
        if not row.is_baseline:
            assert float(told["difference"]) == row.compared.difference
            assert (float(told["interval_low"]), float(told["interval_high"])) == row.compared.interval
            assert float(told["interval_single_low"]) == row.compared.interval_single[0]
    assert [row["failed"] for row in rows] == [str(row.compared.failed) for row in table.rows]


def test_the_tables_of_several_settings_are_one_csv():
    records = [one for data in ("digits", "mnist") for one in study(drawn(MEANS, 4), data__name=data)]
    rows = list(csv.DictReader(io.StringIO(csv_tables(answer(records)))))
    assert [row["setting"] for row in rows] == ["digits, keras_cnn"] * 4 + ["mnist, keras_cnn"] * 4
    text = markdown_tables(answer(records))
    assert text.count("| arm |") == 2
    assert "mnist, keras_cnn: test accuracy, baseline max, differences in points:" in text


def test_csv_takes_odd_names():
    analysis = nasty()
    rows = list(csv.DictReader(io.StringIO(csv_tables(analysis))))
    assert {row["arm"] for row in rows} == {row.label for row in analysis.tables[0].rows}


def test_markdown_has_as_many_cells_in_each_line(analysis):
    for one in (analysis, nasty()):
        lines = markdown_table(one.tables[0], one).splitlines()
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
        assert len(set(cells)) == 1
        assert len(lines) == 2 + len(one.tables[0].rows)
    assert not re.search(r"<script", markdown_table(nasty().tables[0], nasty()))


def test_a_page_begins_with_the_verdicts_and_a_paper_with_the_data(analysis, capsys):
    page = markdown_table(analysis.tables[0], analysis).splitlines()[0]
    assert page.startswith("| arm | verdict | difference (points) | 95 % interval | adjusted p |")
    paper = latex_table(analysis.tables[0], analysis).split(r"\toprule")[1].splitlines()[1]
    assert paper.startswith(
        r"arm & n & test accuracy (\%) & difference (points) & 95 \% interval & adjusted p & verdict"
    )
    print_tables(analysis)
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["arm", "n", "mean", "diff"]


def test_latex_escapes_what_is_special():
    analysis = nasty()
    text = latex_table(analysis.tables[0], analysis)
    assert r"\$x\$ \& 100\% \#1 \{a\}\_b\textasciicircum{}c\textasciitilde{}\textbackslash{}" in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line]
    assert len(lines) == len(analysis.tables[0].rows)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {6}
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    for mark in ("$", "%", "#", "_"):
        bare = re.findall(rf"(?<!\\){re.escape(mark)}", text)
        assert not bare, mark
    text.encode("utf-8")


@pytest.mark.parametrize("columns", [80, 60, 100])
def test_the_terminal_cuts_no_number_and_folds_names(analysis, columns, monkeypatch, capsys):
    for one in (analysis, nasty()):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_tables(one)
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= columns
        assert "…" not in text
        assert "\x1b" not in text
        (table,) = one.tables
        for row in table.others:
            low, high = row.compared.interval
            pattern = r"\s+".join(map(re.escape, (f"{100 * low:+.2f}", "to")))
            assert re.search(pattern, text), (row.label, text)
            for number in (f"{100 * row.compared.difference:+.2f}", f"{100 * high:+.2f}", f"{100 * low:+.2f}"):
                assert number in text
            assert row.label[:8] in text
        assert ("Left out here for want of room" in text) == (columns == 60)
    assert sum(map(len, re.findall("n{5,}", text))) >= 200  # the long name is folded, and none of it is lost


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("", 80), ("40", 60), ("72", 72), ("400", 100), ("x", 80)])
def test_the_width_of_the_terminal(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: (_ for _ in ()).throw(OSError()))
    assert terminal.width() == width


def test_the_verdict_is_wrapped_and_moves_no_cursor():
    text = verdict_text(nasty(), 60)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines() if "n" * 60 not in line) <= 60
    text.encode("utf-8")


def test_a_setting_may_have_an_odd_name_too(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for name in NASTY:
        one = answer(study(drawn({"max": 0.8, "avg": 0.7}, 3), data__name=name))
        print_tables(one)
        told = capsys.readouterr().out
        assert "\x1b" not in told
        told.encode("utf-8")
        latex_table(one.tables[0], one).encode("utf-8")
        markdown_tables(one).encode("utf-8")
