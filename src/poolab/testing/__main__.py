"""`python -m poolab.testing [NAME ...] [--oracle MODULE:FUNCTION]`: the suite on registered methods or on your own."""

import argparse
import sys
import warnings
from typing import Any

from poolab.errors import PoolabError
from poolab.own_code import find_function
from poolab.pooling import get_pool, list_pools
from poolab.testing import Report, check_pooling, conformance_table
from poolab.testing.report import NO_ORACLE


def main(arguments: list[str] | None = None) -> int:
    """Run the suite, a line for each method on standard error, and print what it found; 1 where something failed."""
    parser = argparse.ArgumentParser("python -m poolab.testing", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="methods by name, or MODULE:CLASS for one of your own (default: all)"
    )
    parser.add_argument("--markdown", action="store_true", help="print a table of methods and items")
    for name, takes in (
        ("oracle", "(real taps of a window, 1-d float64; module) -> number, for a window method"),
        ("reference", "(x in float64, geometry or None, module) -> y, for a head or a method of positions"),
    ):
        parser.add_argument(f"--{name}", metavar="MODULE:FUNCTION", help=f"what the values are held to: {takes}")
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    given: dict[str, Any] = {}
    try:
        if (asked.oracle or asked.reference) and len(asked.names) != 1:
            parser.error("--oracle and --reference are for one method: name it")
        classes = [(name, get_pool(name)) for name in asked.names or list_pools()]
        for kind in ("oracle", "reference"):
            path = getattr(asked, kind)
            given |= {kind: find_function(path, f"--{kind} {path}")} if path else {}
    except (ValueError, PoolabError) as fault:
        parser.error(str(fault))
    reports: list[Report] = []
    for place, (name, cls) in enumerate(classes, 1):
        reports.append(check_pooling(cls, raise_failures=False, **given))
        told = "ok" if reports[-1].passed else "FAILED"
        told += f", {NO_ORACLE}" * (reports[-1].mark("oracle") == NO_ORACLE)
        print(f"{place}/{len(classes)} {name}: {told}, {reports[-1].seconds:.1f} s", file=sys.stderr)
    print(conformance_table(reports) if asked.markdown else "\n\n".join(map(str, reports)))
    return int(not all(report.passed for report in reports))


if __name__ == "__main__":
    sys.exit(main())
