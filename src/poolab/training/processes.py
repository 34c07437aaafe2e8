"""The rank of this process in a distributed run, before Lightning's trainer exists."""

from pytorch_lightning.utilities.rank_zero import rank_zero_only


def first_process() -> bool:
    """Return True if this process writes the record; the rank is in torchrun's, SLURM's or Lightning's variables."""
    return getattr(rank_zero_only, "rank", 0) == 0
