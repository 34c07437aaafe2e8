"""Use of a finished run: its network, predictions on new images, and files for other programs."""

import lazy_loader

# `__init__.pyi` lists what this package exports.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
