"""`python -m poolab.catalogue docs`, `... gallery`: write the pages and the picture of the poolings."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from poolab.errors import PoolabError


def main(given: Sequence[str] | None = None) -> int:
    """Write the pages or the gallery; the exit code is 1 for stale pages with --check, 2 for a wrong word."""
    parser = argparse.ArgumentParser(prog="python -m poolab.catalogue")
    works = parser.add_subparsers(dest="work", required=True, metavar="work")
    docs = works.add_parser("docs", help="the pages of docs/poolings")
    docs.add_argument("--folder", type=Path, default=Path("docs/poolings"))
    docs.add_argument("--check", action="store_true", help="write nothing, tell which pages are stale")
    gallery = works.add_parser("gallery", help="the picture of all window methods")
    gallery.add_argument("--file", default="docs/images/gallery.png")
    gallery.add_argument("--image", metavar="PHOTO", help="the photograph (default: scikit-learn's flower)")
    chosen = parser.parse_args(given)
    try:
        return _docs(chosen) if chosen.work == "docs" else _gallery(chosen)
    except PoolabError as fault:
        print(f"poolab.catalogue: {fault}", file=sys.stderr)
        return 2


def _docs(chosen: argparse.Namespace) -> int:
    from poolab.catalogue.pages import MEND, stale, write

    changed = stale(chosen.folder) if chosen.check else write(chosen.folder)
    print(f"{'stale' if chosen.check else 'written'}: {', '.join(changed) or 'none'}")
    if chosen.check and changed:
        print(f"mend them: {MEND}")
    return int(chosen.check and bool(changed))


def _gallery(chosen: argparse.Namespace) -> int:
    from poolab.catalogue.gallery import gallery

    print(f"picture: {gallery(chosen.file, chosen.image)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
