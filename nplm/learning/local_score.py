"""The local score: the observable that knows most of small couplings, its histogram, and the likelihood of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import ArrayLike

from nplm.data.fingerprint import summary
from nplm.data.sample import Sample, require_varying
from nplm.learning.from_morphing import reach_of
from nplm.learning.morphed_sample import MorphedSample
from nplm.learning.regression import Moments, Regression, RegressionSettings, regress
from nplm.learning.score_bins import ScoreBins, score_bins
from nplm.nuisance.ratios.polynomial import PolynomialLogRatio
from nplm.nuisance.values import distinct_names

# Events of the simulation that a bin of the score has at least: its content is then known to 10%.
_FEWEST = 100.0
_USUAL_BINS = (20, 60, 100)


@dataclass(frozen=True, eq=False)
class LocalScore:
    """t(x) = E[d log w / d theta | x] at theta = 0, the derivative of log r(x; theta) there (SALLY, arXiv:1805.00020).

    It is sufficient for small theta: its histogram then has all the information that the features have. It is one
    number for each parameter, whatever the number of features.

    Arguments:
        parameters: names, in the order of theta.
        regression: t.
        reference: what the reference holds that it belongs to, see `nplm.data.fingerprint.summary`.
    """

    parameters: tuple[str, ...]
    regression: Regression
    reference: Mapping[str, Any]

    def values(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
        """t of events: the mean of the ensemble."""
        return np.asarray(self.regression.values(events).mean(axis=0))

    def spread(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
        """Standard deviation of t over the ensemble.

        Raises:
            ValueError: if there is one member only.
        """
        if self.regression.members < 2:
            raise ValueError("an ensemble of one member has no spread: learn with members=5 or so")
        return np.asarray(self.regression.values(events).std(axis=0, ddof=1))

    def sample(self, sample: Sample) -> Sample:
        """The same events with t as features, called score_NAME: for histograms, and for tests of this observable.

        Raises:
            ValueError: if the sample has other features.
        """
        if sample.features != self.regression.features:
            raise ValueError(
                f"{sample.name} has the features {', '.join(sample.features)}, and the score was learned for"
                f" {', '.join(self.regression.features)}"
            )
        names = tuple(f"score_{name}" for name in self.parameters)
        return Sample(self.values(sample.events), sample.weights, names, sample.name)

    def histogram(
        self, morphed: MorphedSample, bins: int | None = None, reach: ArrayLike | None = None
    ) -> ScoreHistogram:
        """The likelihood of a histogram of t, whose bins change with theta as morphing says.

        Arguments:
            morphed: events, best others than t was learned from.
            bins: their number; default: 20 for one parameter, 60 for two, 100 for more.
            reach: the largest |theta|; default as that of `learn_from_morphing`.

        Raises:
            ValueError: if parameters are others, events are too few for two bins, or a bin turns negative within the
                reach.
        """
        return _histogram(self, morphed, bins, reach)


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Yields in bins of the local score as polynomials in theta.

    Arguments:
        score: the observable.
        bins: of the scores.
        expected: yields at theta = 0, shape (bins,).
        coefficients: what multiplies each monomial but the constant, relative to these, shape (bins, T).
        ratio: log r of the bin of an event, for `nplm.measure.Parameters` and for `Nuisances`.
    """

    score: LocalScore
    bins: ScoreBins
    expected: Float64[np.ndarray, " bins"]
    coefficients: Float64[np.ndarray, "bins T"]
    ratio: PolynomialLogRatio

    @property
    def information(self) -> Float64[np.ndarray, "k k"]:
        """Fisher information on theta = 0 in the bins, sum_b n_b s_b s_b^T: what the histogram keeps."""
        s = self.coefficients[:, : len(self.score.parameters)]
        return np.asarray(s.T @ (self.expected[:, None] * s))

    def bins_of(self, events: Float64[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        """The bin of each event."""
        return self.bins(self.score.values(events))


def learn_local_score(
    central: Sample | MorphedSample,
    scores: Mapping[str, ArrayLike] | None = None,
    *,
    inputs: tuple[str, ...] | None = None,
    settings: RegressionSettings | None = None,
) -> LocalScore:
    """Learns t(x) = E_w[t(x, z) | x] by least squares from the joint score t(x, z) = d log w / d theta at theta = 0.

    Arguments:
        central: events with weights at basis points; or a sample, whose joint scores are given.
        scores: of each event, for each parameter, as a generator knows them from latent values.
        inputs: features that t depends on; default: all.
        settings: how to learn.

    Raises:
        ValueError: if scores are missing, have another shape, are not finite or are all 0; or events are too few.
    """
    settings = settings or RegressionSettings()
    if isinstance(central, MorphedSample):
        if scores is not None:
            raise ValueError("the weights say what the scores are: leave out scores, or give the sample alone")
        sample, names = central.sample, central.parameters
        moments = central.coefficients[:, 1 : 1 + len(names)]
    else:
        sample, names = central, distinct_names(scores or ())
        columns = []
        for name, given in (scores or {}).items():
            values = np.asarray(given, dtype=np.float64)
            if values.shape != (len(sample),):
                raise ValueError(f"the score of {name} must have shape ({len(sample)},), not {values.shape}")
            if not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                raise ValueError(f"the score of {name} is {values[row]} for event {row}: leave out the event")
            if not values.any():
                raise ValueError(f"the score of {name} is 0 for all events: {name} has no effect")
            columns.append(sample.weights * values)
        moments = np.column_stack(columns)
    require_varying(sample)
    return LocalScore(names, regress(sample, [Moments(sample, moments)], inputs, settings), summary(sample))


def _histogram(score: LocalScore, morphed: MorphedSample, bins: int | None, reach: ArrayLike | None) -> ScoreHistogram:
    names = score.parameters
    if morphed.parameters != names:
        raise ValueError(f"the score is of {', '.join(names)}, and the weights are of {', '.join(morphed.parameters)}")
    wanted = _USUAL_BINS[min(len(names), len(_USUAL_BINS)) - 1] if bins is None else bins
    if wanted < 2:
        raise ValueError(f"a histogram of the score needs two bins or more, not {wanted}")
    values, w = score.values(morphed.sample.events), morphed.sample.weights
    cells = score_bins(values, w, wanted, _FEWEST)
    number = cells(values)
    totals = np.stack([np.bincount(number, column, cells.count) for column in morphed.coefficients.T], axis=1)
    expected = totals[:, 0]
    if cells.count < 2 or not (expected > 0).all():
        raise ValueError(
            f"{morphed.sample.name} has {morphed.sample.effective_size:.0f} effective events, too few for bins of"
            f" {_FEWEST:.0f}: give a larger simulation"
        )
    coefficients = totals[:, 1:] / expected[:, None]

    def of_bin(events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n T"]:
        return coefficients[cells(score.values(events))]

    ends = reach_of(names, morphed, reach)
    powers = morphed.morphing.powers[1:]
    ratio = PolynomialLogRatio(names, powers, of_bin, ends, order=16, description="histogram of the local score")
    trial = PolynomialLogRatio(names, powers, lambda events: coefficients, ends, order=16)
    trial.rows(np.arange(cells.count, dtype=np.float64)[:, None], coefficients)
    return ScoreHistogram(score, cells, expected, coefficients, ratio)
