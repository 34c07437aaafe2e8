"""A study checked before it starts: its cells and their errors, the time it takes, and what it can detect."""
