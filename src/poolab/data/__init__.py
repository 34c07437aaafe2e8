"""Data sets as uint8 tensors, their splits, batches that any number of processes shares, and batched augmentation.

Names are resolved on first use, so that `import poolab.data` costs nothing and `--help` answers at once.

>>> from poolab.data import list_data
>>> list_data()
['cifar10', 'cifar100', 'digits', 'fashion_mnist', 'image_folder', 'image_mask_folder', 'mnist', 'shapes', 'svhn']
"""

import lazy_loader

# `__init__.pyi` lists what this package exports.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
