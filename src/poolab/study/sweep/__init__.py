"""A study file and its cells: parameters, combinations, and the words that each cell gives to train.py."""
