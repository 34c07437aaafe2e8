"""Runs cells on this machine: processes, locks, the journal, and the outcome of each attempt."""
