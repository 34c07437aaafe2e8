"""Separate random streams from one seed, so that two arms of a study differ only in their pooling."""

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive the seed of one stream from the run's seed and the stream's name.

    A stream never advances another: that an arm draws pooling noise changes neither its batches nor its weights.
    The hash (SHA-256, 63 bits kept, so that every generator takes it) makes neighbouring seeds unrelated.

    >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 3)
    True
    >>> len({derive_seed(seed, name, epoch) for seed in (0, 1) for name in ("order", "init") for epoch in (0, 1)})
    8
    """
    text = "\0".join(str(part) for part in (int(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
