"""A study file and its cells: parameters, combinations, and the arguments that each cell gives to train.py."""
