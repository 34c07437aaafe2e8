"""Kernels generated from the formulas of the window methods: recording (recorder, program), C, Triton and torch
source, compiling and loading, and the backend that chooses between them and plain torch.
"""
