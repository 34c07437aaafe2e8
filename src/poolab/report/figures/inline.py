"""A figure inside a page."""

from __future__ import annotations

import re

from poolab.report.figures.draw import Drawn
from poolab.report.figures.style import INK


def inlined(drawn: Drawn) -> str:
    """Return an SVG for a page: in the colour of the page's text, with ids of its own, and read aloud by its title.

    Only what Matplotlib wrote is changed; texts from records are escaped by it.
    """
    from markupsafe import escape

    svg = drawn.svg[drawn.svg.index("<svg") :].replace(INK, "currentColor")
    prefix = re.sub(r"[^\w-]", "-", drawn.name)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', r"<svg \1\2", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"([^>]*?)height="[^"]*"', r"<svg \1\2", svg, count=1)
    label = (
        f"{drawn.title}, {drawn.setting}: {drawn.description}"
        if drawn.setting
        else f"{drawn.title}: {drawn.description}"
    )
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
