"""Import the large libraries fast: without the garbage collector, and W&B before Lightning."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def without_collector(library: str) -> Iterator[None]:
    """Stop the garbage collector while a block imports a library, and exempt the imported objects from it.

    An import makes objects that stay, torch's and Lightning's 455,000. The collector looked through them again and
    again, for 0.8 of 4.7 s of processor time, and each full collection of the run took another 0.2 s. Where the library
    is loaded already (a further run of the same process) nothing is done: a freeze would keep the garbage of the run
    before.
    """
    if library in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # else nanobind reports what torch's libraries keep as leaked, at the end
        gc.enable()


def import_wandb_first(tracker: str) -> None:
    """Import the parts of W&B that a run needs, if the tracker is W&B and Lightning is not imported yet.

    W&B defines some hundred pydantic classes, and pydantic looks through all loaded modules for each: 0.4 s among the
    1,400 modules of Hydra and torch, 2.0 s among the 4,100 that Lightning and scikit-learn make of them. `wandb.init`
    would import `wandb.sdk.launch`, where most of them are, by itself.
    """
    if tracker == "wandb":
        with suppress(Exception):  # whatever is wrong with W&B is the tracker's to say
            import wandb.sdk.launch  # noqa: F401
