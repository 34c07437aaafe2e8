"""Random and bayes studies: the trials drawn so far, their results, and the choice of the next cell."""
