"""Study files that nobody should write: each is refused in one clear message, and soon."""

import os
import time

import pytest

from poolab.errors import ConfigError
from poolab.study import grid_cells, read_study
from poolab.study.commands.verbs import study as study_verb
from poolab.study.search.setup import search
from poolab.study.sweep.candidates import sample_cells
from poolab.study.sweep.distributions import possible
from poolab.study.sweep.yaml_file import DEEPEST, LARGEST, parse_yaml

HEAD = "program: train.py\nmethod: grid\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{own}: &{own} [{','.join([f'*{before}'] * 10)}]\n" for before, own in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{own}: &{own} {{<<: [{','.join([f'*{before}'] * 10)}]}}\n"
    for before, own in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def refused(tmp_path):
    """The message for a file's content, which comes in less than two seconds of processor time."""

    def refuse(content, name="study.yaml"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        start = time.process_time()
        with pytest.raises(ConfigError) as caught:
            grid_cells(read_study(path))
        assert time.process_time() - start < 2
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 2_000
        return str(caught.value)

    return refuse


def values(text):
    return f"{HEAD}parameters:\n  seed: {{values: [{text}]}}\n"


@pytest.mark.parametrize(("content", "words"), [
    ("", "it is empty"),
    ("# nothing\n", "it is empty"),
    ("study", "it has a str"),
    ("- a\n- b\n", "it has a list"),
    ("a: [1", "line 1, column 6: while parsing a flow sequence"),
    ("a:\n\tb: 1\n", "indents by spaces, never by tabs"),
    ("a: 1\na: 2\n", "line 2, column 1: a is there twice"),
    ("0x1: 1\n1: 2\n", "1 is there twice"),
    ("? [a, b]\n: 1\n", "a list or a mapping cannot be a key"),
    ("{{a: 1}: 2}", "a list or a mapping cannot be a key"),
    ("a: 1\n---\nb: 2\n", "expected a single document"),
    ("a: *nowhere\n", "undefined alias 'nowhere'"),
    ("a: &a [*a]\n", "refers to the list or mapping that contains it"),
    ("a: &a {b: *a}\n", "refers to the list or mapping that contains it"),
    (BOMB, "its aliases (*) repeat more than 100,000 values"),
    (MERGED_BOMB, "its aliases (*) repeat more than 100,000 values"),
    ("[" * 1000, f"nested deeper than {DEEPEST} levels"),
    ("[" * 90_000, f"nested deeper than {DEEPEST} levels"),
    ("- " * 1000 + "x", f"nested deeper than {DEEPEST} levels"),
    ("{a: " * 1000, f"nested deeper than {DEEPEST} levels"),
    ("a: !!python/object/apply:os.system [id]\n", "and no tags (!)"),
    ("a: !!python/name:os.system\n", "and no tags (!)"),
    ("a: !own 3\n", "and no tags (!)"),
    ("a: !!timestamp x\n", "line 1, column 4: x cannot be read"),
    ("a: !!int ''\n", "cannot be read"),
    ("a: <<\n<<: 3\n", "expected a mapping or list of mappings for merging"),
    ("%YAML 9.0\n---\na: 1\n", "incompatible YAML document"),
    ("a: \0\n", "line 1: the character U+0000 is not allowed"),
    ("a: 1\nb: \x1b[2J\n", "line 2: the character U+001B is not allowed"),
    (b"a: 1\nb: \xff\xff\n", "line 2: the byte 0xff is not UTF-8"),
    ("a: 1\n".encode("utf-16"), "it is written in UTF-16; save it as UTF-8"),
    (bytes(range(256)) * 4, "is not"),
    ("x: [" + "1," * LARGEST, "and a study file has at most 100,000"),
    (values("9" * 5000), "a number with too many digits"),
    (values("0x" + "f" * 5000), "a whole number must be between -2^63 and 2^63"),
    (values("99999999999999999999"), "a whole number must be between -2^63 and 2^63"),
    (values("2020-02-31"), "2020-02-31 cannot be read: day is out of range"),
    (values(".nan, .nan"), "nan is twice"),
    (values("'$\\{oc.env:HOME}'"), "is not looked up"),
    (values("{'${oc.env:HOME}': 1}"), "is not looked up"),
    (HEAD + "parameters: {seed: {min: .nan, max: 3}}", "min must be a finite number, found nan"),
    (HEAD + "parameters: {seed: {min: 0.0, max: .inf, distribution: q_uniform}}", "max must be a finite number"),
    (HEAD + "parameters: {seed: {min: -5_000_000_000_000_000_000, max: 5_000_000_000_000_000_000}}", "below 2^63"),
    (HEAD + "parameters: {seed: {min: 0, max: 3, q: 0, distribution: q_uniform}}", "q must be above 0"),
    (HEAD + "parameters: {seed: {values: {a: 1}}}", "values must be a list"),
    (HEAD + "parameters: {x: {distribution: log_uniform, min: 0, max: 1000}}", "beyond the numbers that a computer"),
    (HEAD + "parameters: {x: {distribution: log_normal, mu: 0, sigma: 200}}", "beyond the numbers that a computer has"),
    (HEAD + "parameters: {x: {distribution: normal, mu: 0, sigma: 1.0e+308}}", "beyond the numbers that a computer"),
    (HEAD + "parameters: {x: {distribution: q_beta, a: 1, b: 1, q: 1.0e-320}}", "beyond the numbers that a computer"),
    (HEAD + "parameters: {x: {distribution: q_normal, q: 1.0e-320}}", "beyond the numbers that a computer has"),
    (HEAD + "parameters: []", "parameters must be a mapping"),
    (HEAD + "parameters: {seed: {value: !!binary aGk=}}", "is a bytes"),
    (HEAD + "parameters: {seed: {value: !!set {a}}}", "is a set"),
    (HEAD + "parameters: {seed: {value: 1}}\nname: [1]", "name must be a text"),
    (HEAD + "parameters: {seed: {value: 1}}\nrun_cap: .inf", "run_cap must be a whole number above 0"),
    (HEAD + "parameters: {seed: {value: 1}}\nrun_cap: abc", "run_cap must be a whole number above 0"),
    (HEAD + "parameters: {seed: {value: 1}}\nrun_cap: -1", "run_cap must be a whole number above 0"),
    (HEAD + "parameters: {seed: {value: 1}}\nmetric: {name: val/loss, target: .nan}", "a finite number"),
    (HEAD + "parameters: {seed: {value: 1}}\nmetric: {name: a, goal: [1]}", "metric.goal must be"),
    (HEAD + "parameters: {seed: {value: 1}}\nmetric: {name: a}\nearly_terminate: [1]", "type: hyperband"),
    (HEAD + "parameters: {seed: {value: 1}}\nmethod2: [grid]", "there is no key method2"),
    (HEAD + "parameters: {runs_dir: {values: [a, b]}}", "all runs of a study are in one folder"),
    (HEAD + "parameters: {runs_dir: {value: 3}}", "all runs of a study are in one folder"),
    ("program: [train.py]\nmethod: [grid]\nparameters: {seed: {value: 1}}", "program must be the script"),
], ids=lambda value: "" if len(value) > 60 else None)  # fmt: skip
def test_what_a_file_may_not_hold(refused, content, words):
    assert words in refused(content)


def test_a_merge_key_brings_the_settings_of_its_anchor(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        HEAD + "parameters:\n  optim.lr: &range {min: 0, max: 2}\n  seed:\n    <<: *range\n    max: 3\n"
        "  pooling: {<<: [{values: [avg]}, {values: [lp]}], values: [max]}\n"
    )
    assert [one.choices for one in read_study(path).parameters] == [(0, 1, 2), (0, 1, 2, 3), ("max",)]
    with pytest.raises(ConfigError, match="b is there twice"):
        parse_yaml("a: &a {x: 1}\nc: {<<: *a, b: 1, b: 2}")


def test_a_byte_order_mark_of_utf_8_is_no_fault(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(values("0, 1"), encoding="utf-8-sig")
    assert len(grid_cells(read_study(path))) == 2


def test_a_file_of_100_mb_is_not_read(tmp_path):
    path = tmp_path / "study.yaml"
    with open(path, "wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ConfigError, match="it has 100,000,000 bytes"):
        read_study(path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop", "dangling"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "study.yaml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind in ("loop", "dangling"):
        path.symlink_to(path if kind == "loop" else tmp_path / "nothing")
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(path)
    words = "cannot be read" if kind in ("loop", "dangling") else "it is a"
    with pytest.raises(ConfigError, match=words):
        read_study(path)


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    path = tmp_path / "study.yaml"
    path.write_text(values("0"))

    def denied(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ConfigError, match=r"cannot be read: .*Permission denied"):
        read_study(path)


@pytest.mark.parametrize(("parameters", "count"), [
    ("{seed: {min: 0, max: 999999}}", "1,000,000"),
    ("{seed: {min: 0, max: 1000000000000000000}}", "1,000,000,000,000,000,001"),
    ("{seed: {distribution: q_uniform, min: 0, max: 1, q: 1.0e-300}}", "9,223,372,036,854,775,809"),
    ("{seed: {min: 0, max: 999}, trainer.epochs: {min: 1, max: 1000}}", "1,000,000"),
])  # fmt: skip
def test_a_grid_of_too_many_cells_is_refused_with_their_number(tmp_path, parameters, count):
    path = tmp_path / "study.yaml"
    path.write_text(f"{HEAD}parameters: {parameters}\n")
    study = read_study(path)
    with pytest.raises(ConfigError, match=f"has {count} cells, and a grid has at most 100,000"):
        grid_cells(study)
    names = [one.name for one in study.parameters]
    assert len(grid_cells(study, [f"{name}=1" for name in names])) == 1  # replaced by the command line


def test_a_search_over_a_huge_range_lists_nothing(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("program: fit.py\nmethod: random\nrun_cap: 3\nparameters: {seed: {min: 0, max: 1000000000000}}\n")
    study = read_study(path)
    assert len(possible(study.parameters[0])) == 1_000_000_000_001
    assert len(sample_cells(study)) == 2
    from poolab.study.job_factory import Programs

    source = search(study, Programs(study, (), tmp_path), tmp_path, count=None, sampler=None, seed=0)
    assert source.next() is not None


def test_the_words_of_a_message_are_printable(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(HEAD + 'parameters: {"\\e[2Jx": {value: 1}}\n')
    with pytest.raises(ConfigError) as caught:
        study_verb(["plan", str(path)], "")
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[2Jx" in str(caught.value)


@pytest.mark.parametrize("stem", ["x" * 240, "ü" * 120])
def test_a_name_that_leaves_no_room_for_a_journal(refused, stem):
    assert "rename the file" in refused(values("0"), f"{stem}.yaml")


@pytest.mark.parametrize("stem", ["..", ".", "a b", "-x", "wandb-sync", "a\nb", "*"])
def test_odd_names_keep_the_journal_inside_its_folder(tmp_path, stem):
    path = tmp_path / f"{stem}.yaml"
    path.write_text(values("0") + "name: ../../outside\n")
    from poolab.study.runner.jobs import Files

    files = Files(tmp_path / "runs", read_study(path).name)
    for own in (files.journal, files.log("0" * 12).parent):
        assert os.path.dirname(os.path.abspath(own)) == str(tmp_path / "runs" / "studies")
