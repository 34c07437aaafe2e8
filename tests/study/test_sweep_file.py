"""What a study file may say: W&B's words, all faults at once."""

import pytest

from poolab.errors import ConfigError
from poolab.study import read_study
from poolab.study.sweep.candidates import sample_cells

COMMAND = 'command: ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]\n'
GRID = "program: train.py\nmethod: grid\n" + COMMAND


def study_of(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return read_study(path)


def faults_of(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        study_of(tmp_path, text)
    return str(caught.value)


def test_nested_parameters_are_flat_and_in_the_order_of_the_file(tmp_path):
    text = GRID + (
        "parameters:\n"
        "  pooling: {parameters: {name: {value: avg_topk}, k: {values: [2, 3]}}}\n"
        "  seed: {min: 0, max: 2}\n"
        "  optim.lr: {distribution: q_uniform, min: 0.1, max: 0.3, q: 0.1}\n"
    )
    study = study_of(tmp_path, text)
    assert [parameter.name for parameter in study.parameters] == ["pooling.name", "pooling.k", "seed", "optim.lr"]
    assert [parameter.distribution for parameter in study.parameters] == [
        *("constant", "categorical", "int_uniform", "q_uniform")
    ]
    assert study.parameters[2].choices == (0, 1, 2)
    assert study.parameters[3].choices == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.parametrize(("parameter", "fault"), [
    ("+seed: {value: 0}", "takes a letter or _"),
    ("a@b: {value: 0}", "takes a letter or _"),
    ("hydra.job.name: {value: 0}", "not Hydra's own"),
    ("seed: 3", "write `value: 3`"),
    ("seed: {valeus: [0]}", "did you mean values"),
    ("seed: {values: []}", "a list of at least one"),
    ("seed: {values: [0, 0]}", "0 is twice among its values"),
    ("seed: {value: 0, min: 1}", "constant takes no min"),
    ("seed: {min: 1}", "int_uniform needs max"),
    ("seed: {min: 3, max: 1}", "min must be below max"),
    ("seed: {}", "needs value, values"),
    ("x: {distribution: loguniform, min: 1, max: 2}", "did you mean"),
    ("x: {distribution: uniform, min: 0.0, max: 1.0}", "a grid cannot step through uniform"),
    ("x: {distribution: log_uniform_values, min: 0.0, max: 1.0}", "needs min above 0"),
    ("x: {values: [1, 2], probabilities: [0.5, 0.6]}", "must add up to 1"),
    ("x: {values: [1, 2], probabilities: [1]}", "one for each value"),
    ("x: {value: 1e-3}", "write 1.0e-3"),
    ("x: {min: 1e-3, max: 1}", "write 1.0e-3"),
    ("x: {value: '${oc.env:WANDB_API_KEY}'}", "is not looked up"),
    ("x: {value: 2020-01-01}", "is a date"),
    ("seed: {value: 0}\n  seed: {value: 1}", "is there twice"),
])  # fmt: skip
def test_a_parameter_that_w_and_b_or_poolab_would_refuse(tmp_path, parameter, fault):
    assert fault in faults_of(tmp_path, GRID + f"parameters:\n  {parameter}\n")


@pytest.mark.parametrize(("text", "fault"), [
    ("method: grdi\n", "method must be one of"),
    ("program: ''\n", "program must be"),
    ("metrik: 3\n", "did you mean metric"),
    ("run_cap: 0\n", "run_cap must be"),
    ("metric: accuracy\n", "metric must have a name"),
    ("metric: {name: val/loss, goal: least}\n", "goal must be"),
    ("metric: {name: val/loss, target: low}\n", "target must be a finite number"),
    ("metric: {name: test/accuracy}\n", "the test split is for the end"),
    ("early_terminate: {type: median}\n", "type: hyperband"),
    ("early_terminate: {type: hyperband}\n", "either min_iter, or max_iter"),
    ("early_terminate: {type: hyperband, min_iter: 0}\n", "at least 1"),
    ("method: bayes\n", "needs a metric"),
    ("command: ['${program}', '${args}']\n", "lacks ${args_no_hyphens}"),
    ("command: python\n", "command must be the list"),
])  # fmt: skip
def test_a_file_that_w_and_b_or_poolab_would_refuse(tmp_path, text, fault):
    key = text.partition(":")[0]
    kept = "".join(f"{line}\n" for line in GRID.splitlines() if not line.startswith(f"{key}:"))
    assert fault in faults_of(tmp_path, kept + text + "parameters: {seed: {value: 0}}\n")


def test_all_faults_come_at_once(tmp_path):
    told = faults_of(tmp_path, "method: grid\nparameters: {seed: {}, +x: {value: 0}}\n")
    assert len(told.splitlines()) == 4


def test_another_program_needs_no_command_of_hydras_form(tmp_path):
    study = study_of(tmp_path, "program: other.py\nmethod: random\nparameters: {x: {mu: 0, sigma: 2}}\n")
    assert not study.trains
    assert [cell.values["x"] for cell in sample_cells(study)] == [-4.0, 4.0]


def test_a_file_that_is_not_there_names_those_that_are(tmp_path):
    (tmp_path / "mine.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        read_study(tmp_path / "other.yaml")
    with pytest.raises(ConfigError, match="it must be a mapping"):
        read_study(tmp_path / "mine.yaml")


@pytest.mark.parametrize(("distribution", "ends"), [
    ("{distribution: log_uniform, min: 0, max: 1}", (1.0, 2.718281828)),
    ("{distribution: inv_log_uniform, min: 0, max: 1}", (0.367879441, 1.0)),
    ("{distribution: log_uniform_values, min: 0.1, max: 1}", (0.1, 1)),
    ("{distribution: q_uniform, min: 0, max: 1, q: 0.25}", (0.0, 1.0)),
    ("{distribution: beta, a: 1, b: 2}", (0.0, 1.0)),
    ("{distribution: log_normal}", (0.135335283, 7.389056099)),
])  # fmt: skip
def test_the_ends_of_a_range(tmp_path, distribution, ends):
    text = f"program: other.py\nmethod: random\nparameters:\n  x: {distribution}\n"
    found = [cell.values["x"] for cell in sample_cells(study_of(tmp_path, text))]
    assert found == pytest.approx(list(ends))


def test_settings_and_metrics_are_read_under_their_old_names(tmp_path):
    text = "program: train.py\nmethod: bayes\nmetric: {name: footprint/pool1/kept_share}\n" + COMMAND
    text += (
        "parameters:\n  measure: {parameters: {footprints: {value: true}}}\n  measure.footprint_images: {value: 8}\n"
    )
    study = study_of(tmp_path, text)
    assert study.metric.name == "gradient_support/pool1/input_coverage"
    assert [one.name for one in study.parameters] == ["measure.gradient_support", "measure.gradient_support_images"]
