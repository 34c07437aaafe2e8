"""README and docs/: links lead somewhere, commands are valid, and Python blocks run."""

import re
import shlex
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from poolab.configuration import compose
from poolab.study import read_study
from poolab.study.plan.plan import plan
from poolab.training import read_settings

ROOT = Path(__file__).parents[1]
# The pages whose commands a reader types; those of your_own_pooling.md run in tests/test_own_code.py.
TYPED = [str(page.relative_to(ROOT)) for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
         if page.name not in ("your_own_pooling.md", "decisions.md")]  # fmt: skip
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
BLOCK = re.compile(r"```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
# What a page leaves to the reader: the paths and names in capitals or angle brackets.
STAND_IN = {"FOLDER": "folder", "runs/<signature>": "runs/0123456789ab"}


def name(page):
    return str(page.relative_to(ROOT))


def blocks(kind, *pages):
    return [(page, match["text"]) for page in pages for match in BLOCK.finditer((ROOT / page).read_text())
            if match["kind"] == kind]  # fmt: skip


def commands(*pages):
    """Each command of the pages' shell blocks, continued lines joined."""
    lines = "\n".join(text.replace("\\\n", " ") for _, text in blocks("sh", *pages)).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def anchors(page):
    """The names that headings of a page get on the web: lower case, without punctuation, with dashes."""
    text = BLOCK.sub("", page.read_text())
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_and_headings(page):
    missing = []
    for path, heading in LINK.findall(BLOCK.sub("", page.read_text())):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and target.suffix == ".md" and heading not in anchors(target)):
            missing.append(f"{path}#{heading}" if heading else path)
    assert missing == []


@pytest.mark.parametrize("line", [
    line for line in commands(*TYPED)
    if line.startswith(("python train.py", "poolab train")) and "--help" not in line
])  # fmt: skip
def test_a_training_command_has_valid_settings(line):
    words = [STAND_IN.get(word, word) for word in shlex.split(line, comments=True)]
    words = [re.sub(r"FOLDER|runs/<signature>", lambda found: STAND_IN[found[0]], word) for word in words]
    settings = [word for word in words if "=" in word and not word.startswith("hydra")]
    settings = [word for word in settings if word != "data.batch_size=auto"]  # a run puts a number in its place
    if "-m" in words:  # a sweep: each value by itself
        settings = [word.split(",")[0] for word in settings]
    assert settings or words == ["python", "train.py"]
    read_settings(compose(settings))


@pytest.mark.parametrize("line", [line for line in commands(*TYPED) if line.startswith("poolab ")])
def test_a_command_names_a_verb_that_exists(line, capsys):
    from poolab.cli import main

    words = shlex.split(line, comments=True)[1:]
    words = words[: words.index(">")] if ">" in words else words
    verbs = words[: 2 if words[0] == "study" else 1]
    with pytest.raises(SystemExit) as end:
        raise SystemExit(main([*verbs, "--help"]))
    assert end.value.code in (0, None), capsys.readouterr().err
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    shown = capsys.readouterr().out
    assert [option for option in options if option not in shown] == []


def test_files_that_a_command_names_are_here():
    named = re.findall(r"(?:sweeps|scripts|benchmarks)/[\w./]+", "\n".join(commands(*TYPED)))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_study_of_the_page_can_be_planned(tmp_path):
    [(_, text)] = blocks("yaml", "docs/studies.md")
    (tmp_path / "mine.yaml").write_text(text)
    cells = plan(read_study(tmp_path / "mine.yaml"), []).cells
    assert len(cells) == 18
    assert yaml.safe_load(text)["method"] == "grid"


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_the_python_of_a_page_runs_from_top_to_bottom(page, capsys):
    source = "\n".join(text for _, text in blocks("python", page))
    exec(compile(source, page, "exec"), {})
    assert "avg_topk" in capsys.readouterr().out


def test_the_evidence_against_others_holds():
    """docs/errata.md shows code: each of its assertions is true with the packages that are installed."""
    source = "\n".join(text for _, text in blocks("python", "docs/errata.md"))
    assert source.count("assert") > 15
    exec(compile(source, "docs/errata.md", "exec"), {})


def test_the_worked_example_of_a_pooling_inside_poolab_passes_the_suite():
    """The class of CONTRIBUTING.md, without its registration: names of the registry are those of every other test."""
    from poolab.pooling import Reference, WindowPool2d, Windows
    from poolab.testing import check_pooling

    [(_, text)] = blocks("python", "CONTRIBUTING.md")
    known = {"WindowPool2d": WindowPool2d, "Reference": Reference, "Windows": Windows, "Tensor": object}
    exec(compile(dedent(text).removeprefix('@register("midrange")'), "CONTRIBUTING.md", "exec"), known)
    items = ("shapes", "padding", "oracle", "gradient", "errors")
    report = check_pooling(
        known["MidrangePool2d"], oracle=lambda cells, module: (cells.max() + cells.min()) / 2, items=items
    )
    assert report.passed
    assert {row.item for row in report.rows} == set(items)


def test_there_are_questions_enough_and_each_has_an_answer():
    text = (ROOT / "docs" / "how_do_i.md").read_text()
    parts = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert len(parts) >= 25
    assert [
        part.splitlines()[0] for part in parts if "```" not in part and "](" not in part and "tested" not in part
    ] == []


def test_the_readme_is_read_in_a_minute():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    assert re.search(r"^make test\b", text, re.MULTILINE), "continuous integration runs the test command of this page"
