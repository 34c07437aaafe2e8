"""Turns the records of runs into an answer: statistics, tables, figures and a page. Needs neither torch nor the data.

The path of a report: `gathering` sorts records into arms and settings (`evidence`), `statistics` compares the arms,
`analysis` joins both, and everything else writes the result down.
"""

import lazy_loader

# `__init__.pyi` lists what this package exports.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
