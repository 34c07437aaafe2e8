"""`auto` in the settings of the trainer becomes a value, which is in the run's identity."""

import pytest
import torch

from poolab.backbones import Backbone, list_backbones
from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.records import signature
from poolab.run_config import RunConfig
from poolab.training import read_settings
from poolab.training.build import build
from poolab.training.callbacks import seed_all
from poolab.training.settings import automatic, check_settings, with_automatic


@pytest.fixture(scope="module")
def tree():
    return compose(["trainer.accelerator=cpu", "tracker=none"])


def trained_by(tree, **trainer):
    return {**tree, "trainer": {**tree["trainer"], **trainer}}


def test_the_default_layout_is_that_of_the_backbone_on_the_device(tree, monkeypatch):
    assert tree["trainer"]["channels_last"] == "auto"
    for name in list_backbones():
        assert with_automatic({**tree, "backbone": {"name": name}})["trainer"]["channels_last"] is True
    assert Backbone.channels_last_on == ()  # nobody measured a network of one's own
    monkeypatch.setattr(automatic, "kind_of_device", lambda accelerator: "cuda")
    assert with_automatic(tree)["trainer"]["channels_last"] is False


def test_what_is_set_and_what_is_wrong_stay(tree):
    for value in (True, False):
        assert with_automatic(trained_by(tree, channels_last=value))["trainer"]["channels_last"] is value
    assert with_automatic({"trainer": None}) == {"trainer": None}
    assert with_automatic({**tree, "backbone": {"name": "gone"}})["trainer"]["channels_last"] is False
    with pytest.raises(ConfigError, match=r"trainer\.channels_last must be auto, true or false, found 'maybe'"):
        check_settings(trained_by(tree, channels_last="maybe"))
    with pytest.raises(ConfigError, match=r"trainer\.channels_last is still auto"):
        build(RunConfig.from_tree(tree))


def test_auto_is_the_same_run_as_its_value(tree):
    names = {
        signature(read_settings(trained_by(tree, channels_last=value)).tree(), "x") for value in ("auto", True, False)
    }
    assert len(names) == 2
    assert signature(read_settings(tree).tree(), "x") == signature(
        read_settings(trained_by(tree, channels_last=True)).tree(), "x"
    )


@pytest.mark.parametrize(("known", "expected"), [({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")])
def test_fast_is_bfloat16_where_the_processor_computes_in_it(monkeypatch, known, expected):
    fast = compose(["trainer=fast", "trainer.accelerator=cpu", "trainer.epochs=2"])
    assert (fast["trainer"]["precision"], fast["trainer"]["epochs"]) == ("auto", 2)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    automatic.computes_in_bfloat16.cache_clear()
    try:
        assert read_settings(fast).trainer.precision == expected
    finally:
        automatic.computes_in_bfloat16.cache_clear()


def test_the_step_seed_is_that_of_torch():
    torch.manual_seed(2**62 + 3)
    expected = torch.rand(3)
    seed_all(2**62 + 3, torch.device("cpu"))
    assert torch.equal(torch.rand(3), expected)
