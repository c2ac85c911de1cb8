"""The one feature in which a fit shows most, and where in it: what a picture shows first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.data.binning import Binning, common_binning
from nplm.data.sample import Sample
from nplm.localization.comparison import Comparison
from nplm.localization.pairs import pair_binning, rank_pairs
from nplm.localization.peeling import log_likelihood_gain
from nplm.localization.region import Region

# A feature stands for a difference that shows in it alone to at least this share of what the best pair shows.
_ALONE = 0.6
_NOTHING = 1e-6
# An interval that holds more than this share of what is expected says nothing of where.
_LARGEST_SHARE = 0.5


@dataclass(frozen=True)
class LeadingInterval:
    """A feature and an interval of it, with the number of events there.

    Arguments:
        feature: its name.
        low, high: smallest and largest value in the interval.
        observed: sum of the weights of the data there.
        expected: sum of those of the reference.
    """

    feature: str
    low: float
    high: float
    observed: float
    expected: float

    @property
    def words(self) -> str:
        """In mll, mainly between mll = 88.1 and 94: 123 events of the data where 80.2 are expected."""
        low, high = f"{self.low:.4g}", f"{self.high:.4g}"
        place = f"at {self.feature} = {low}" if low == high else f"between {self.feature} = {low} and {high}"
        return (
            f"in {self.feature}, mainly {place}: {self.observed:,.4g} events of the data where {self.expected:,.4g} are"
            " expected"
        )


def leading_interval(comparison: Comparison, regions: Sequence[Region] = ()) -> LeadingInterval | None:
    """The interval of one feature where the fit differs most in shape; None where it takes two features to see it.

    For each feature the fit wants n = sum w e^f events in a bin where b = sum w are expected, b scaled to the sum of n:
    it shows 2 sum n log(n/b) - n + b. The feature that shows most leads, if that is most of what the best pair of
    features shows in bins of the same size. In finer bins of it the interval is that of the largest
    n log(n/b) - n + b of all bins together, as of `local_regions`: it looks at f and the reference only.

    A fit of all features follows fluctuations in all of them, so that a pair shows more than any feature alone. If of
    the regions that which counts most is bounded in one feature only, that feature leads in any case.

    Arguments:
        comparison: the samples, with f at their events.
        regions: those of `local_regions`.
    """
    data, reference, fitted = comparison.data, comparison.reference, comparison.fitted
    if not len(data) or not fitted.sum() > 0:
        return None
    scaled = reference.weights * (fitted.sum() / reference.total_weight)
    names = comparison.features

    def gains(column: int, binning: Binning) -> tuple[np.ndarray, np.ndarray]:
        bins = binning.assign(reference.events[:, column])
        n, b = (np.bincount(bins, weights=w, minlength=binning.count) for w in (fitted, scaled))
        return n, b

    def shown(column: int) -> float:
        x, y = data.events[:, column], reference.events[:, column]
        n, b = gains(column, pair_binning(x, y, reference.weights, data.effective_size))
        good = (b > 0) & (n >= 0)
        return 2 * float(log_likelihood_gain(n[good], b[good]).sum())

    alone = [shown(column) for column in range(len(names))]
    bounded = _bounded(regions)
    column = bounded[0] if len(bounded) == 1 else int(np.argmax(alone))
    if not alone[column] > _NOTHING:
        return None
    if len(names) > 1 and len(bounded) != 1:
        same_yield = Comparison(
            data,
            comparison.f_data,
            Sample(reference.events, scaled, names, reference.name),
            comparison.f_reference + np.log(reference.total_weight / fitted.sum()),
        )
        if alone[column] < _ALONE * rank_pairs(same_yield)[0][1]:
            return None
    x, y = data.events[:, column], reference.events[:, column]
    binning = common_binning(x, y, reference.weights, data.effective_size)
    first, last = _best_run(*gains(column, binning))
    in_data, in_reference = ((bins >= first) & (bins <= last) for bins in (binning.assign(values) for values in (x, y)))
    inside = np.concatenate([x[in_data], y[in_reference & (reference.weights != 0)]])
    if not len(inside):
        return None
    observed, expected = float(data.weights[in_data].sum()), float(reference.weights[in_reference].sum())
    return LeadingInterval(names[column], float(inside.min()), float(inside.max()), observed, expected)


def _bounded(regions: Sequence[Region]) -> list[int]:
    """The features that bound the region which counts most."""
    if not regions:
        return []
    box = max(regions, key=lambda region: region.contribution).box
    return np.flatnonzero(np.isfinite(box.low) | np.isfinite(box.high)).tolist()


def _best_run(n: Float64[np.ndarray, " bins"], b: Float64[np.ndarray, " bins"]) -> tuple[int, int]:
    """First and last of the bins that show most together, among runs that hold no more than half of all."""
    sums_n, sums_b = (np.concatenate([[0.0], np.cumsum(x)]) for x in (n, b))
    first, last = np.triu_indices(len(n))
    of_n, of_b = sums_n[last + 1] - sums_n[first], sums_b[last + 1] - sums_b[first]
    good = (of_b > 0) & (of_n >= 0) & (of_b <= _LARGEST_SHARE * sums_b[-1])
    if not good.any():
        return 0, len(n) - 1
    gain = np.full(len(first), -np.inf)
    gain[good] = log_likelihood_gain(of_n[good], of_b[good])
    best = int(np.argmax(gain))
    return int(first[best]), int(last[best])
