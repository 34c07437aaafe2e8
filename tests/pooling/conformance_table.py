"""`python -m tests.pooling.conformance_table`: every method against every item of the suite, as Markdown."""

import sys
import warnings

import torch

from poolab.pooling import get_pool, list_pools
from poolab.testing import check_pooling, conformance_table
from tests.pooling.all_oracles import oracle_of

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    reports = []
    for name in list_pools():
        reports.append(check_pooling(get_pool(name), raise_failures=False, **oracle_of(name)))
        print(f"{name}: {reports[-1].seconds:.1f} s", file=sys.stderr)
    print("# Every method against every item of the conformance suite\n")
    print("Made by `make conformance`. An exemption was run too, and failed, as it must.\n")
    print(conformance_table(reports))
    sys.exit(not all(report.passed for report in reports))
