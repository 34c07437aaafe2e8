"""The conformance suite of the poolings, for poolab's own classes and for yours. Needs torch alone.

    from poolab.testing import check_pooling, pooling_checks

    check_pooling(MyPool2d, oracle=lambda taps, module: taps.max())   # everything at once

    @pytest.mark.parametrize(("name", "check"), pooling_checks(MyPool2d))  # or one test for each check
    def test_my_pool(name, check):
        check()

`python -m poolab.testing [NAME ...]` runs it for registered methods. An item that a method truly cannot keep is named
in its class attribute `exempt` with the reason; the suite then makes sure that the exemption is needed.

>>> list(ITEMS)[:6]
['geometry', 'padding', 'oracle', 'shapes', 'generator', 'expectation']
"""

from poolab.testing import (
    attributes,
    compilers,
    copies,
    effects,
    geometry,
    gradients,
    layouts,
    networks,
    numbers,
    onnx_file,
    oracle,
    randomness,
    refusals,
)
from poolab.testing.items import ITEMS, Item
from poolab.testing.report import Report, Row, conformance_table
from poolab.testing.runner import PoolingFailure, check_pooling, pooling_checks, run
from poolab.testing.subject import Subject

_SUBJECTS = (
    (geometry, ("geometry", "padding")),
    (oracle, ("oracle",)),
    (randomness, ("shapes", "generator", "expectation")),
    (gradients, ("gradient", "ties")),
    (numbers, ("numbers", "nan", "infinities")),
    (effects, ("purity", "host_sync", "memory")),
    (layouts, ("dtypes", "channels_last", "strides", "empty_batch", "unbatched")),
    (copies, ("copies", "state")),
    (layouts, ("autocast",)),
    (networks, ("fx", "sharding", "vmap", "forward_mode")),
    (compilers, ("compile", "export", "open_sizes")),
    (onnx_file, ("onnx",)),
    (refusals, ("errors",)),
    (geometry, ("dimensions",)),
    (attributes, ("attributes",)),
)
_ORDER = [name for _, names in _SUBJECTS for name in names]
for _name in _ORDER:
    ITEMS[_name] = ITEMS.pop(_name)

__all__ = [
    "ITEMS",
    "Item",
    "PoolingFailure",
    "Report",
    "Row",
    "Subject",
    "check_pooling",
    "conformance_table",
    "pooling_checks",
    "run",
]
