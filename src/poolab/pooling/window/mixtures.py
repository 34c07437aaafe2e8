"""Mixtures of the maximum and the mean: a fixed or learned blend, and a draw of one of the two."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.learned import logistic
from poolab.pooling.core.options import Choice, Real, flag
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d


@register("mixed")
class MixedPool2d(WindowPool2d):
    """Apply mixed pooling, a blend of maximum and mean: y = alpha max_i x_i + (1 - alpha) (1/n) sum_i x_i.

    Args:
        alpha: the weight of the maximum: 0 is the mean, 1 the maximum; the start value where it is learned.
        learnable: learn alpha, as the logistic function of a free parameter (Lee et al. 2016 start at 0.5).
        sharing: one learned alpha for the layer, or one for each channel; without `learnable` it has no effect.

    Example:
        >>> import torch
        >>> MixedPool2d(2, alpha=0.5)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.25
    """

    reference = Reference("Lee, Gallagher, Tu", 2016, "arXiv:1509.08985")
    disagreements = (
        "Lee et al. learn alpha without bounds; as the logistic function of a free parameter it stays between 0 and 1.",
        "timm's avgmax is alpha = 0.5 over the whole map, its catavgmax concatenates the two; ports for Keras leave"
        " out 1 - alpha on one branch, and others start alpha from uninitialised memory.",
        "At padded borders torch's average counts zeros and its maximum does not; here neither does.",
        "MLV-RG/cnn-pooling-layers-benchmark (Galanis et al. 2022) makes the layer anew in every forward pass, alpha "
        "from U(0.25, 0.75): it never trains.",
        "ducha-aiki/caffenet-benchmark (Pooling.md) names a patent filing of the authors' university, UCSD Docket No. "
        'SD2016-053, "Generalizing Pooling Functions in Convolutional Neural Network".',
    )
    learns = "option"
    uses_channels = "option"
    learned = logistic("alpha")
    options = {
        "alpha": Real(0.7, least=0.0, most=1.0),
        "learnable": flag(False),
        "sharing": Choice("layer", ("layer", "channel")),
    }

    @staticmethod
    def formula(windows: Windows, alpha: float | Tensor = 0.7) -> Tensor:
        """Compute alpha * max + (1 - alpha) * mean."""
        if isinstance(alpha, float) and alpha in (0.0, 1.0):  # 0 * inf would be NaN
            return windows.maximum() if alpha else windows.mean()
        mean = windows.mean()
        return alpha * windows.maximum().to(mean.dtype) + (1 - alpha) * mean


@register("mixed_random")
class MixedRandomPool2d(WindowPool2d):
    """Apply mixed pooling by a draw, maximum or mean: y = z max_i x_i + (1 - z) (1/n) sum_i x_i with z = 1 with
    probability p, else 0.

    Args:
        p: the probability of the maximum: 0 is the mean, 1 the maximum.
        sharing: one z for the whole of each sample ("layer"), for each of its channels, or for each window ("region").
        eval_mode: "majority" is the more frequent of the two, the maximum for p >= 0.5; "expectation" is the blend
            p max + (1 - p) mean.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])
        >>> MixedRandomPool2d(2).eval()(x).item(), MixedRandomPool2d(2, eval_mode="expectation").eval()(x).item()
        (4.0, 3.25)
        >>> MixedRandomPool2d(2)(x).item() in (4.0, 2.5)
        True
    """

    reference = Reference("Yu, Wang, Chen, Wei", 2014, "doi:10.1007/978-3-319-11740-9_34")
    random = True
    evaluates = "The maximum where p >= 0.5, else the mean; with eval_mode='expectation' p max + (1 - p) mean."
    disagreements = (
        "The paper counts during training how often each map drew the maximum and evaluates with the more frequent;"
        " with one p for all maps those counts settle on the side of p, so this class takes that side, the maximum "
        "at p = 0.5 (our reading), keeps no counters, and two trainings with the same weights evaluate alike.",
        "Many repositories call a fixed or learned blend (method `mixed` here) mixed pooling; it draws nothing.",
    )
    exempt = {"expectation": "eval_mode='majority', the published rule, is not the mean of the draws; 'expectation' is"}
    options = {
        "p": Real(0.5, least=0.0, most=1.0),
        "sharing": Choice("layer", ("layer", "channel", "region")),
        "eval_mode": Choice("majority", ("majority", "expectation")),
    }

    @property
    def is_per_channel(self) -> bool:
        """Return False: `sharing` is that of a draw, which needs no parameter for each channel."""
        return False

    @staticmethod
    def formula(
        windows: Windows,
        p: float = 0.5,
        sharing: str = "layer",
        eval_mode: str = "majority",
        training: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw max or mean in training, compute the more frequent one or the blend otherwise."""
        if not training:
            return MixedPool2d.formula(windows, p if eval_mode == "expectation" else float(p >= 0.5))
        shared = {"layer": "sample", "channel": "channel", "region": "window"}[sharing]
        drawn = windows.uniform(generator, shared) < p
        return torch.where(drawn, windows.maximum().to(windows.dtype), windows.mean())
