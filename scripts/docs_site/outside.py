"""Pages from files outside of docs/, and the links between both: in the site all lie in one folder."""

import json
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Files of the checkout that are pages or files of the site, under the same path.
TAKEN = (
    *("CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff"),
    *("benchmarks/*.md", "benchmarks/*.json", "benchmarks/*.png", "benchmarks/*.jsonl.gz", "sweeps/*.yaml"),
    "sweeps/ranking/*.yaml",
)
FENCE = re.compile(r"(^```.*?^```\s*$)", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(^```.*?^```\s*$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
# What a link of a page leads to in the site, where it has a page for what the checkout has as a folder or a table.
MADE = {"conf": "configuration.md", "src/poolab": "api/index.md", "docs/poolings/README.md": "gallery.md"}
NOTEBOOKS = "docs/notebooks"


def taken() -> dict[str, Path]:
    """Return the files outside of docs/ that the site has, by their path in the site."""
    files = [path for pattern in TAKEN for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).as_posix(): path for path in files}


def relinked(text: str, page: str) -> str:
    """Return Markdown with links that lead to the same files in the site.

    Args:
        text: the page.
        page: its path in the checkout, e.g. docs/data.md.
    """
    here = posixpath.dirname(_in_site(page))

    def mended(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), match[2]))
        made = MADE.get(target) if not page.startswith("docs/poolings/") else None
        place = posixpath.relpath(made or _in_site(target), here or ".")
        return f"{match[1]}{place}{match[3] or ''}{match[4]}"

    parts = FENCE.split(text)
    return "".join(part if index % 2 else LINK.sub(mended, part) for index, part in enumerate(parts))


def plain_signs(text: str) -> str:
    """Return Markdown in which an escaped < is one to mkdocs too, which knows no escape for it."""
    parts = CODE.split(text)
    return "".join(part if index % 2 else part.replace("\\<", "&lt;") for index, part in enumerate(parts))


def notebook_pages() -> dict[str, str]:
    """Return each notebook as Markdown, with what its cells printed, by its path in the site."""
    return {f"notebooks/{file.stem}.md": _notebook(file) for file in sorted((ROOT / NOTEBOOKS).glob("*.ipynb"))}


def _notebook(file: Path) -> str:
    parts = []
    for cell in json.loads(file.read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [f"```text\n{shown}\n```" for shown in map(_printed, cell.get("outputs", ())) if shown]
    return "\n\n".join(parts) + "\n"


def _printed(output: dict[str, object]) -> str:
    data = output.get("data")
    shown = output.get("text") or (data.get("text/plain") if isinstance(data, dict) else "") or ""
    return "".join(shown).strip() if isinstance(shown, str | list) else ""


def _in_site(path: str) -> str:
    """Return where a file of the checkout is in the site."""
    if path == "README.md":
        return "index.md"
    return path.removeprefix("docs/").removesuffix(".ipynb") + ".md" * path.endswith(".ipynb")
