"""Compare the arms of one setting with its baseline."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from poolab.errors import ConfigError
from poolab.report.statistics import describe, family
from poolab.report.statistics.divergence import clopper_pearson, worst_case, worst_score
from poolab.report.statistics.pairs import Pairs
from poolab.report.statistics.permutation import permutation_floor
from poolab.report.statistics.ranks import rank_sets
from poolab.report.statistics.results import ArmComparison, Moderated, Reason, SettingComparison, Verdict
from poolab.report.statistics.scores import ArmScores
from poolab.report.statistics.sequential import Looks
from poolab.report.statistics.verdicts import decide


@dataclass(frozen=True)
class _Choices:
    """Holds what the caller chose for a setting."""

    margin: float
    alpha: float
    method: family.Method
    family_alpha: float
    higher_is_better: bool
    worst: float
    best: float | None

    @property
    def confidence(self) -> float:
        return 1 - self.alpha


def compare_setting(
    arms: Sequence[ArmScores],
    baseline: str,
    *,
    margin: float,
    confidence: float = 0.95,
    looks: Looks | None = None,
    higher_is_better: bool = True,
    setting: str = "",
    worst: float | None = None,
    best: float | None = None,
) -> SettingComparison:
    """Compare each arm with the baseline, over the seeds that both have.

    Args:
        arms: of one setting (data set and backbone), the baseline among them.
        baseline: its name. If no arm has it, every arm is undecided with the reason `no_baseline`.
        margin: differences smaller than this do not matter; above 0, in the metric's own units (0.005 of accuracy is
            half a point).
        confidence: of the intervals, between 0.5 and 1.
        looks: None for one analysis at a number of seeds that was chosen before. `Looks((3, 5, 8))` for declared looks,
            `Looks()` for seeds added without a plan.
        higher_is_better: False for a loss or an error rate. Differences stay arm minus baseline.
        setting: its name, for the result.
        worst: the score of a diverged run in the worst-case line, e.g. chance level; None takes the worst score seen.
        best: the best possible score, for the headroom.

    Raises:
        ConfigError: margin or confidence out of range, two arms of one name, looks or outcomes that do not fit.

    >>> seeds = range(8)
    >>> arms = [
    ...     ArmScores("max", {s: 0.90 + 0.002 * s for s in seeds}),
    ...     ArmScores("avg", {s: 0.88 + 0.001 * (s * s % 7) for s in seeds}),
    ...     ArmScores("mixed", {s: 0.90 + 0.002 * s + 0.0005 * (-1) ** (s // 2) for s in seeds} | {7: 0.9141}),
    ... ]
    >>> found = compare_setting(arms, "max", margin=0.005)
    >>> {arm.arm: arm.verdict.value for arm in found.arms}
    {'max': 'baseline', 'avg': 'worse', 'mixed': 'equivalent'}
    >>> found["avg"].pairs, round(found["avg"].difference, 4), found["avg"].permutation_floor
    (8, -0.0253, 0.0078125)
    """
    _check(arms, margin, confidence)
    alpha = 1 - confidence
    method, family_alpha, spent = _plan(arms, looks, alpha)
    reference = next((arm for arm in arms if arm.name == baseline), ArmScores(baseline, {}))
    chosen = _Choices(
        margin=margin,
        alpha=alpha,
        method=method,
        family_alpha=family_alpha,
        higher_is_better=higher_is_better,
        worst=worst_score(arms, higher_is_better) if worst is None else worst,
        best=best,
    )
    pairs = [Pairs(arm, reference) for arm in arms if arm.name != baseline]
    tested = [pair for pair in pairs if pair.estimate is not None]
    lines = _lines(tested, chosen)
    described = {pair.arm.name: _arm_line(pair, lines.get(pair.arm.name), chosen) for pair in pairs}
    found = [_own_line(arm, chosen) if arm.name == baseline else described[arm.name] for arm in arms]
    alphas = [line.inference.alpha for line in lines.values()]
    return SettingComparison(
        setting=setting,
        baseline=baseline,
        margin=margin,
        confidence=confidence,
        family_confidence=1 - family_alpha,
        comparison_confidence=1 - max(alphas) if alphas else None,
        method=method,
        looks_spent=spent,
        higher_is_better=higher_is_better,
        arms=tuple(found),
        ranks=rank_sets(arms, family_alpha, higher_is_better, sequential=method == "e_process"),
    )


def _check(arms: Sequence[ArmScores], margin: float, confidence: float) -> None:
    faults = []
    if not margin > 0:
        faults.append(
            f"margin={margin:g}; it is above 0, in the metric's own units (0.005 of accuracy is half a point)"
        )
    if not 0.5 < confidence < 1:
        faults.append(f"confidence={confidence:g}; it lies between 0.5 and 1, e.g. 0.95")
    twice = [name for name, count in Counter(arm.name for arm in arms).items() if count > 1]
    if twice:
        faults.append(f"arms named more than once: {', '.join(twice)}; give each arm of a setting a name of its own")
    if faults:
        raise ConfigError("\n".join(faults))


def _plan(arms: Sequence[ArmScores], looks: Looks | None, alpha: float) -> tuple[family.Method, float, tuple[int, ...]]:
    """Return how the error is kept, what this analysis may spend, and the looks that are over."""
    if looks is None:
        return "max_t", alpha, ()
    seen = {seed for arm in arms for seed in (*arm.valid, *arm.diverged)}
    seeds = len(seen) if looks.seeds is None else looks.seeds
    over = tuple(look for look in looks.declared if look <= seeds)
    spent = looks.spent_at(seeds, alpha)
    return ("e_process", alpha, over) if spent is None else ("look", spent, over)


@dataclass(frozen=True)
class _Line:
    """Holds what was computed of an arm jointly with the others."""

    inference: family.Inference
    p_permutation: float | None
    moderated: Moderated | None


def _lines(tested: Sequence[Pairs], chosen: _Choices) -> Mapping[str, _Line]:
    inferred = family.infer(tested, chosen.margin, chosen.family_alpha, chosen.method)
    permuted = family.permutation_p(tested)
    moderated = family.moderated_lines(tested, chosen.alpha)
    joined = zip(tested, inferred, permuted, moderated, strict=True)
    return {pair.arm.name: _Line(inference, p, line) for pair, inference, p, line in joined}


def _own_line(arm: ArmScores, chosen: _Choices) -> ArmComparison:
    """Describe an arm by its own runs, as the baseline's line does; the other arms' lines are made from it."""
    scores = arm.values
    return ArmComparison(
        arm=arm.name,
        n=arm.n,
        mean=float(scores.mean()) if arm.n else None,
        sd=float(scores.std(ddof=1)) if arm.n > 1 else None,
        verdict=Verdict.BASELINE,
        reason=Reason.IS_BASELINE,
        diverged=clopper_pearson(len(set(arm.diverged)), arm.runs, chosen.confidence),
        unscored=arm.unscored,
        failed=arm.failed,
        missing=arm.missing,
        headroom=abs(chosen.best - float(scores.mean())) if chosen.best is not None and arm.n else None,
    )


def _arm_line(pair: Pairs, line: _Line | None, chosen: _Choices) -> ArmComparison:
    """Describe an arm beside the baseline; `line` is None where there is no estimate."""
    verdict, reason = decide(pair, line.inference if line else None, chosen.higher_is_better)
    found = _paired_line(pair, chosen, replace(_own_line(pair.arm, chosen), verdict=verdict, reason=reason))
    return found if line is None else _inferred_line(pair, line, chosen, found)


def _paired_line(pair: Pairs, chosen: _Choices, line: ArmComparison) -> ArmComparison:
    """Add what needs shared seeds and no estimate."""
    first, second = pair.first, pair.second
    deviation, deviation_interval = describe.deviation(pair, chosen.confidence)
    correlation, gain = describe.pairing(first, second)
    own, reference = pair.arm.values, pair.baseline.values
    return replace(
        line,
        pairs=len(pair.seeds),
        mean_of_pairs=float(first.mean()) if len(first) else None,
        baseline_mean_of_pairs=float(second.mean()) if len(first) else None,
        difference=float(pair.differences.mean()) if len(first) else None,
        deviation=deviation,
        deviation_interval=deviation_interval,
        correlation=correlation,
        pairing_gain=gain,
        probability_of_improvement=describe.probability_of_improvement(own, reference, chosen.higher_is_better),
        headroom=abs(chosen.best - float(reference.mean())) if chosen.best is not None and len(reference) else None,
        worst_case=worst_case(pair.arm, pair.baseline, chosen.worst, chosen.alpha),
    )


def _inferred_line(pair: Pairs, line: _Line, chosen: _Choices, found: ArmComparison) -> ArmComparison:
    """Add the intervals, tests and power."""
    inference, estimate = line.inference, pair.estimate
    if estimate is None:
        return found
    detectable, detectable_range = describe.detectable(pair, inference, chosen.confidence)
    undecided = found.reason in (Reason.INTERVAL_TOO_WIDE, Reason.DIVERGENCE)
    needed = describe.seeds_needed(pair, inference, chosen.confidence) if undecided else None
    floor = permutation_floor(len(pair.seeds)) if line.p_permutation is not None else None
    return replace(
        found,
        standard_error=estimate.error,
        interval=inference.interval,
        interval_single=estimate.interval(chosen.alpha),
        interval_new_images=pair.new_images.interval(chosen.alpha) if pair.new_images else None,
        basis=pair.basis,
        moderated=line.moderated,
        p=estimate.p,
        p_adjusted=inference.p_adjusted,
        p_permutation=line.p_permutation,
        permutation_floor=floor,
        permutation_can_reject=floor is not None and floor <= chosen.family_alpha,
        p_equivalence=inference.p_equivalence,
        p_equivalence_adjusted=inference.p_equivalence_adjusted,
        e_value=family.evidence(pair),
        within_margin=inference.within_margin,
        seeds_needed=needed.seeds if needed else None,
        seeds_needed_range=needed.ends if needed else None,
        seeds_show=needed.shown if needed else None,
        detectable=detectable,
        detectable_range=detectable_range,
        seeds_for_half=describe.seeds_for_half(pair, inference, detectable),
    )
