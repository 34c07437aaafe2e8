"""The benchmarks behind `scripts/bench.py`: poolings beside `nn.MaxPool2d`, a training step, two results.

Nothing is imported here; each benchmark imports what it needs when it is chosen. `ops` needs only torch.
"""
