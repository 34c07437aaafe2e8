"""The parser of a verb's arguments: how its help looks."""

import argparse


def verb_parser(verb: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a parser without arguments, whose help shows the examples as they stand.

    Args:
        verb: as it is typed, without `poolab`.
        description: what the verb does, in one sentence without a full stop.
        examples: lines of the command line.

    >>> verb_parser("new", "make a study file", "examples: ...").description
    'Make a study file.'
    """
    return argparse.ArgumentParser(
        prog=f"poolab {verb}",
        description=f"{description[0].upper()}{description[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
