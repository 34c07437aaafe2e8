"""A study's records are found whichever layout they were made in."""

import pytest

from poolab.records import Record, signature
from poolab.study.evidence import settle


def config(backbone, seed, layout="auto", precision="32-true"):
    return {"backbone": {"name": backbone}, "seed": seed, "trainer": {"channels_last": layout, "precision": precision}}


def records(*configs):
    return [Record(signature=signature(one, ""), status="completed", config=one) for one in configs]


@pytest.mark.parametrize("layout", [True, False])
def test_a_cell_takes_the_layout_of_its_backbones_records(layout):
    configs = [config(name, seed) for name in ("keras_cnn", "resnet20") for seed in (0, 1, 2)]
    there = [config("keras_cnn", seed, layout) for seed in (0, 1)] + [config("keras_cnn", 2, not layout)]
    there.append(config("resnet20", 0, not layout))
    settle(configs, records(*there))
    assert configs == [
        *(config("keras_cnn", seed, layout) for seed in (0, 1, 2)),
        *(config("resnet20", seed, not layout) for seed in (0, 1, 2)),
    ]


def test_what_is_set_stays_and_without_records_it_is_the_layout_of_poolabs_networks():
    configs = [config("keras_cnn", 0, False), config("keras_cnn", 1, precision="auto")]
    settle(configs, [])
    assert configs == [config("keras_cnn", 0, False), config("keras_cnn", 1, True)]
