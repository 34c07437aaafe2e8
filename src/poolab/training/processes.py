"""Which process of a distributed run this is, before Lightning's trainer exists."""

from pytorch_lightning.utilities.rank_zero import rank_zero_only


def first_process() -> bool:
    """Whether this process writes the record: Lightning reads it from torchrun's, SLURM's or its own variables."""
    return getattr(rank_zero_only, "rank", 0) == 0
