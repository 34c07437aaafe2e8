"""The built site in a browser, opened from the disk: an empty console, nothing cut, search and filters work."""

import re
import time
from pathlib import Path

import pytest

from tests.report.browser import Browser, missing

SITE = Path(__file__).parents[2] / "build" / "site"
WHY = missing() or (None if (SITE / "index.html").exists() else "there is no build/site: make site")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(WHY is not None, reason=str(WHY))]

PAGES = ["index.html", "photographs.html", "choose.html", "gallery.html", "how_do_i.html", "errata.html",
         "configuration.html", "api/poolab_pooling.html", "poolings/avg_topk.html"]  # fmt: skip
WIDER = """const wide = document.scrollingElement.scrollWidth; return wide > window.innerWidth ? wide : 0;"""
ASK = """const search = document.getElementById("__search"); search.checked = true;
search.dispatchEvent(new Event("change", {bubbles: true}));
const input = document.querySelector("[data-md-component=search-query]"); input.focus(); input.value = arguments[0];
for (const kind of ["focus", "keyup", "input"]) input.dispatchEvent(new Event(kind, {bubbles: true}));"""
FOUND = """return [...document.querySelectorAll(".md-search-result__link")].map(link => link.href);"""
SHOWN = """return [...document.querySelectorAll("#gallery article")].filter(card => !card.hidden)
.map(card => card.dataset.name);"""
CHOOSE = """const field = document.querySelector(`[data-filter=${arguments[0]}]`); field.value = arguments[1];
field.dispatchEvent(new Event("input", {bubbles: true}));"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as found:
        yield found


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_a_page_fits_and_its_console_is_empty(browser, page, width, dark):
    browser.media(dark=dark)
    browser.log()
    browser.open(SITE / page, width=width)
    time.sleep(0.3)
    assert browser.log() == []
    assert browser.run(WIDER) == 0
    assert browser.run("return document.body.dataset.mdColorScheme") == ("slate" if dark else "default")


@pytest.mark.parametrize(("question", "page"), [
    ("avg_topk", "poolings/avg_topk.html"), ("how many seeds", "how_do_i.html#how-many-seeds-do-i-need"),
    ("onnx", "export.html"), ("data.batch_size", "configuration.html"), ("swap_pooling", "api/poolab_backbones.html"),
])  # fmt: skip
def test_the_search_finds_it_without_a_server(browser, question, page):
    browser.open(SITE / "index.html")
    browser.run(ASK, question)
    links = []
    for _ in range(100):
        links = [re.sub(r"\?h=[^#]*", "", link) for link in browser.run(FOUND)]
        if links:
            break
        time.sleep(0.1)
    assert any(page in link for link in links), links[:20]
    assert browser.log() == []


def test_the_gallery_is_filtered_and_its_address_keeps_the_filter(browser):
    browser.open(SITE / "gallery.html")
    everything = browser.run(SHOWN)
    browser.run(CHOOSE, "family", "ranks")
    ranks = browser.run(SHOWN)
    assert {"avg_topk", "median", "ordinal"} <= set(ranks) < set(everything)
    browser.run(CHOOSE, "learns", "yes")
    assert browser.run(SHOWN) == ["ordinal"]
    address = browser.run("return location.hash")
    browser.open(SITE / "gallery.html", address)
    assert browser.run(SHOWN) == ["ordinal"]
