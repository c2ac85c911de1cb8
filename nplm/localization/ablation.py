"""Which feature carries the difference: t of kernels that do not see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nplm._util.json_values import json_value
from nplm.data.sample import Sample
from nplm.io.tables import sample_like
from nplm.localization.comparison import Comparison
from nplm.models.kernel.model import LEAST_CENTERS, KernelModel
from nplm.models.linear import PreparedLinear
from nplm.statistic import LikelihoodRatio

# With more centres, the first so many of them serve for all rows of the table: the work grows with their square.
MOST_CENTERS = 500

# t with its null mean and sd.
_Fitted = tuple[float, float | None, float | None]


@dataclass(frozen=True)
class LeftOutRow:
    """t with some features left out.

    Arguments:
        feature: that is left out; None for the row with all of them.
        t: what is left of the statistic; NaN if the fit failed.
        change: t minus that with all features.
        null_mean, null_sd: of that t without a difference; None for a t that does not fluctuate.
    """

    feature: str | None
    t: float
    change: float
    null_mean: float | None
    null_sd: float | None


@dataclass(frozen=True)
class LeftOut:
    """t with all features, and with each of them left out in turn.

    Arguments:
        method: "refit" if kernels were fitted to the data; "projection" if they were fitted to f.
        centers: number of centres of these kernels.
        exact: for "projection", t of f itself, 2 sum_R w (f e^f - e^f + 1), of which kernels with all features see
            the t of the first row; None for "refit".
        rows: that with all features, and one for each feature.
    """

    method: Literal["refit", "projection"]
    centers: int
    exact: float | None
    rows: tuple[LeftOutRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        plain: dict[str, Any] = json_value({**vars(self), "rows": [vars(row) for row in self.rows]})
        return plain


def leave_one_out(test: LikelihoodRatio, data: Sample, *, most_centers: int = MOST_CENTERS) -> LeftOut:
    """t of a kernel test with each feature left out in turn: it falls most without the feature that carries t.

    Each row is a maximum of its own, on the same centres with the same width, penalty and nuisances; its null mean and
    sd are those of the asymptotic null. Two features that tell the same can do without each other: then t falls little
    without either.

    Arguments:
        test: of a kernel model, of two features or more.
        data: the sample.
        most_centers: if the test has more centres, the first so many of them are used, in all rows.

    Raises:
        ValueError: if the test is not that of a kernel model, or there is one feature only.
    """
    _require_several(test.reference.features)
    kernel = _kernel(test)
    centers = min(len(kernel.modes.centers), max(most_centers, LEAST_CENTERS))
    data = sample_like(test.reference, data, "data")
    seen = test.within(data)

    def fitted(feature: int | None) -> _Fitted:
        as_given = feature is None and centers == len(kernel.modes.centers)
        one = test if as_given else test.with_model(test.model.without(kernel, feature, centers))
        asymptotic = one.asymptotic_null(seen)
        return float(one.fit([seen]).t[0]), asymptotic.mean, asymptotic.sd

    return LeftOut("refit", centers, None, _rows(test.reference.features, fitted))


def project_out(comparison: Comparison, *, most_centers: int = MOST_CENTERS, seed: int = 1) -> LeftOut:
    """How much of f can be said without each feature in turn, whatever model f is of.

    Kernels g that do not see the feature are fitted to what f expects, sum_R w e^f, in place of data:
    t = 2 max over g of [sum_R w e^f g - sum_R w (e^g - 1)]. Without a penalty g would be log E_R[e^f | other features],
    the ratio of the densities that are left. There is no null mean, as no data fluctuate; but f itself has followed the
    fluctuations of its data.

    Arguments:
        comparison: whose reference has positive weights, and two features or more.
        most_centers: number of centres, unless the reference asks for fewer.
        seed: of the choice of centres.

    Raises:
        ValueError: if there is one feature only.
    """
    reference = comparison.reference
    size = len(reference) + reference.total_weight
    distinct = len(np.unique(reference.events[reference.weights != 0], axis=0))
    centers = int(min(np.clip(np.sqrt(size), LEAST_CENTERS, most_centers), distinct))
    # What f expects is no sample, and has no fluctuation beside that of the reference.
    model = KernelModel(centers=centers, seed=seed, reference_exact=True)
    _require_several(comparison.features)
    whole = LikelihoodRatio(reference, model)
    kernel = _kernel(whole)
    expected = Sample(reference.events, comparison.fitted, reference.features, "the fit")

    def fitted(feature: int | None) -> _Fitted:
        one = whole if feature is None else LikelihoodRatio(reference, model.without(kernel, feature, centers))
        return float(one.fit([expected]).t[0]), None, None

    return LeftOut("projection", centers, comparison.divergence, _rows(comparison.features, fitted))


def _kernel(test: LikelihoodRatio) -> PreparedLinear:
    kernel = test.prepared.alone.linear
    if kernel is None:
        raise ValueError(
            f"features are left out by fitting kernels again, but the model is {test.model.name}: use project_out"
        )
    return kernel


def _rows(features: Sequence[str], fitted: Callable[[int | None], _Fitted]) -> tuple[LeftOutRow, ...]:
    """The table, from a function that fits without the feature of a given index."""
    whole = fitted(None)
    without = [(name, fitted(index)) for index, name in enumerate(features)]
    rows = [LeftOutRow(None, whole[0], 0.0, *whole[1:])]
    return (*rows, *(LeftOutRow(name, t, t - whole[0], mean, sd) for name, (t, mean, sd) in without))


def _require_several(features: Sequence[str]) -> None:
    if len(features) < 2:
        raise ValueError(f"there is one feature only ({features[0]}): nothing is left without it")
