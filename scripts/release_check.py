"""Check what a release needs: version, changelog, a clean tree, wheel and sdist, the wheel in an empty environment.

python scripts/release_check.py            # installs all that the wheel needs into the empty environment: gigabytes
python scripts/release_check.py --quick    # lends it the packages of this environment instead

`make release-check` builds the site too. Each line says what was checked; the exit code is the number of faults.
"""

import argparse
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = ("pyproject.toml", "LICENSE", "README.md", "CITATION.cff", "src/poolab/__init__.py", "conf/train.yaml")
TRIAL = "train trainer.epochs=1 data.limit_train=64 data.limit_test=32 measure.seconds=0.01 tracker=none"


class Fault(Exception):
    """Something that a release must not have."""


def version() -> str:
    """Return the version, which three files must agree on."""
    found = {
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "src/poolab/__init__.py": _written("src/poolab/__init__.py", r'^__version__ = "(.+)"$'),
        "CITATION.cff": _written("CITATION.cff", r"^version: (.+)$"),
    }
    if len(set(found.values())) > 1:
        raise Fault(f"the versions differ: {', '.join(f'{file} has {one}' for file, one in found.items())}")
    only = next(iter(found.values()))
    if not re.fullmatch(r"\d+\.\d+\.\d+", only):
        raise Fault(f"{only} is no version of the form 1.2.3")
    return only


def _written(file: str, pattern: str) -> str:
    match = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    return match[1] if match else "none"


def changelog(number: str, text: str) -> str:
    r"""Return the date of a version in the changelog.

    >>> changelog("1.0.0", "## Unreleased\n\n## 1.0.0 - 2026-12-01\n")
    '2026-12-01'
    """
    match = re.search(rf"^## \[?{re.escape(number)}\]? - (\d{{4}}-\d\d-\d\d)$", text, re.MULTILINE)
    if match is None:
        raise Fault(f"CHANGELOG.md has no line '## {number} - YYYY-MM-DD': give the section Unreleased this name")
    waiting = re.search(r"^## Unreleased$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if waiting and waiting[1].strip():
        raise Fault("CHANGELOG.md has entries under Unreleased: they belong to this version or to the next one")
    return match[1]


def clean_tree() -> str:
    """Return the commit of a checkout without changes."""
    changed = _run("git", "status", "--porcelain")
    if changed.strip():
        raise Fault(f"the checkout has changes that are not committed:\n{changed.rstrip()}")
    return _run("git", "rev-parse", "--short", "HEAD").strip()


def packages(folder: Path) -> tuple[Path, Path]:
    """Build and check the sdist, and the wheel from it; return both files."""
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder))
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in NEEDED if name not in inside]
    if missing:
        raise Fault(f"{sdist.name} lacks {', '.join(missing)}")
    with zipfile.ZipFile(wheel) as zipped:
        names = zipped.namelist()
    if "poolab/conf/train.yaml" not in names or "poolab/py.typed" not in names:
        raise Fault(f"{wheel.name} lacks poolab/conf/train.yaml or poolab/py.typed")
    return sdist, wheel


def installed(wheel: Path, folder: Path, quick: bool) -> str:
    """Install the wheel into an empty environment and train a network there; return what `poolab --version` says."""
    venv.create(folder / "empty", with_pip=True)
    python = folder / "empty" / "bin" / "python"
    more = ["--no-deps"] if quick else []
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *more, str(wheel))
    if quick:
        _lend(folder / "empty")
    told = _run(str(python), "-m", "poolab", "--version", cwd=folder).strip()
    _run(str(python), "-m", "poolab", *TRIAL.split(), cwd=folder)
    return told


def _lend(environment: Path) -> None:
    """Let an environment see the packages of this one behind its own."""
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


def _run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise Fault(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def checks(folder: Path, quick: bool) -> Iterator[str]:
    """Check one thing after the other, and yield what was found."""
    yield _line("version", version)
    yield _line("changelog", lambda: changelog(version(), (ROOT / "CHANGELOG.md").read_text()))
    yield _line("clean tree", clean_tree)
    yield _line("sdist and wheel", lambda: " and ".join(file.name for file in packages(folder)))
    wheels = list(folder.glob("*.whl"))
    if wheels:
        yield _line("wheel in an empty environment", lambda: installed(wheels[0], folder, quick))


def _line(name: str, check: object) -> str:
    assert callable(check)
    try:
        return f"ok     {name}: {check()}"
    except Fault as fault:
        return f"FAULT  {name}: {fault}"


def main() -> int:
    """Print each check as it ends."""
    parser = argparse.ArgumentParser(description="Check what a release needs.")
    parser.add_argument("--quick", action="store_true", help="lend the empty environment this one's packages")
    chosen = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for line in checks(Path(folder), chosen.quick):
            print(line, flush=True)
            faults += line.startswith("FAULT")
    return faults


if __name__ == "__main__":
    sys.exit(main())
