"""Heads: a whole map becomes one vector, or a grid of fixed size. One family a file."""
