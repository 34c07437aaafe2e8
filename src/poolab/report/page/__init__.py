"""index.html: the report as one file that needs no network."""

from poolab.report.page.rendering import render

__all__ = ["render"]
