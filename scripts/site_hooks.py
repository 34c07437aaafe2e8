"""What mkdocs calls while it builds the site (`hooks` in mkdocs.yml)."""

from typing import Any

from docs_site import api_pages, gallery_page, outside, settings_page
from mkdocs.structure.files import File, Files

DIFFERENCES = "<!-- differences -->"  # where docs/errata.md has what the classes say about public code

# Long histories with every word in them, which would stand before the answers.
NOT_SEARCHED = ("decisions.md", "CHANGELOG.md")


def on_files(files: Files, config: Any) -> Files:
    """Add what is not in docs/: other files of the checkout, and pages that are made from the code."""
    for place, path in outside.taken().items():
        content: Any = path.read_text() if path.suffix == ".md" else path.read_bytes()
        files.append(File.generated(config, place, content=content))
    made = {**api_pages.pages(), "configuration.md": settings_page.page(), "gallery.md": gallery_page.page()}
    made |= outside.notebook_pages()
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    for place, picture in gallery_page.pictures().items():
        files.append(File.generated(config, place, content=picture))
    return files


def on_page_markdown(markdown: str, page: Any, **others: Any) -> str:
    """Let links lead to the same files as in the checkout."""
    place = page.file.src_uri
    if place in NOT_SEARCHED:
        page.meta["search"] = {"exclude": True}
    markdown = outside.plain_signs(markdown)
    markdown = markdown.replace(DIFFERENCES, gallery_page.differences()) if place == "errata.md" else markdown
    if place in outside.taken():
        return outside.relinked(markdown, place)
    return outside.relinked(markdown, f"docs/{place}")
