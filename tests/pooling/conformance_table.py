"""`python -m tests.pooling.conformance_table [--backend fused]`: every method and item of the suite, as Markdown."""

import argparse
import sys
import warnings

import torch

from poolab.pooling import get_pool, list_pools, use_backend
from poolab.testing import check_pooling, conformance_table
from tests.pooling.all_oracles import oracle_of

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="plain", choices=("plain", "fused"))
    parser.add_argument("methods", nargs="*", help="default: all; with fused, all window methods")
    arguments = parser.parse_args()
    names = arguments.methods or list_pools("window" if arguments.backend == "fused" else None)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    reports = []
    with use_backend(arguments.backend):
        for name in names:
            reports.append(check_pooling(get_pool(name), raise_failures=False, **oracle_of(name)))
            print(f"{name}: {reports[-1].seconds:.1f} s", file=sys.stderr)
    print("# Every method against every item of the conformance suite\n")
    print(f"Made with the backend {arguments.backend}. An exemption was run too, and failed, as it must.\n")
    print(conformance_table(reports))
    for report in reports:
        if not report.passed:
            print(report, file=sys.stderr)
    sys.exit(not all(report.passed for report in reports))
