"""Check the built site: every link leads to a page and a heading, and no page loads anything from another host.

python scripts/check_site.py build/site
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself, by the tag and the attribute that names it. (An `a` is followed by a click.)
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
RELATIONS = ("stylesheet", "icon", "preload", "preconnect", "modulepreload", "shortcut icon")


class Page(HTMLParser):
    """The links, the loaded files and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect what a tag names."""
        given = {key: value or "" for key, value in attributes}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADED and given.get(LOADED[tag]) and (tag != "link" or given.get("rel") in RELATIONS):
            self.loaded.append(given[LOADED[tag]])


def faults(site: Path) -> list[str]:
    """Return what is wrong with a built site, a line each."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    return [f"{path.relative_to(site)}: {told}" for path in pages for told in _of_page(path, pages)]


def _of_page(path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for address in pages[path].loaded:
        if urlsplit(address).netloc:
            yield f"{address} is loaded from another host"
        elif path.name == "404.html":  # its addresses are those of a server's root
            continue
        elif not address.startswith("data:") and not _file(path, address).exists():
            yield f"{address} is loaded and is not there"
    if path.name == "404.html":
        return
    for address in pages[path].links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = _file(path, address)
        if not target.exists():
            yield f"the link {address} leads nowhere"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
            yield f"the link {address} leads to no heading"


def _file(page: Path, address: str) -> Path:
    """Return the file that an address of a page names."""
    place = unquote(urlsplit(address).path)
    target = (page.parent / place).resolve() if place else page
    return target / "index.html" if (target / "index.html").is_file() else target


def main(folder: str) -> int:
    """Print the faults of the site in a folder; the exit code is 1 if there are some."""
    found = faults(Path(folder).resolve())
    print("\n".join(found) or f"{folder}: links are whole, nothing is loaded from another host")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
