"""Benchmarks of the whole: what `scripts/bench.py` runs, beside the one of the data."""
