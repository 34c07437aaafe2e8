"""Runs cells on this machine: processes, locks, the journal, and how each attempt ended."""
