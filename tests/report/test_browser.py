"""The page in a real browser: nothing on its console, nothing cut, and its table can be sorted, filtered and sent."""

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from poolab.report.write import write_report
from tests.report.browser import Browser, missing
from tests.report.made import answer, document, drawn, study
from tests.report.test_write import NASTY, costs

pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing() is not None, reason=str(missing()))]

ARMS = """const table = document.querySelectorAll("table[data-table]")[arguments[0] || 0];
return [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].textContent);"""
SORT = 'document.querySelector(`[data-sort="${arguments[0]}"]`).click();'
HIDE = 'document.querySelector(`[data-column="${arguments[0]}"]`).click();'
FILTER = """const input = document.querySelector("[data-filter]"); input.value = arguments[0];
input.dispatchEvent(new Event("input", {bubbles: true}));"""
# Texts of figures that lie outside of their figure.
CUT = """return [...document.querySelectorAll("figure svg")].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(text => {
    const own = text.getBoundingClientRect();
    return own.width && (own.left < box.left - 1 || own.right > box.right + 1
                         || own.top < box.top - 1 || own.bottom > box.bottom + 1);
  }).map(text => `${svg.getAttribute("aria-label")}: ${text.textContent}`);
});"""
# Names of arms that lie on each other in a figure.
OVERLAP = """return [...document.querySelectorAll("figure svg")].flatMap(svg => {
  const boxes = [...svg.querySelectorAll("text")]
    .filter(text => !/rotate\\(-?[1-9]/.test(text.getAttribute("transform") || ""))  // their boxes say nothing
    .map(text => [text.textContent, text.getBoundingClientRect()])
    .filter(([text, box]) => box.width);
  return boxes.flatMap(([text, a], i) => boxes.slice(i + 1).filter(([, b]) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
    .map(([other]) => `${svg.getAttribute("aria-label")}: ${text} / ${other}`));
});"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports of 3 and 40 arms, of 1 and 12 settings, and of odd names."""
    three = {"max": 0.8, "avg": 0.75, "lp": 0.82}
    forty = {"max": 0.8, **{f"avg_topk_{i}": 0.8 - 0.004 * i for i in range(1, 40)}}
    records = {
        "three": study(drawn(three, 6)),
        "forty": study(drawn(forty, 4)),
        "twelve": [one for i in range(12) for one in study(drawn(three, 4, seed=i), data__name=f"data_{i}")],
        "odd": study(drawn({"max": 0.8, **dict.fromkeys(NASTY, 0.7)}, 4)),
    }
    folder = tmp_path_factory.mktemp("pages")
    return {
        name: write_report(document(answer(costs(some)), title=NASTY[0]), folder / name, formats=("svg",))
        for name, some in records.items()
    }


@pytest.mark.parametrize("name", ["three", "forty", "twelve", "odd"])
@pytest.mark.parametrize(("width", "dark"), [(390, False), (1440, True)])
def test_nothing_is_cut_and_the_console_is_silent(browser, pages, name, width, dark):
    browser.media(dark=dark)
    browser.open(pages[name], width=width)
    assert browser.log() == []
    assert browser.run("return document.documentElement.scrollWidth") == width
    assert browser.run(CUT) == []
    ground, ink = browser.run("const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]")
    assert (ground == "rgb(23, 24, 26)") == dark
    assert (ink == "rgb(232, 232, 230)") == dark
    axis = 'return getComputedStyle(document.querySelector("figure svg text")).fill'
    assert browser.run(axis) == ink  # figures are read in the dark too


@pytest.mark.parametrize("name", ["three", "forty", "twelve"])
def test_no_text_of_a_figure_lies_on_another(browser, pages, name):
    browser.media()
    browser.open(pages[name], width=1440)
    assert browser.run(OVERLAP) == []


def test_sorting_filtering_hiding_and_the_view_in_the_address(browser, pages):
    browser.media()
    browser.open(pages["forty"])
    start = browser.run(ARMS)
    assert start[0] == "max"
    browser.run(SORT, "arm")
    assert browser.run(ARMS) == sorted(start, key=lambda name: name.lower())
    assert browser.run("return document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    browser.run(SORT, "difference")
    known = [name for name in browser.run(ARMS) if name != "max"]
    assert known == [name for name in reversed(start) if name != "max"]
    browser.run(SORT, "difference")
    down = browser.run(ARMS)
    assert [name for name in down if name != "max"] == [name for name in start if name != "max"]
    assert down[-1] == "max"  # it has no difference, and stands last either way
    browser.run(SORT, "difference")
    assert browser.run(ARMS) == start
    browser.run(SORT, "mean")
    browser.run(FILTER, "TOPK_1")
    assert set(browser.run(ARMS)) == {"avg_topk_1", *(f"avg_topk_{i}" for i in range(10, 20))}
    assert "11 of 40 arms are shown" in browser.run("return document.querySelector('.status').textContent")
    browser.run(HIDE, "sd")
    shown = "return [...document.querySelectorAll('th[data-key]')].filter(e => e.offsetWidth).map(e => e.dataset.key)"
    assert "sd" not in browser.run(shown)
    view = browser.run("return location.hash")
    kept = browser.run(ARMS)
    browser.open(pages["forty"], view)
    assert browser.run(ARMS) == kept
    assert "sd" not in browser.run(shown)
    assert browser.run("return document.querySelector('[data-filter]').value") == "TOPK_1"
    browser.open(pages["forty"], "#view&sort=nothing&hide=x,arm&filter=%22%5D")
    assert browser.run(ARMS) == []
    assert browser.log() == []


def test_the_address_leads_to_a_section(browser, pages):
    browser.open(pages["twelve"], "#setting-7")
    top = browser.run("return document.getElementById('setting-7').getBoundingClientRect().top")
    assert -5 < top < 300


def test_by_keyboard(browser, pages):
    browser.open(pages["three"])
    names = browser.run("""return [...document.querySelectorAll("a, button, input, summary, [tabindex]")]
        .filter(e => e.offsetParent !== null || e.className === "skip").map(e => e.tabIndex)""")
    assert names
    assert set(names) == {0}
    browser.run("document.querySelector('thead button').focus()")
    for key, shift in (("Tab", 0), ("Tab", 8)):  # to the next and back: an outline is for who goes by keys
        browser.press(key, shift)
    assert browser.run("return document.activeElement.dataset.sort") == "arm"
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline in ("solid", "auto")


def test_names_do_nothing(browser, pages):
    browser.open(pages["odd"])
    assert browser.run("return document.querySelectorAll('script').length") == 1
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.run("return document.querySelector('h1').textContent") == NASTY[0]
    assert browser.run("return document.title") == NASTY[0]


@pytest.mark.parametrize("name", ["three", "forty"])
def test_on_paper(browser, pages, name):
    browser.media("print")
    browser.open(pages[name], width=718)  # what a sheet of A4 has between its margins
    assert browser.run("return document.documentElement.scrollWidth") == 718
    assert browser.run(CUT) == []
    assert browser.run("return getComputedStyle(document.querySelector('.tools')).display") == "none"
    content = browser.pdf()
    browser.media()
    assert content.startswith(b"%PDF")
    assert len(content) > 20_000


def test_without_scripts_the_table_is_there(browser, pages):
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(pages["three"])
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run(ARMS) == ["max", "lp", "avg"]
    assert browser.run("return document.querySelector('.tools').hidden") is True


@pytest.mark.parametrize("whole", [True, False], ids=["the folder", "index.html alone"])
def test_a_copy_at_another_place_needs_nothing_of_the_first(browser, pages, tmp_path, whole):
    """Without a network, and with the folder that it was written into out of reach."""
    first = pages["three"].parent
    elsewhere = tmp_path / "elsewhere"
    hidden = first.with_name("moved away")
    if whole:
        shutil.copytree(first, elsewhere)
    else:
        elsewhere.mkdir()
        shutil.copy(first / "index.html", elsewhere)
    first.rename(hidden)
    browser.cdp("Network.enable")
    browser.cdp("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    try:
        browser.media()
        browser.open(elsewhere / "index.html")
        assert browser.log() == []
        assert browser.run("return performance.getEntriesByType('resource').map(one => one.name)") == []
        assert browser.run(ARMS) == ["max", "lp", "avg"]
        browser.run(SORT, "arm")
        assert browser.run(ARMS) == ["avg", "lp", "max"]
        assert browser.run(CUT) == []
        assert browser.run("return document.querySelectorAll('figure svg path').length") > 20
        links = browser.run("return [...document.querySelectorAll('a')].map(a => a.href).filter(a => !a.includes('#'))")
    finally:
        hidden.rename(first)
        browser.cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
                    uploadThroughput=-1)  # fmt: skip
    files = [Path(unquote(urlsplit(link).path)) for link in links]
    assert files
    assert all(file.is_relative_to(elsewhere) for file in files)
    if whole:
        assert [file for file in files if not file.exists()] == []
