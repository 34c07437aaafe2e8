"""`python -m poolab.catalogue docs`, `... stubs`, `... gallery`: files that are made from the pooling classes."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from poolab.errors import PoolabError


def main(given: Sequence[str] | None = None) -> int:
    """Write pages, stubs or gallery; the exit code is 1 for stale files with --check, 2 for a wrong argument."""
    parser = argparse.ArgumentParser(prog="python -m poolab.catalogue")
    works = parser.add_subparsers(dest="work", required=True, metavar="work")
    docs = works.add_parser("docs", help="the pages of docs/poolings")
    docs.add_argument("--folder", type=Path, default=Path("docs/poolings"))
    docs.add_argument("--check", action="store_true", help="write nothing, tell which pages are stale")
    stubs = works.add_parser("stubs", help="the stub files of poolab.pooling, for editors and type checkers")
    stubs.add_argument("--folder", type=Path, default=Path("src/poolab/pooling"))
    stubs.add_argument("--check", action="store_true", help="write nothing, tell which files are stale")
    gallery = works.add_parser("gallery", help="the picture of all window methods")
    gallery.add_argument("--file", default="docs/images/gallery.png")
    gallery.add_argument("--image", metavar="PHOTO", help="the photograph (default: scikit-learn's flower)")
    chosen = parser.parse_args(given)
    try:
        return {"docs": _docs, "stubs": _stubs, "gallery": _gallery}[chosen.work](chosen)
    except PoolabError as fault:
        print(f"poolab.catalogue: {fault}", file=sys.stderr)
        return 2


def _docs(chosen: argparse.Namespace) -> int:
    from poolab.catalogue.pages import MEND, stale, write

    return _told(stale(chosen.folder) if chosen.check else write(chosen.folder), chosen.check, MEND)


def _stubs(chosen: argparse.Namespace) -> int:
    from poolab.catalogue.stubs import MEND, stale, write

    return _told(stale(chosen.folder) if chosen.check else write(chosen.folder), chosen.check, MEND)


def _told(changed: Sequence[str], is_check: bool, mend: str) -> int:
    print(f"{'stale' if is_check else 'written'}: {', '.join(changed) or 'none'}")
    if is_check and changed:
        print(f"mend them: {mend}")
    return int(is_check and bool(changed))


def _gallery(chosen: argparse.Namespace) -> int:
    from poolab.catalogue.gallery import gallery

    print(f"picture: {gallery(chosen.file, chosen.image)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
