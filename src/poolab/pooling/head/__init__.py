"""The heads: a whole map to one vector, or to a fixed grid of values. One family a file."""
