"""What the fork server of `tests.warm` imports, once: what a study's own fork server does, and in one thread."""

from poolab.study.runner.child import import_for_runs

import_for_runs("none")
