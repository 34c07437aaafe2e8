"""The statistics of a report: pure functions from scores to verdicts. Needs numpy and scipy only.

    settings = [compare_setting(arms, baseline="max", margin=0.005, setting="cifar10, resnet20"), ...]
    overall = compare_overall(settings)

`ArmScores` holds the outcome of one arm's runs in one setting (data set and backbone). `compare_setting` compares each
arm with the baseline over the seeds that both have and returns a `SettingComparison` with an `ArmComparison` for each
arm, in the order given. `compare_overall` joins the settings. `Looks` says when results may be looked at.
Every difference is arm minus baseline, in the metric's own units. A value that is not defined is None, and
`ArmComparison.reason` (a `Reason`) says why.

Estimand: the expected difference in the test metric over seeds (initialisation, order, augmentation, split), on this
test set. Rank arms by validation and report test here: the best of ten equal arms leads by luck.

What holds, by simulation (docs/report_statistics.md): single intervals cover 95 %; the simultaneous ones of a setting
hold together in at least 95 %; a study says "better" or "worse" of an equal arm, or "equivalent" of one that differs by
the margin, in at most 5 %.

| case | result |
|---|---|
| the baseline's name is missing, or it has no completed run | every arm `undecided`, `no_baseline` |
| one arm (the baseline) | its own line; no comparison |
| an arm without any completed run | `undecided`: `all_diverged` if one diverged, else `no_runs` |
| fewer than 2 shared seeds | difference without interval; `undecided`, `too_few_pairs` |
| unequal seeds | pairs only; `mean_of_pairs` stands beside `mean` |
| differences that (nearly) do not vary | the examples' variance if given (`basis` "examples"); else `zero_variance` |
| divergence rates that differ by more than one run | no "better", no "equivalent"; `divergence` |
| null, NaN or infinite scores | left out, counted as `unscored` |
| ties | count half in `probability_of_improvement` |
| 5 pairs or fewer | `permutation_can_reject` is False; a `moderated` line, with 2 pairs only of 4 arms or more |
| seeds that were added without a declared look | confidence sequences; `method` "e_process" |
"""

from poolab.report.statistics.family import ARMS_OF_TWO_PAIRS
from poolab.report.statistics.overall import compare_overall
from poolab.report.statistics.power import MAX_SEEDS, POWER
from poolab.report.statistics.results import (
    ArmComparison,
    CriticalDifference,
    Interval,
    Moderated,
    OverallArm,
    OverallComparison,
    PairedLine,
    Rate,
    Reason,
    SettingComparison,
    Verdict,
)
from poolab.report.statistics.scores import ArmScores
from poolab.report.statistics.sequential import Looks
from poolab.report.statistics.setting import compare_setting

__all__ = [
    "ARMS_OF_TWO_PAIRS",
    "MAX_SEEDS",
    "POWER",
    "ArmComparison",
    "ArmScores",
    "CriticalDifference",
    "Interval",
    "Looks",
    "Moderated",
    "OverallArm",
    "OverallComparison",
    "PairedLine",
    "Rate",
    "Reason",
    "SettingComparison",
    "Verdict",
    "compare_overall",
    "compare_setting",
]
