"""What a study will run, checked before it starts: its cells, its faults, its time and what it can detect."""
