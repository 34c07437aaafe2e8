"""The pages of docs/poolings: one for each method that comes with poolab, and an index."""

from collections.abc import Mapping
from pathlib import Path

from poolab.catalogue import render, table
from poolab.catalogue.card import card
from poolab.catalogue.chosen import own

FOLDER = Path("docs/poolings")
MEND = "python -m poolab.catalogue docs"
NOTE = f"*Made by `{MEND}` from the classes; to change this page, change the class.*"
INDEX = f"""# Poolings

{NOTE}

![What the window methods keep of a photograph](../images/gallery.png)

*The output of each method, and below it the gradient of some outputs with respect to their taps
(`poolab pools NAME --show FILE` shows it larger, with any option, on any photograph).*

`poolab pools` prints the same table, `poolab pools NAME` a page. The role says where a method is used: `window` in
place of a max pooling, `global` as a network's head, `channel` across the channels, `same` where the map keeps its
size.
"""


def pages() -> dict[str, str]:
    """Return the current text of each page by its file name."""
    names = [name for name in table.listed() if name in own()]
    made = {"README.md": f"{INDEX}\n{_counted()}\n\n{table.markdown(names, link='[{name}]({name}.md)')}\n"}
    return made | {f"{name}.md": _page(name) for name in names}


def _page(name: str) -> str:
    show = f"A picture of what it keeps of an image: `poolab pools {name} --show {name}.png`. All: [index](README.md)."
    return f"{render.markdown(card(name))}\n\n{show}\n\n{NOTE}\n"


def stale(folder: Path = FOLDER, wanted: Mapping[str, str] | None = None) -> list[str]:
    """Return the pages that are out of date: changed, missing, or of a method that no longer exists."""
    wanted = pages() if wanted is None else wanted
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    is_foreign = _counted() not in there.get("README.md", "")
    old, new = ({name: _compared(page, is_foreign) for name, page in each.items()} for each in (there, wanted))
    return sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))


def _counted() -> str:
    """Return the version of torch that the bytes on the pages were counted with; another one may keep more or less."""
    import torch

    return f"Bytes kept for backward: counted with torch {'.'.join(torch.__version__.split('.')[:2])}."


def _compared(page: str, is_foreign: bool) -> str:
    """Return the page without the counts of bytes, if it was made with another version of torch."""
    own = ("| kept for backward |", "Bytes kept for backward: counted with") if is_foreign else ()
    return "\n".join(line for line in page.split("\n") if not line.startswith(own))


def write(folder: Path = FOLDER) -> list[str]:
    """Bring the folder up to date; the names of the pages that changed."""
    wanted = pages()
    changed = stale(folder, wanted)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed
