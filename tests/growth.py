"""How processor time grows with the size of what is given, measured so that other programs hardly move the answer."""

import gc
from contextlib import contextmanager
from time import process_time

ROUNDS = 3
MOST_ROUNDS = 10


def assert_grows(prepared, sizes, less_than):
    """Assert that the larger of two sizes takes less than so many times the processor time of the smaller one.

    Other programs on the machine can only add to a time (they take the caches: beside another test, CI found a ratio of
    6.6 where the same work by itself has 4.1). So the sizes take turns, the least time of each counts, and a ratio that
    is too large is measured again before it is believed.

    Args:
        prepared: returns, for a size, the function that is timed. It is called in every round, and not timed.
        sizes: the smaller and the larger one.
        less_than: this ratio.
    """
    took = {size: [] for size in sizes}
    with _without_collections():
        for number in range(MOST_ROUNDS):
            for size, times in took.items():
                times.append(_seconds(prepared(size)))
            less, more = (min(took[size]) for size in sizes)
            if number + 1 >= ROUNDS and more < less_than * less:
                return
    raise AssertionError(f"{more:.3g} s beside {less:.3g} s: {more / less:.3g} times, not less than {less_than}")


@contextmanager
def _without_collections():
    """Keep the garbage collector from what the tests before have left: late in a session that takes it 2 s a time."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _seconds(work):
    gc.collect()  # what the round before has left
    began = process_time()
    work()
    return process_time() - began
