"""Classes and functions of the user's own modules as choices: `pooling=my_module:MyPool`.

A name with a colon is an import path, MODULE:NAME. The module is found as `python -m` finds it: in the working folder
first, then among the installed packages. A name without a colon may be an entry point of an installed package. What a
run of such code is depends on the file that holds it, so that a hash of it stands in the configuration.
"""

from poolab.own_code.faults import own_faults
from poolab.own_code.finding import ENTRY_POINTS, OwnCode, entry_points, find_function, find_own, is_own, own_files
from poolab.own_code.settings import CODE, changed_code, code_facts, code_faults, own_options, with_code

__all__ = [
    "CODE",
    "ENTRY_POINTS",
    "OwnCode",
    "changed_code",
    "code_facts",
    "code_faults",
    "entry_points",
    "find_function",
    "find_own",
    "is_own",
    "own_faults",
    "own_files",
    "own_options",
    "with_code",
]
