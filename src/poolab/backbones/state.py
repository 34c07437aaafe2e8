"""Compare the weights of a file with those of a network: names behind prefixes, heads, and what does not belong."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from torch import Tensor

State = Mapping[str, Tensor]

# What other programs put before the names of a network's weights: DataParallel, Lightning, torch.compile, poolab.
PREFIXES = ("module.", "model.", "network.", "net.", "backbone.", "encoder.", "_orig_mod.")
DEEPEST = 3  # prefixes one behind the other
COUNTER = "num_batches_tracked"  # of batch normalisation; files of old versions have none, and it changes nothing here


class Compared(NamedTuple):
    """The differences between the weights of a file and those of a network.

    Attributes:
        missing: names that only the network has.
        unexpected: names that only the file has.
        reshaped: names whose shapes differ.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]


def without_prefix(state: State, own: State) -> tuple[dict[str, Tensor], str]:
    """Return the weights under the names that fit the network's best, and the prefix that was left out for it."""
    best, prefix, most = dict(state), "", len(state.keys() & own.keys())
    for count in range(1, DEEPEST + 1):
        for parts in product(PREFIXES, repeat=count):
            joined = "".join(parts)
            if not any(name.startswith(joined) for name in state):
                continue
            stripped = {name.removeprefix(joined): value for name, value in state.items()}
            found = len(stripped.keys() & own.keys())
            if found > most and len(stripped) == len(state):
                best, prefix, most = stripped, joined, found
    return best, prefix


def compare(state: State, own: State) -> Compared:
    """Return the names in which the two differ; counters that the file lacks do not count."""
    missing = tuple(name for name in own if name not in state and not name.endswith(COUNTER))
    unexpected = tuple(name for name in state if name not in own)
    reshaped = tuple(name for name in own if name in state and own[name].shape != state[name].shape)
    return Compared(missing, unexpected, reshaped)


def strange(found: Compared, state: State, own: State, last: str) -> list[str]:
    """Return what differs by more than a head, in words with counts and first names; an empty list if nothing does.

    A head is the network's last layer, and in the file one layer or stack of layers that the network has not, while the
    network's last layer is missing or has another shape. Auxiliary heads, which only training sees, may be left out.

    Args:
        last: the qualified name of the network's last layer.
    """
    missing = [name for name in found.missing if _layer(name) != last]
    reshaped = [name for name in found.reshaped if _layer(name) != last]
    unexpected = [name for name in found.unexpected if not _is_auxiliary(name)]
    is_headless = any(_layer(name) == last for name in (*found.missing, *found.reshaped))
    if is_headless and _is_head(unexpected, state, own, last):
        unexpected = []
    kinds = {"are missing": missing, "are not the network's": unexpected}
    words = [f"{len(names)} {what} ({_first(names)})" for what, names in kinds.items() if names]
    if reshaped:
        shapes = f"{reshaped[0]} {_shape(state[reshaped[0]])} for {_shape(own[reshaped[0]])}"
        words.append(f"{len(reshaped)} have another shape ({shapes}{', ...' if len(reshaped) > 1 else ''})")
    return words


def _is_head(names: Sequence[str], state: State, own: State, last: str) -> bool:
    """Return whether all names lie below one module that the network has not, in layers without a window."""
    tops = {name.split(".")[0] for name in names}
    taken = {name.split(".")[0] for name in own} - {last.split(".")[0]}
    flat = all(value.dim() <= 2 or value.shape[2:].numel() == 1 for value in (state[name] for name in names))
    return len(tops) <= 1 and not tops & taken and flat


def _is_auxiliary(name: str) -> bool:
    return name.lower().startswith("aux")  # GoogLeNet's aux1 and aux2, Inception's AuxLogits


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"
