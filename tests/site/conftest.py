"""The tests of scripts/ that make and check the site and a release import them as the scripts do one another."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
