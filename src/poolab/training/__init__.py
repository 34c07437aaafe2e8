"""Training: one run from its configuration to its record."""

import lazy_loader

# `__init__.pyi` lists what this package exports.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
