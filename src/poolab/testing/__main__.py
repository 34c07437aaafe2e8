"""`python -m poolab.testing [NAME ...] [--markdown]`: the suite on registered methods, without oracles."""

import argparse
import sys
import warnings

from poolab.pooling import get_pool, list_pools
from poolab.testing import Report, check_pooling, conformance_table


def main(arguments: list[str] | None = None) -> int:
    """Run the suite, a line for each method on standard error, and print what it found; 1 where something failed."""
    parser = argparse.ArgumentParser("python -m poolab.testing", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="methods (default: all)")
    parser.add_argument("--markdown", action="store_true", help="print a table of methods and items")
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    try:
        classes = [get_pool(name) for name in asked.names or list_pools()]
    except ValueError as fault:
        parser.error(str(fault))
    reports: list[Report] = []
    for place, cls in enumerate(classes, 1):
        reports.append(check_pooling(cls, raise_failures=False))
        told = "ok" if reports[-1].passed else "FAILED"
        print(f"{place}/{len(classes)} {cls.name}: {told}, {reports[-1].seconds:.1f} s", file=sys.stderr)
    print(conformance_table(reports) if asked.markdown else "\n\n".join(map(str, reports)))
    return int(not all(report.passed for report in reports))


if __name__ == "__main__":
    sys.exit(main())
