"""index.html: the report as one file that needs no network."""

from poolab.report.page.render import render

__all__ = ["render"]
