"""Uploads runs that were made offline, and reads the arguments of W&B's agents."""
