"""Do toys follow a weighted sum of chi2 variables, as it was computed or after a scale that was fitted to them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.interpolate import CubicSpline
from scipy.special import expit

from nplm.stats.goodness_of_fit import SIMULATIONS, Compatibility, compare, enough_toys
from nplm.stats.weighted_chi2 import WeightedChi2Null, fit_weighted_chi2

# The distribution is tabulated a little beyond the cells of the comparison.
_REACH, _STEP = 16.0, 0.05


@dataclass(frozen=True)
class WeightedChi2Compatibility(Compatibility):
    """How well toys follow a weighted chi2; its `width` is the p-value of sd^2 / (2 mean) relative to its own.

    Arguments:
        scale: of t, fitted by the mean of the toys; 1 if the weighted chi2 was taken as it was computed.
        error: its standard deviation, if fitted; 0 if not.
    """

    scale: float
    error: float


def weighted_chi2_compatibility(
    t: Float64[np.ndarray, " n"],
    null: WeightedChi2Null,
    *,
    scaled: bool = False,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> WeightedChi2Compatibility:
    """Tests whether toys follow a weighted chi2, by parametric bootstrap: the tests of `chi2_compatibility`.

    The width is compared as sd^2 / (2 mean) divided by that of the weighted chi2. A scale that was fitted to the toys
    is fitted to each simulated ensemble too, so that p-values are right after the fit.

    Arguments:
        t: the toys' test statistics, shape (n,); failed toys (NaN) are left out.
        null: the weighted chi2.
        scaled: whether t / scale follows the weighted chi2, with a scale fitted by the mean of the toys, see
            `fit_weighted_chi2`.
        simulations: number of simulated ensembles.
        seed: of the simulation.

    Raises:
        ValueError: for fewer than 50 toys with a t; or if a scale is to be fitted to toys whose mean is not positive.
    """
    finite = enough_toys(t)
    fit = fit_weighted_chi2(finite, null) if scaled else None
    scale, error = (fit.scale, fit.error) if fit else (1.0, 0.0)
    tests = compare(finite, ScaledMixtures.of(null), scale, fitted=scaled, simulations=simulations, seed=seed)
    return WeightedChi2Compatibility(
        kind="analytic fitted" if scaled else "analytic", scale=scale, error=error, **tests
    )


@dataclass(frozen=True, eq=False)
class ScaledMixtures:
    """A weighted chi2 times any scale, with the scale as parameter: a `Distributions` of `nplm.stats.goodness_of_fit`.

    Arguments:
        null: the weighted chi2 with scale 1.
        log_t: cubic spline of log t at given log(F / (1 - F)).
        logit: its inverse, tabulated at the same points.
    """

    null: WeightedChi2Null
    log_t: CubicSpline
    logit: CubicSpline

    @classmethod
    def of(cls, null: WeightedChi2Null) -> ScaledMixtures:
        """Tabulates a weighted chi2, to about 1e-8 between the points."""
        logits = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
        log_t = np.log(null.thresholds(expit(-logits)))
        return cls(null, CubicSpline(logits, log_t), CubicSpline(log_t, logits))

    def quantiles(self, logits: Float64[np.ndarray, " m"], parameter: float) -> Float64[np.ndarray, " m"]:
        """The t at which log(F / (1 - F)) has these values."""
        return np.asarray(parameter * np.exp(self.log_t(logits)))

    def isf(self, p: float, parameter: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The t that each scaled weighted chi2 exceeds with probability p."""
        return parameter * self.null.threshold(p)

    def sf(
        self, t: Float64[np.ndarray, " edges"], parameter: Float64[np.ndarray, "m 1"]
    ) -> Float64[np.ndarray, "m edges"]:
        """P(scale T >= t), extrapolated where t / scale leaves the table: F is below 2e-7 or above 1 - 2e-7 there."""
        return np.asarray(expit(-self.logit(np.log(t / parameter))))

    def width(self, parameter: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """sd^2 / (2 mean), which grows with the scale."""
        return parameter * self.null.sd**2 / (2 * self.null.mean)

    def fitted(
        self, counts: Int64[np.ndarray, "m cells"], middles: Float64[np.ndarray, " cells"]
    ) -> Float64[np.ndarray, " m"]:
        """The scales by the means, see `fit_weighted_chi2`."""
        return np.asarray(counts @ middles / counts.sum(axis=1)) / self.null.mean
