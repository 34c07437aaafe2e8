import copy

import pytest

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.training.settings import check_settings


@pytest.fixture(scope="module")
def composed():
    return {"adam": compose([]), "sgd": compose(["optim=sgd"]), "full": compose(["measure=full"])}


def with_values(config, **values):
    changed = copy.deepcopy(config)
    for key, value in values.items():
        *groups, last = key.split("__")
        place = changed
        for group in groups:
            place = place[group]
        place[last] = value
    return changed


@pytest.mark.parametrize("name", ["adam", "sgd", "full"])
def test_the_defaults_are_fine(composed, name):
    check_settings(composed[name])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, r"seed must be an int from 0 .*found -1"),
        ({"seed": None}, r"seed must be an int.*found null"),
        ({"seed": True}, r"seed must be an int.*found true"),
        ({"seed": 2**63}, r"seed must be an int"),
        (
            {"task": "segmentaton"},
            r"task=segmentaton is not known: did you mean segmentation\? task can be classification",
        ),
        ({"sead": 1}, r"sead: there is no such setting; did you mean seed"),
        ({"force": "yes"}, r"force must be true or false, found 'yes'"),
        ({"runs_dir": None}, r"runs_dir must be a path .*, found null"),
        ({"trainer__epochs": 0}, r"^trainer\.epochs must be an int from 1 to 100000, found 0$"),
        ({"trainer__precision": "bf16"}, r"precision must be one of .*'bf16-mixed'.*did you mean"),
        ({"trainer__gradient_clip": 0}, r"gradient_clip must be a number > 0"),
        (
            {"trainer__devices": 0},
            r"devices must be a number >= 1 and <= 1024, a list of device indices, or auto, found 0",
        ),
        ({"trainer__devices": []}, r"devices must be"),
        ({"trainer__devices": True}, r"devices must be"),
        ({"trainer__threads": 0}, r"threads must be an int from 1 to 1024 \(threads\), or null, found 0"),
        (
            {"trainer__epoch": 3},
            r"^trainer\.epoch: there is no such setting; did you mean epochs\? trainer takes accelerator, ",
        ),
        ({"optim__name": "lion"}, r"optim.name must be one of adam, adamw, sgd, found 'lion'"),
        ({"optim__lr": 0}, r"^optim\.lr must be a number > 0 and <= 1e\+30, found 0$"),
        ({"optim__betas": [0.9, 1.0]}, r"betas must be two numbers in \[0, 1\)"),
        ({"optim__betas": 0.9}, r"betas must be two numbers"),
        ({"optim__momentum": 0.9}, r"^optim\.momentum: there is no such setting; optim=adam takes lr, "),
        ({"optim__warmup": 1.0}, r"warmup must be a number >= 0 and <= 0.9"),
        ({"optim__label_smoothing": -0.1}, r"label_smoothing must be"),
        ({"measure__seconds": 0}, r"^measure\.seconds must be a number > 0 and <= 3600 \(seconds\), found 0$"),
        ({"measure__rounds": 3}, r"^measure\.rounds: there is no such setting; "),
        ({"measure__name": "ful"}, r"measure.name must be one of costs, full, found 'ful'"),
        ({"measure__images": 10}, r"^measure\.images: there is no such setting; "),
        ({"tracker__name": "wandbb"}, r"tracker.name must be one of none, wandb, found 'wandbb'"),
        (
            {"tracker__mode": "onlin"},
            r"^tracker\.mode must be one of 'offline', 'online', or null, found 'onlin'; did you mean",
        ),
        (
            {"tracker__tags": "a"},
            r"^tracker\.tags must be a list of at most 32 values, each a text of 1 to 64 characters, found 'a'$",
        ),
        ({"data__batchsize": 3}, r"data.batchsize: there is no such setting; did you mean batch_size"),
        ({"trainer__devices": 3}, r"data.batch_size=32 .* does not divide by 3 processes: choose 30 or 33"),
        ({"trainer__devices": 4, "trainer__num_nodes": 3}, r"does not divide by 12 processes: choose 24 or 36"),
    ],
)
def test_a_fault_is_told(composed, values, message):
    with pytest.raises(ConfigError, match=message):
        check_settings(with_values(composed["adam"], **values))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("robustness", ["shift", "corruptions"], r"robustness must be one of .*found 'corruptions'; did you mean"),
        ("robustness", "shift", r"robustness must be a list of at most 32 values, each one of .*, found 'shift'"),
        ("robustness", ["shift", "shift"], r"robustness must not have 'shift' twice"),
        ("calibration", 1, r"calibration must be true or false, found 1"),
        ("images", 0, r"images must be an int from 1 to 1000000000 \(images\), or null, found 0"),
        ("max_shift", 0, r"max_shift must be an int from 1 to 4096 \(pixels\), or null, found 0"),
        ("shift_padding", "wrap", r"shift_padding must be one of 'circular', 'zero', 'reflect', found 'wrap'"),
        ("corruptions", [], r"corruptions must be a list of 1 to 32 values, each one of .*, found \[\]"),
        ("severities", [0, 6], r"severities must be an int from 1 to 5, found 0"),
        ("scales", [0.5, 0], r"scales must be a number >= 0.05 and <= 8 \(times as large\), found 0"),
        ("scale_mode", "crop", r"scale_mode must be one of 'canvas', 'size'"),
        ("gradient_support_images", None, r"support_images must be an int from 1 to 65536 \(images\), found null"),
        ("bins", 15, r"^measure\.bins: there is no such setting; "),
    ],
)
def test_a_fault_of_the_full_measures_is_told(composed, setting, value, message):
    with pytest.raises(ConfigError, match=message):
        check_settings(with_values(composed["full"], **{f"measure__{setting}": value}))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 0},
        {"trainer__devices": "auto"},
        {"trainer__devices": -1},
        {"trainer__devices": [0, 1]},
        {"trainer__threads": 2},
        {"trainer__gradient_clip": 0.5},
        {"optim__betas": [0.0, 0.999]},
        {"tracker": {"name": "none"}},
        {"tracker__entity": "a-team", "tracker__tags": ["a", "b"]},
    ],
)
def test_what_is_allowed(composed, values):
    check_settings(with_values(composed["adam"], **values))


def test_all_faults_are_told_at_once(composed):
    faulty = with_values(
        composed["sgd"],
        seed=-1,
        sead=1,
        trainer__epochs=0,
        trainer__precision="8",
        optim__momentum=2,
        measure__seconds=-1,
        data__flop=True,
        tracker__mode="on",
    )
    with pytest.raises(ConfigError) as told:
        check_settings(faulty)
    words = ("seed must", "sead:", "epochs", "precision", "momentum", "seconds", "data.flop", "mode")
    missing = [word for word in words if word not in str(told.value)]
    assert not missing
