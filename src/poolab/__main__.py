"""`python -m poolab` is `poolab`."""

import sys

from poolab.cli import main

sys.exit(main())
