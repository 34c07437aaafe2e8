"""The second way to compute the window methods: kernels generated from the methods' own formulas."""
