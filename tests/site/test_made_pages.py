"""What scripts/docs_site makes: every setting, every method and every public name is on its page."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from docs_site import api_pages, gallery_page, outside, settings_page

from poolab.configuration import compose
from poolab.pooling import list_pools

EXPORTS = Path(__file__).parents[2] / "docs" / "export.md"


def test_the_configuration_has_every_setting_with_its_bounds():
    page = settings_page.page()
    rows = dict(reversed(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", page, re.MULTILINE)))  # the first row of each
    config = compose(["pooling=avg_topk", "measure=full", "optim=sgd"])
    keys = [f"{group}.{key}" for group, values in config.items() if isinstance(values, dict) for key in values]
    assert [key for key in keys if not key.endswith(".name") and key not in rows] == []
    assert "(pixels)" in rows["data.crop_padding"]
    assert "from 1 to 65536" in rows["data.batch_size"]
    assert "`32` (digits" not in rows["data.channels"]
    assert [key for key, row in rows.items() if row.endswith("|  ")] == []


def test_the_gallery_has_a_card_for_every_method():
    page = gallery_page.page()
    assert set(re.findall(r'data-name="(\w+)"', page)) == set(list_pools())
    families = re.findall(r'data-family="([^"]+)"', page)
    assert "others" not in families, "name the family of the new module in gallery_page.FAMILIES"


def test_the_gallery_and_the_page_on_exports_tell_the_same_change_by_8_bits():
    """The file's accuracy comes first in benchmarks/export.json: of isqrt_cov the 8-bit file is worse by 1.7 points."""
    cards = dict(re.findall(r'data-name="(\w+)".*?8 bits ([+-][\d.]+)</li>', gallery_page.page()))
    rows = re.findall(r"^\| \[(\w+)\]\([^)]*\) \| [^|]+ \| ([+-]?[\d.]+) \|", EXPORTS.read_text(), re.MULTILINE)
    told = dict(rows)
    assert cards["isqrt_cov"] == told["isqrt_cov"] == "-1.7"
    assert {name: float(change) for name, change in cards.items()} == {name: float(told[name]) for name in cards}


def test_every_method_with_a_difference_is_in_the_table_of_differences():
    assert "[softpool](poolings/softpool.md)" in gallery_page.differences()


@pytest.fixture(scope="module")
def api():
    return api_pages.pages()


@pytest.mark.parametrize("package", api_pages.PACKAGES)
def test_the_api_has_every_public_name(package, api):
    text = api[f"api/{package.replace('.', '_')}.md"] + api["api/poolings.md"]
    missing = [
        name for name in api_pages.names(package)
        if not re.search(rf"::: [\w.]+\.{name}$|`{name}`|^## {name}$", text, re.MULTILINE)
        and getattr(import_module(package), name).__name__ not in text
    ]  # fmt: skip
    assert missing == []


def test_links_lead_to_the_same_files_in_the_site():
    text = "[a](../benchmarks/x.md#part) [b](../CONTRIBUTING.md) [c](data.md) [d](https://x.org/y.md)\n```\n[e](../z.md)\n```\n"
    assert outside.relinked(text, "docs/studies.md") == text.replace("../benchmarks", "benchmarks").replace(
        "../CONTRIBUTING", "CONTRIBUTING"
    )
    assert outside.relinked("[a](docs/report.md)", "CHANGELOG.md") == "[a](report.md)"
    assert outside.relinked("[a](../docs/export.md)", "benchmarks/x.md") == "[a](../export.md)"
    assert (
        outside.relinked("[a](poolings/README.md), [b](../conf)", "docs/index.md")
        == "[a](gallery.md), [b](configuration.md)"
    )
    assert outside.relinked("[a](README.md)", "docs/poolings/max.md") == "[a](README.md)"
