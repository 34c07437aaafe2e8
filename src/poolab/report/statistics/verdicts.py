"""From intervals to a verdict."""

from poolab.report.statistics.divergence import rates_differ
from poolab.report.statistics.family import Inference
from poolab.report.statistics.pairs import Pairs
from poolab.report.statistics.results import Reason, Verdict


def decide(pair: Pairs, inference: Inference | None, higher_is_better: bool = True) -> tuple[Verdict, Reason]:
    """Return an arm's verdict with its reason.

    better, worse: the simultaneous interval lies beyond 0. equivalent: TOST within the margin. Else undecided. Where
    the divergence rates differ by more than one run, the runs that trained are a selection: "better" and "equivalent"
    are not said then, and "worse" only of an arm that also diverges more.

    >>> from poolab.report.statistics.family import infer
    >>> from poolab.report.statistics.scores import ArmScores
    >>> base = ArmScores("max", {0: 0.91, 1: 0.92, 2: 0.90, 3: 0.93})
    >>> pair = Pairs(ArmScores("avg", {0: 0.89, 1: 0.895, 2: 0.88, 3: 0.90}), base)
    >>> verdict, reason = decide(pair, infer([pair], 0.005, 0.05, "max_t")[0])
    >>> verdict.value, reason.value
    ('worse', 'interval_excludes_zero')
    """
    missing = pair.reason_without_estimate()
    if missing is not None or inference is None:
        return Verdict.UNDECIDED, missing or Reason.INTERVAL_TOO_WIDE
    if inference.interval is None and pair.basis == "examples":
        return Verdict.UNDECIDED, Reason.ZERO_VARIANCE
    verdict, reason = _by_interval(inference, higher_is_better)
    if verdict is not Verdict.UNDECIDED and rates_differ(pair.arm, pair.baseline):
        diverges_more = len(pair.arm.diverged) * pair.baseline.runs > len(pair.baseline.diverged) * pair.arm.runs
        if not (verdict is Verdict.WORSE and diverges_more):
            return Verdict.UNDECIDED, Reason.DIVERGENCE
    return verdict, reason


def _by_interval(inference: Inference, higher_is_better: bool) -> tuple[Verdict, Reason]:
    if inference.interval is not None:
        low, high = inference.interval
        if low > 0:
            return (Verdict.BETTER if higher_is_better else Verdict.WORSE), Reason.INTERVAL_EXCLUDES_ZERO
        if high < 0:
            return (Verdict.WORSE if higher_is_better else Verdict.BETTER), Reason.INTERVAL_EXCLUDES_ZERO
    if inference.within_margin:
        return Verdict.EQUIVALENT, Reason.WITHIN_MARGIN
    return Verdict.UNDECIDED, Reason.INTERVAL_TOO_WIDE
