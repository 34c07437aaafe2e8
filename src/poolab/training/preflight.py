"""Check for errors that would show only in the first step or at the test: a single class, batches of one image."""

from typing import Any

from poolab.errors import ConfigError

ONE_VALUE = "Expected more than 1 value per channel"  # torch's words in batch normalisation


def check_classes(task: str, num_classes: int, where: str) -> None:
    """Check that there is more than one class; `where` names the data set.

    Raises:
        ConfigError: there is a single class.
    """
    if num_classes < 2:
        raise ConfigError(f"{where} has {num_classes} class: {task} needs at least two")


def check_batch(network: Any, batch_size: int, processes: int) -> None:
    """Check that the network can train on a process's share of a batch: normalisation needs two values per channel.

    Raises:
        ConfigError: a share has one image, and a batch normalisation sees a single value of it.
    """
    if batch_size // max(processes, 1) != 1:
        return
    import torch

    from poolab.backbones import meta_twin

    try:
        with torch.no_grad():
            twin = meta_twin(network).train()
            twin(torch.empty(1, network.in_channels, *network.image_size, device="meta"))
    except ValueError as fault:
        if ONE_VALUE in str(fault):
            raise ConfigError(
                f"data.batch_size={batch_size} gives each process one image, of which a batch normalisation of this "
                f"network sees one value: choose at least {2 * max(processes, 1)}, or a larger data.image_size"
            ) from fault
    except (RuntimeError, NotImplementedError, AssertionError):
        pass  # what cannot be told without data shows in the first step
