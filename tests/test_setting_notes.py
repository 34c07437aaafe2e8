"""Every setting of conf/ has a comment that says what it is: `--help` and the site show nothing else."""

import pytest

from poolab.paths import config_dir
from poolab.setting_notes import choice, common

FILES = sorted(path for path in config_dir().glob("*/*.yaml") if path.parent.name not in ("hydra", "task"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}={file.stem}")
def test_a_choice_says_what_it_and_each_of_its_settings_is(file):
    made = choice(file.parent.name, file.stem)
    assert made.about
    others = ("optim.lr", "trainer.epochs") if file.stem == "finetune" else ()  # described where they belong
    assert [key for key in made.values if key not in made.notes and key not in others] == []


def test_the_settings_of_every_run_have_a_note_too():
    told = common()
    assert set(told) >= {"seed", "runs_dir", "force", "pooling.slots", "pooling.at", "backbone.match_to"}
    assert [key for key, (_, note) in told.items() if not note] == []


def test_a_note_behind_a_list_or_a_mapping_is_found():
    assert choice("optim", "adam").values["betas"] == "[0.9, 0.999]"
    assert choice("optim", "adam").notes["betas"].startswith("decay rates")
    assert choice("measure", "full").values["corruptions"].startswith("[gaussian_noise, ")
