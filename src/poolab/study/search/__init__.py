"""Random and bayes studies: what was drawn, what came of it, and which cell is next."""
