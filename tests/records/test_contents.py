"""Runs on data or weights of different content are different arms, whatever their settings say."""

import copy

import pytest

from poolab.configuration import compose
from poolab.records import Record, RunFolder
from poolab.records.contents import Content, content_of, differing_content, says_content, told_apart
from poolab.records.table import arms
from poolab.records.table_page import print_table

A, B = "image_folder-3f2a00000000", "image_folder-77ab00000000"


@pytest.fixture(scope="module")
def config():
    return compose(["data=image_folder", "data.root=somewhere"])


@pytest.fixture
def wrote(tmp_path, config):
    """Writes a record, e.g. of seed 1 on data `A`."""
    numbers = iter(range(1000))

    def write(accuracy, seed=0, status="completed", pooling="max", measure=None, **content):
        own = copy.deepcopy(config) | {"seed": seed}
        own["pooling"]["name"] = pooling
        own["measure"] |= {} if measure is None else {"seconds": measure}
        name = f"{next(numbers):012d}"
        record = {"status": status, "reason": "no", "started": name, "config": own, "environment": content}
        record["metrics"] = {} if accuracy is None else {"test/accuracy": accuracy}
        RunFolder(tmp_path / "runs", name).make().write_json("result.json", record)
        return tmp_path / "runs"

    return write


def seen(runs):
    return {row.arm: (row.runs, row.figures["test accuracy"]) for row in arms(runs)}


def test_two_data_sets_are_not_averaged_as_one_arm(wrote):
    wrote(0.5, data_fingerprint=A)
    runs = wrote(0.75, seed=1, data_fingerprint=B)
    assert seen(runs) == {"max (data 77ab...)": ("1", 0.75), "max (data 3f2a...)": ("1", 0.5)}


def test_data_sets_of_other_names_are_told_apart_by_these(wrote):
    runs = wrote(0.5, data_fingerprint=A)
    config = compose(["data=mnist"])
    record = {"status": "completed", "started": "x", "config": config, "metrics": {"test/accuracy": 0.75}}
    record["environment"] = {"data_fingerprint": "mnist-1"}
    RunFolder(runs, "other").make().write_json("result.json", record)
    assert not any("(" in arm for arm in seen(runs))


def test_one_data_set_is_not_named(wrote):
    wrote(0.5, data_fingerprint=A)
    runs = wrote(0.75, seed=1, data_fingerprint=A)
    assert seen(runs) == {"max": ("2", 0.625)}


def test_weights_of_other_content_are_another_arm(wrote):
    wrote(0.5, data_fingerprint=A, weights_sha256="aaaaaaaa")
    wrote(0.75, seed=1, data_fingerprint=A, weights_sha256="bbbbbbbb")
    runs = wrote(0.25, seed=1, data_fingerprint=A)  # from random weights
    assert seen(runs).keys() == {
        "max (weights aaaa...)",
        "max (weights bbbb...)",
        "max (weights content not recorded)",
    }


def test_the_same_weights_elsewhere_are_one_arm(wrote, config, monkeypatch):
    for seed, place in enumerate(("here/w.pt", "there/v.pt")):
        monkeypatch.setitem(config["backbone"], "weights", place)
        runs = wrote(0.5, seed=seed, data_fingerprint=A, weights_sha256="aaaaaaaa")
    assert seen(runs) == {"max": ("2", 0.5)}


def test_each_seed_may_go_on_from_a_run_of_its_own(wrote):
    wrote(0.5, data_fingerprint=A, source_sha256="aaaa")
    runs = wrote(0.75, seed=1, data_fingerprint=A, source_sha256="bbbb")
    assert seen(runs) == {"max": ("2", 0.625)}
    wrote(0.25, seed=1, data_fingerprint=A, source_sha256="cccc")  # a second one for this seed
    assert len(seen(runs)) == 3


def test_a_run_that_failed_before_it_noted_its_data_belongs_to_its_arm(wrote):
    wrote(None, seed=3, status="failed")
    runs = wrote(0.5, data_fingerprint=A)
    assert seen(runs) == {"max": ("1 (+1 not completed)", 0.5)}


def test_a_record_that_does_not_say_its_data_is_not_mixed_with_one_that_does(wrote):
    wrote(0.5)
    runs = wrote(0.75, seed=1, data_fingerprint=A)
    assert set(seen(runs)) == {"max (data content not recorded)", "max (data 3f2a...)"}


def test_a_seed_that_was_measured_twice_is_one_training(wrote):
    wrote(0.5, measure=0.5, data_fingerprint=A)
    runs = wrote(0.5, measure=1.0, data_fingerprint=A)
    assert seen(runs) == {"max": ("1", 0.5)}


@pytest.mark.parametrize(
    ("status", "accuracy"), [("diverged", 0.9), ("failed", 0.9), ("interrupted", 0.9), ("completed", None)]
)
def test_what_has_no_figure_is_not_averaged(wrote, status, accuracy, tmp_path):
    wrote(0.5, data_fingerprint=A)
    runs = wrote(accuracy, seed=1, status=status, data_fingerprint=A)
    assert seen(runs) == {"max": ("1 (+1 not completed)", 0.5)}
    path = runs / f"{1:012d}" / "result.json"
    path.write_text(path.read_text().replace('"metrics": {}', '"metrics": {"test/accuracy": null}'))
    assert seen(runs) == {"max": ("1 (+1 not completed)", 0.5)}


def test_the_terminal_names_both(wrote, capsys):
    wrote(0.5, data_fingerprint=A)
    print_table(wrote(0.75, data_fingerprint=B))
    told = capsys.readouterr().out
    assert "3f2a" in told
    assert "77ab" in told


@pytest.mark.parametrize(("values", "texts"), [
    (["image_folder-3f2a77", "image_folder-3f2a88"], ["data 3f2a7...", "data 3f2a8..."]),
    (["digits-1", "digits-2"], ["data 1", "data 2"]),
    (["image_folder-3f2a77", "digits-1"], ["data image_folder-3f2a77", "data digits-1"]),
    (["image_folder-3f2a77", None], ["data 3f2a...", "data content not recorded"]),
    (["image_folder-3f2a77"], [""]),
])  # fmt: skip
def test_contents_are_as_short_as_they_can_be(values, texts):
    assert list(told_apart(Content(value, None, None) for value in values).values()) == texts


@pytest.mark.parametrize("environment", [{}, {"data_fingerprint": None}, {"data_fingerprint": 7}])
def test_an_environment_of_any_form(environment):
    record = Record.from_json({"status": "completed", "environment": environment})
    assert content_of(record).data in (None, "7")


def test_content_differs_where_one_data_set_or_backbone_has_two():
    def run(data="digits", backbone="keras_cnn", status="completed", **environment):
        config = {"data": {"name": data}, "backbone": {"name": backbone}}
        return Record(status=status, config=config, environment=environment)

    one = run(data_fingerprint="1")
    assert not differing_content([])
    assert not differing_content([one, one])
    assert differing_content([one, run(data_fingerprint="2")])
    assert differing_content([one, run(data_fingerprint="1", weights_sha256="aa")])
    assert differing_content([one, run()])
    assert not differing_content([one, run(data="mnist", data_fingerprint="2")])
    assert not differing_content([one, run(backbone="vgg_small", data_fingerprint="2")])
    assert not differing_content([one, run(data_fingerprint="1", source_sha256="bb")]), "each seed may have its own"
    assert not differing_content([one, run(status="failed")])


def test_what_differs_is_named_and_nothing_else():
    first, second = Content("digits-1", "aaaa1", "s"), Content("digits-1", "aaaa2", "s")
    third = Content("digits-1", None, "t")
    assert told_apart([first, second, first]) == {first: "weights aaaa1", second: "weights aaaa2"}
    assert told_apart([first, second, third]) == {
        first: "weights aaaa1, source s",
        second: "weights aaaa2, source s",
        third: "weights content not recorded, source t",
    }
    assert told_apart([]) == {}
    longer = [Content(None, text, None) for text in ("0123456789", "01234567ab")]
    assert list(told_apart(longer).values()) == ["weights 012345678...", "weights 01234567a..."]


@pytest.mark.parametrize(("status", "data", "says"), [
    ("completed", None, True), ("failed", None, False), ("diverged", None, False), ("failed", "digits-1", True),
])  # fmt: skip
def test_a_run_that_ended_before_its_data_were_read_says_no_content(status, data, says):
    assert says_content(Record(status=status, environment={"data_fingerprint": data})) is says
