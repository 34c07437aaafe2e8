"""The suite can fail: each of many small faults is seen, by the items that it concerns and by no other."""

import pytest
import torch

from poolab.pooling import HeadPool2d, WindowPool2d, get_pool
from poolab.testing import ITEMS, PoolingFailure, Row, Subject, check_pooling, conformance_table, pooling_checks, run
from poolab.testing.__main__ import main
from poolab.testing.effects import Largest
from poolab.testing.report import Report
from poolab.testing.shapes import Shape, each_window, windows
from tests.testing import broken
from tests.testing.broken import CAUGHT

COMPILERS = {"compile", "export", "open_sizes", "onnx"}


def failing(cls: type) -> dict[str, Row]:
    """What fails in two dimensions; the compilers, which take longest, where they are to be seen or nothing is."""
    names = [name for name in ITEMS if name not in COMPILERS or COMPILERS & CAUGHT[cls] or not CAUGHT[cls]]
    subjects = list(Subject.of(cls).variants())
    rows = [run(ITEMS[name], subject) for subject in subjects for name in names if ITEMS[name].applies(subject)]
    return {row.item: row for row in rows if row.status == "failed"}


@pytest.mark.parametrize("cls", CAUGHT, ids=lambda cls: cls.__name__)
def test_a_fault_is_seen_by_the_right_items(cls: type):
    found = failing(cls)
    assert set(found) == CAUGHT[cls], {item: row.reason for item, row in found.items()}
    assert all(cls.__name__ in row.reason for row in found.values()), "a message names the method"


def test_every_item_catches_a_fault():
    assert set().union(*CAUGHT.values()) == set(ITEMS)


def failure(cls: type, **arguments) -> str:
    """What `check_pooling` raises, as one line."""
    with pytest.raises(PoolingFailure) as caught:
        check_pooling(cls, **arguments)
    return " ".join(str(caught.value).split())


# -- exemptions


def test_a_needless_exemption_fails_and_a_needed_one_does_not():
    class Needless(broken.Good):
        exempt = {"padding": "its author did not try"}

    class Needed(broken.ZeroPadding):
        exempt = {"padding": "zeros take part by definition"}

    said = "Needless is exempt from padding (its author did not try), but it passes: take the exemption away"
    assert said in failure(Needless, items=["padding"])
    report = check_pooling(Needed, items=["padding"])
    assert {row.status for row in report.rows} == {"exempt"}
    assert "exempt from padding: zeros take part by definition" in str(report)
    checks = {cls: dict(pooling_checks(cls, items=["padding"])) for cls in (Needless, Needed)}
    checks[Needed]["padding-exempt"]()
    with pytest.raises(AssertionError, match="take the exemption away"):
        checks[Needless]["padding-exempt"]()


def test_an_exemption_that_one_variant_needs_is_no_other_variants_failure():
    report = check_pooling(get_pool("avg"), items=["oracle", "attributes"])
    assert report.passed
    assert {row.variant for row in report.rows} == {"default", "count_include_pad=False"}


def test_an_exemption_must_name_an_item_and_give_a_reason():
    class Unknown(broken.Good):
        exempt = {"colour": "it has none to speak of"}

    class Silent(broken.Good):
        exempt = {"nan": "no"}

    assert "exempt from ['colour'], which are not items" in failure(Unknown, items=["attributes"])
    assert "exempt from ['nan'] without a reason" in failure(Silent, items=["attributes"])


# -- other dimensions


def test_a_fault_in_three_dimensions_alone_is_seen():
    class Flat(WindowPool2d):
        """Right but for deep maps."""

        @staticmethod
        def formula(windows):
            largest = windows.maximum()
            return largest.flip(2) if windows.dims == 3 else largest

    report = check_pooling(Flat, items=["oracle", "nan"], raise_failures=False)
    assert {(row.item, row.dims) for row in report.failures} == {("oracle", 3), ("nan", 3)}
    assert report.mark("nan", 1) == report.mark("nan", 2) == "ok"


def test_an_exemption_from_dimensions_leaves_the_plane_alone():
    class Plane(broken.TwoDimensionsOnly):
        exempt = {"dimensions": "it knows planes alone"}

    class Every(broken.Good):
        exempt = {"dimensions": "nobody asked for more"}

    assert {row.dims for row in check_pooling(Plane, items=["nan", "dimensions"]).rows} == {2}
    assert "Every is exempt from dimensions" in failure(Every, items=["dimensions"])


# -- oracles


def test_a_wrong_formula_is_seen_by_its_oracle_and_its_reference():
    said = failure(broken.Good, items=["oracle"], oracle=lambda taps, module: taps.max())
    assert "FAILED oracle, 2-d, default: Good(kernel_size=" in said
    assert "against its oracle: at [" in said
    right = check_pooling(broken.Good, items=["oracle"], oracle=lambda taps, module: (taps.max() + taps.min()) / 2)
    assert right.passed

    class Mean(HeadPool2d):
        """The mean of the map."""

        @staticmethod
        def formula(input):
            return input.mean((2, 3), keepdim=True)

    assert check_pooling(Mean, items=["oracle"]).mark("oracle") == "no oracle given"
    assert check_pooling(Mean, items=["oracle"], reference=lambda x, geometry, m: x.mean((2, 3), True)).passed
    assert "FAILED oracle" in failure(Mean, items=["oracle"], reference=lambda x, geometry, m: x.amax((2, 3), True))


def test_windows_are_those_of_torchs_documentation():
    x = torch.arange(20.0, dtype=torch.float64).view(1, 1, 4, 5)
    shape = Shape.of((3, 2), (2, 3), (1, 0), (1, 2), ceil_mode=True)
    expected = torch.nn.MaxPool2d(**shape.arguments)(x)
    assert torch.equal(each_window(x, shape, torch.max), expected)
    assert [box for box, _ in windows(shape, (4, 5))[1]] == [(2, 2), (2, 1), (3, 2), (3, 1), (1, 2), (1, 1)]


# -- reports


def test_all_failures_come_at_once_and_within_80_columns():
    class Twice(broken.LateError):
        """Two faults."""

        formula = staticmethod(lambda windows, k=1: broken.SwallowsNaN.formula(windows))

    with pytest.raises(PoolingFailure) as caught:
        check_pooling(Twice, items=["nan", "errors", "dtypes"])
    report, text = caught.value.report, str(caught.value)
    assert {row.item for row in report.failures} == {"nan", "errors"}
    assert "FAILED nan, 2-d, default: Twice(" in text
    assert "FAILED errors, 3-d, default: Twice" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_table_has_a_row_for_each_method_and_a_column_for_each_item():
    rows = [Row("nan", 2, "default", "failed", "it is swallowed"), Row("nan", 1, "default", "passed")]
    table = conformance_table([Report("one", rows), Report("two", rows[1:])]).splitlines()
    assert len({line.count("|") for line in table[:4]}) == 1
    assert table[2].startswith("| one | ")
    assert "| FAIL |" in table[2]
    assert "| ok |" in table[3]
    assert table[-1] == "- `one`, nan, 2-d, default: it is swallowed"


def test_an_unknown_item_is_told():
    with pytest.raises(ValueError, match=r"no item 'paddin' \(did you mean padding"):
        check_pooling(broken.Good, items=["paddin"])


def test_torchs_generators_stay_where_they_are():
    before = torch.get_rng_state()
    check_pooling(get_pool("stochastic"), items=["generator", "expectation", "gradient"])
    assert torch.equal(before, torch.get_rng_state())


def test_the_watch_sees_an_unfolded_copy():
    with Largest() as largest:
        torch.nn.functional.unfold(torch.zeros(2, 2, 16, 16), 3, padding=1)
    assert largest.elements == 2 * 2 * 16 * 16 * 9


def test_the_command_prints_a_table_and_its_exit_code_says_whether_all_passed(capsys, monkeypatch):
    quick = [item for name, item in ITEMS.items() if name not in COMPILERS]  # `check_pooling` itself takes all
    monkeypatch.setattr("poolab.testing.runner._chosen", lambda items: quick)
    assert main(["subsample", "--markdown"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("| method | geometry |")
    assert "| subsample | ok |" in printed.out
    assert printed.err.startswith("1/1 subsample: ok")
    monkeypatch.setattr("poolab.testing.__main__.get_pool", lambda name: broken.LateError)
    monkeypatch.setattr(broken.LateError, "name", "late", raising=False)
    assert main(["late"]) == 1
    assert "FAILED errors" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--nonsense"])
