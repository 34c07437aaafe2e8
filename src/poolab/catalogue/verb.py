"""The verb `poolab pools`: a table, a card or a picture."""

import argparse
from collections.abc import Sequence
from textwrap import fill
from typing import Any

from poolab.errors import ConfigError
from poolab.own_code import own_faults

USAGE = """poolab pools [--role ROLE] [--markdown]
       poolab pools NAME [key=value ...] [--markdown]
       poolab pools NAME [key=value ...] --show FILE [--image PHOTO]"""
EXAMPLES = """examples:
  poolab pools                                all methods
  poolab pools --role window                  those on local windows
  poolab pools avg_topk                       what is to be known about one
  poolab pools avg_topk k=3 kernel_size=3     its cost with these options
  poolab pools avg_topk k=3 --show x.png      what it keeps of a photograph
"""


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the verb's arguments."""
    words = argparse.ArgumentParser(
        prog="poolab pools",
        usage=USAGE,
        description=fill(description, 80),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("name", nargs="?", metavar="NAME", help="a method; without it, list all methods")
    words.add_argument(
        "options", nargs="*", metavar="key=value", help="options and geometry of the method, as for train"
    )
    roles = ("window", "global", "channel", "same")
    words.add_argument("--role", choices=roles, help="only the methods of this role")
    words.add_argument("--markdown", action="store_true", help="print Markdown")
    words.add_argument("--show", metavar="FILE", help="draw what the method keeps of an image")
    words.add_argument("--image", metavar="PHOTO", help="the image to draw (default: scikit-learn's flower)")
    return words


def pools(given: Sequence[str], description: str) -> None:
    """Do what the words after `poolab pools` ask for.

    Raises:
        ConfigError: words that do not go together, an unknown method, or options that it does not take.
    """
    # intermixed: key=value may stand before and after the flags
    chosen = parser(description).parse_intermixed_args(given)
    faults = list(_faults(chosen))
    if faults:
        raise ConfigError("; ".join(faults))
    if chosen.name is None:
        _table(chosen)
    elif chosen.show is not None:
        _picture(chosen)
    else:
        _card(chosen)


def _faults(chosen: argparse.Namespace) -> list[str]:
    wrong = {
        "--show needs the NAME of a method": chosen.show is not None and chosen.name is None,
        "--image needs --show FILE": chosen.image is not None and chosen.show is None,
        "--markdown goes with the table or a card, not with --show": chosen.markdown and chosen.show is not None,
        "--role goes with the table of all methods, not with a NAME": chosen.role and chosen.name is not None,
    }
    return [fault for fault, holds in wrong.items() if holds]


def _table(chosen: argparse.Namespace) -> None:
    from poolab.catalogue.table import listed, markdown, print_pools

    names = listed(chosen.role)
    print(markdown(names)) if chosen.markdown else print_pools(names)


def _card(chosen: argparse.Namespace) -> None:
    import shutil

    from poolab.catalogue.card import card
    from poolab.catalogue.render import markdown, text

    name, options = _asked(chosen)
    with own_faults():
        shown = card(name, **options)
    print(markdown(shown) if chosen.markdown else text(shown, min(80, shutil.get_terminal_size().columns)))


def _picture(chosen: argparse.Namespace) -> None:
    from poolab.catalogue.picture import show

    name, options = _asked(chosen)
    with own_faults():
        print(f"picture: {show(name, options, chosen.show, chosen.image)}")


def _asked(chosen: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the method and its options, and print what a preset stands for."""
    from poolab.catalogue.card import written
    from poolab.catalogue.chosen import known, preset, values

    found = preset(chosen.name)
    if found is None:
        known(chosen.name)  # report a wrong name before wrong options
        return chosen.name, values(chosen.options)
    name, brought = found
    options = {**brought, **values(chosen.options)}
    print(f"{chosen.name} is a preset of {name}: {' '.join(f'{key}={written(brought[key])}' for key in brought)}\n")
    return name, options
