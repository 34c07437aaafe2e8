"""The files of a report: all there, self-contained, with every name as text and nothing else."""

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from poolab.errors import PoolabError
from poolab.report.figures import draw_all
from poolab.report.figures.draw import OF_SETTING
from poolab.report.figures.pareto import front
from poolab.report.page.rendering import render
from poolab.report.write import write_report
from tests.report.made import answer, document, drawn, record, study

NASTY = ("<script>alert(1)</script>", "$x$ & 100% #1 {a}_b^c~\\", "a|b\nc", "\x1b[2J\x1b[31m", "a\ud800b", "n" * 200,
         "\"><img src=x onerror=alert(1)>", "{{ 7*7 }}", "]]>&amp;")  # fmt: skip
VOID = {"meta", "link", "br", "input", "img", "hr"}


class Page(HTMLParser):
    """Elements, texts and attributes of a page; a tag that closes nothing is a fault."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes, self.ids, self.faults = [], [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attributes]
        self.ids += [value for key, value in attributes if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attributes]
        self.ids += [value for key, value in attributes if key == "id"]

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.faults.append(tag)

    def handle_data(self, text):
        self.texts.append(text)


def costs(records):
    """Records with costs that differ between the poolings."""
    for number, one in enumerate(records):
        size = len(one["config"]["pooling"]["name"])
        one["metrics"] |= {"speed/train_images_per_s": 3200.0 / size + number, "cost/parameters": 100.0 + size}
        one["metrics"] |= {"cost/peak_memory_bytes": 1e8 + number, "speed/infer_latency_ms_median": 1.0 + size}
        one["history"] = {"val/accuracy": [0.1 * i for i in range(1, 7)]}
    return records


def nasty():
    return answer(costs(study(drawn({"max": 0.8, **dict.fromkeys(NASTY, 0.7)}, 4), data__name=NASTY[0])))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report with everything in it, of two settings."""
    records = costs([one for data in ("digits", "mnist")
                     for one in study(drawn({"max": 0.8, "avg": 0.75, "lp": 0.82}, 6), data__name=data)])  # fmt: skip
    folder = tmp_path_factory.mktemp("report")
    told = []
    made = document(answer([*records, record("avg", 9, status="failed")]))
    write_report(made, folder, told.append, formats=("svg",))
    assert told == []
    return folder


def test_every_file_is_there(written):
    names = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}
    wanted = {"index.html", "report.md", "results.json", "methods.txt", "figures/heat.svg", ".written.json"}
    for number, label in ((1, "digits-keras_cnn"), (2, "mnist-keras_cnn")):
        wanted |= {f"tables/table-{number}-{label}.{form}" for form in ("csv", "tex")}
        wanted |= {f"figures/{name}-{number}-{label}.svg" for name in ("forest", "seeds", "pareto", "curves", "ranks")}
    assert names == wanted
    assert json.loads((written / "results.json").read_text())["schema"] == 1


def test_the_page_is_well_formed_and_needs_nothing_else(written):
    text = (written / "index.html").read_text()
    page = Page(text)
    assert (page.faults, page.open) == ([], [])
    assert len(page.ids) == len(set(page.ids))
    links = [value for _, key, value in page.attributes if key in ("href", "src", "xlink:href")]
    assert [link for link in links if re.match(r"(https?:)?//", link)] == []
    inside = {link[1:] for link in links if link.startswith("#")}
    assert inside <= set(page.ids)
    files = {link for link in links if not link.startswith(("#", "data:"))}
    assert [link for link in files if not (written / link).exists()] == []
    assert "@import" not in text
    assert "url(http" not in text


def test_the_page_can_be_read_aloud(written):
    page = Page((written / "index.html").read_text())
    assert ("html", "lang", "en") in page.attributes
    labels = [value for tag, key, value in page.attributes if tag == "svg" and key == "aria-label"]
    assert len(labels) == page.tags.count("svg")
    assert all("digits" in label or "mnist" in label or "All settings" in label for label in labels)
    scopes = [value for tag, key, value in page.attributes if tag == "th" and key == "scope"]
    assert len(scopes) == page.tags.count("th")
    assert page.tags.count("caption") == page.tags.count("table")
    assert page.tags.count("h1") == 1


def test_names_are_text_wherever_they_stand(tmp_path):
    analysis = nasty()
    write_report(document(analysis, title=NASTY[0], command_of=lambda run: f"python train.py 'pooling={NASTY[0]}'"),
                 tmp_path, formats=("svg",))  # fmt: skip
    plain = tmp_path / "plain"
    harmless = answer(costs(study(drawn({"max": 0.8, **{f"arm{i}": 0.7 for i in range(len(NASTY))}}, 4))))
    write_report(document(harmless, command_of=lambda run: "python train.py"), plain, formats=("svg",))
    odd, even = (Page((folder / "index.html").read_text()) for folder in (tmp_path, plain))
    assert (odd.faults, odd.open) == ([], [])
    # No name makes an element, or an attribute that acts.
    assert [odd.tags.count(tag) for tag in ("script", "img")] == [even.tags.count(tag) for tag in ("script", "img")]
    assert not [key for _, key, _ in odd.attributes if key.startswith("on")]
    texts = " ".join(odd.texts)
    for row in analysis.tables[0].rows:
        assert " ".join(row.label.split()) in " ".join(texts.split())
    assert "49" not in re.findall(r"\{\{.*?\}\}|49", texts)[:1]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes().decode("utf-8")
            assert "\x1b" not in content, path.name
    for path in (tmp_path / "figures").glob("*.svg"):
        ElementTree.parse(path)


def test_the_same_records_give_the_same_files(tmp_path):
    for name in ("one", "other"):
        records = costs(study(drawn({"max": 0.8, "avg": 0.7, "lp": 0.75}, 4)))
        write_report(document(answer(records)), tmp_path / name, formats=("svg", "pdf"))
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) > 12
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes(), path


@pytest.mark.parametrize(("settings", "formats"), [(1, {"svg", "pdf", "png"}), (4, {"svg"})])
def test_many_settings_have_figures_in_svg_alone(tmp_path, monkeypatch, settings, formats):
    one = next(entry for entry in OF_SETTING if entry[0] == "forest")
    monkeypatch.setattr("poolab.report.figures.draw.OF_SETTING", (one,))
    runs = [run for i in range(settings) for run in study(drawn({"max": 0.8, "avg": 0.7}, 3), data__name=f"d{i}")]
    told = []
    write_report(document(answer(runs)), tmp_path, told.append)
    assert {path.suffix[1:] for path in (tmp_path / "figures").iterdir()} == formats
    assert ["--formats svg,pdf,png" in text for text in told] == [True] * (settings > 3)


def test_a_figure_that_cannot_be_drawn_costs_a_sentence(tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("no such font")

    monkeypatch.setattr("poolab.report.figures.draw.OF_SETTING", (("forest", "Differences", "what", broken),))
    told = []
    page = write_report(document(answer(study(drawn({"max": 0.8, "avg": 0.7}, 3)))), tmp_path, told.append)
    assert told == ["figure forest: it could not be drawn: no such font"]
    assert "differences (it could not be drawn: no such font)" in page.read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(PoolabError, match="choose another folder with --out"):
        write_report(document(answer(study({"max": [0.5, 0.6]}))), tmp_path / "report")


@pytest.mark.parametrize("arms", [1, 2, 3, 40])
def test_every_number_of_arms_is_drawn(arms):
    means = {"max": 0.8, **{f"arm_{i}": 0.8 - 0.005 * i for i in range(1, arms)}}
    drawings = {one.name: one for one in draw_all(answer(costs(study(drawn(means, 4)))))}
    names = {"heat", "forest", "seeds", "pareto", "curves", "ranks", "robustness", "calibration"}
    assert set(drawings) == {*names, "critical_difference"}
    assert all(bool(one.svg) != bool(one.reason) for one in drawings.values())
    assert drawings["heat"].reason == "there is one setting only"
    assert bool(drawings["forest"].svg) == (arms > 1)
    if arms > 1:
        texts = re.findall(r">([^<>]+)</text>", drawings["forest"].svg)
        assert {f"arm_{i}" for i in range(1, arms)} <= set(texts)


def test_twelve_settings_have_a_heat_map():
    records = [one for i in range(12) for one in study(drawn({"max": 0.8, "avg": 0.7}, 3, seed=i), data__name=f"d{i}")]
    analysis = answer(records)
    drawings = {one.name: one for one in draw_all(analysis)}
    texts = re.findall(r">([^<>]+)</text>", drawings["heat"].svg)
    assert {f"d{i}, keras_cnn" for i in range(12)} <= set(texts)
    texts = re.findall(r">([^<>]+)</text>", drawings["critical_difference"].svg)
    assert {"max", "avg", "1.00", "2.00"} <= set(texts)
    assert len(drawings) == 2 + 12 * 7


def test_less_than_twelve_settings_have_no_mean_ranks_and_say_why():
    records = [one for i in range(11) for one in study(drawn({"max": 0.8, "avg": 0.7}, 3, seed=i), data__name=f"d{i}")]
    (found,) = [one for one in draw_all(answer(records)) if one.name == "critical_difference"]
    assert not found.svg
    assert found.reason.startswith("11 settings in which every arm has a mean; ")
    assert found.reason.endswith("need at least 12")


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_front_is_what_nothing_beats_in_both(higher_is_better):
    import numpy as np

    points = [tuple(point) for point in np.random.default_rng(0).integers(0, 6, (30, 2)).astype(float)]
    sign = 1 if higher_is_better else -1
    found = {points[i] for i in front(points, higher_is_better)}
    expected = {p for p in points
                if not any(q[0] <= p[0] and sign * q[1] >= sign * p[1] and q != p for q in points)}  # fmt: skip
    assert found == expected


def test_the_page_of_a_report_without_figures():
    text = render(document(answer(study(drawn({"max": 0.8, "avg": 0.7}, 3)))))
    assert (Page(text).faults, Page(text).open) == ([], [])
