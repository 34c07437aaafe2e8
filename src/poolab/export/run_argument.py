"""The argument that all verbs of a finished run have: its folder."""

import argparse

from poolab.arguments import verb_parser


def run_parser(verb: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return the parser of a verb whose first argument is a run."""
    words = verb_parser(verb, description, examples)
    words.add_argument("run", metavar="RUN", help="the folder of a finished run, runs/<signature>")
    return words
