"""Own code that fails while it runs: one sentence with the class, the file and the line."""

import pytest

from poolab import cli
from poolab.backbones import create_backbone
from poolab.errors import ConfigError

HEAD = "import torch\nfrom poolab.pooling import WindowPool2d, HeadPool2d\nclass P(WindowPool2d):\n"
FORMULA = "    @staticmethod\n    def formula(windows):\n        "
CASES = {
    "windows.maxx()": "'Windows' object has no attribute 'maxx' (own_fault.py, line 6); did you mean maximum",
    "windows.maximum() + gone": "name 'gone' is not defined (own_fault.py, line 6)",
    "{}['a']": "KeyError: 'a' (own_fault.py, line 6)",
    "windows.maximum().no_such": "'Tensor' object has no attribute 'no_such' (own_fault.py, line 6)",
    "1 / 0": "ZeroDivisionError: division by zero (own_fault.py, line 6)",
    "helper(windows)": "not even (own_fault.py, line 8)",
}


def module(lab, body):
    (lab / "own_fault.py").write_text(HEAD + body + "\ndef helper(windows):\n    raise ValueError('not even')\n")


@pytest.mark.parametrize("words", [
    ["shapes", "pooling=own_fault:P"],
    ["pools", "own_fault:P"],
    ["pools", "own_fault:P", "--show", "x.png"],
    ["train", "pooling=own_fault:P", "data=digits", "tracker=none", "trainer.epochs=1"],
])  # fmt: skip
def test_a_formula_that_fails_is_told_in_a_sentence(lab, words, capsys):
    module(lab, f"{FORMULA}return windows.maxx()")
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"poolab: own_fault:P: its formula fails: {CASES['windows.maxx()']}")
    assert "Traceback" not in said


@pytest.mark.parametrize("call", CASES)
def test_any_exception_of_a_formula_is_told(lab, call):
    module(lab, f"{FORMULA}return {call}")
    with pytest.raises(ConfigError) as caught:
        create_backbone("keras_cnn", in_channels=1, num_classes=3, image_size=16, pooling={"name": "own_fault:P"})
    assert str(caught.value).startswith(f"own_fault:P: its formula fails: {CASES[call]}")
    assert caught.value.__cause__ is not None  # its traceback has every line


@pytest.mark.parametrize("fault", ["self.rate = windows", "self.rate = 1 + 'a'", "[].x", "raise KeyError('k')"])
def test_any_exception_of_a_constructor_is_told(lab, fault):
    body = f"    def __init__(self, *geometry, **more):\n        super().__init__(*geometry, **more)\n        {fault}\n"
    module(lab, f"{body}    formula = staticmethod(lambda windows: windows.maximum())")
    with pytest.raises(ConfigError, match=r"^own_fault:P: its constructor fails: .*\(own_fault.py, line 6\)"):
        create_backbone("keras_cnn", in_channels=1, num_classes=3, image_size=16, pooling={"name": "own_fault:P"})
    assert cli.main(["pools", "own_fault:P"]) == 2


def test_an_image_that_is_too_small_is_told_as_before(lab):
    module(lab, f"{FORMULA}return windows.maximum()")
    with pytest.raises(ConfigError, match="the map would vanish"):
        create_backbone("keras_cnn", in_channels=1, num_classes=3, image_size=2, pooling={"name": "own_fault:P"})
