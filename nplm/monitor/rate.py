"""The rate of a window: its number of events against what is expected, whatever their features are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.special import betainc, betaincc, gammainc, gammaincc, ndtri

from nplm.data.sample import Sample
from nplm.monitor.batch import Batch
from nplm.monitor.clock import set_back

# Z of a p-value that has no digits left.
_LARGEST_Z = 37.0


class RateResult(NamedTuple):
    """p of the rate on both sides together, and Z, positive where there are more events than expected."""

    expected: float
    p: float
    z: float


@dataclass(frozen=True)
class ExpectedRate:
    """Events per unit of exposure, known or counted in the reference.

    With n events where mu are expected, p = 2 min(P(N >= n), P(N <= n)), at most 1, N being Poisson with mean mu. If
    the rate was counted, as m events in the exposure E of the reference, N is binomial among n + m with probability
    e / (e + E), e being the exposure of the window: the test of two Poisson counts (J. Przyborowski and H. Wilenski,
    Biometrika 31 (1940) 313). Weighted events count as (sum w)^2 / sum w^2 events, with expectations scaled alike.

    Arguments:
        rate: events per unit of exposure.
        counted: exposure of the reference, in which its events were counted; None if the rate is known.
        effective: effective number of events of the reference, used where it was counted.
    """

    rate: float
    counted: float | None = None
    effective: float = np.inf

    def __post_init__(self) -> None:
        for what, value in (("expected rate", self.rate), ("exposure of the reference", self.counted)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ValueError(f"the {what} must be a positive number, not {value:g}")

    @classmethod
    def of_reference(cls, reference: Sample, exposure: float) -> ExpectedRate:
        """The rate that a reference was taken at.

        Arguments:
            reference: its events.
            exposure: time, luminosity or whatever it was taken in, in the units of the windows' exposures.

        Raises:
            ValueError: if the exposure is not positive.
        """
        if not (np.isfinite(exposure) and exposure > 0):
            raise ValueError(f"the exposure of the reference must be a positive number, not {exposure:g}")
        return cls(reference.total_weight / exposure, exposure, reference.effective_size)

    def shared_fluctuation(self, n: float) -> float:
        """The correlation of Z of two windows of n expected events: the reference's share of the variance."""
        return 0.0 if self.counted is None else n / (n + self.effective)

    def __call__(
        self, weights: Float64[np.ndarray, " n"], exposure: float, *, ends_with_event: bool = False
    ) -> RateResult:
        """Tests a window.

        Arguments:
            weights: of its events, shape (n,).
            exposure: of the window.
            ends_with_event: the exposure ends with the last of the n events, and not where it would have ended anyway:
                it is random then, and n is not, so P(N <= n) becomes P(N < n).

        Raises:
            ValueError: if the exposure is not positive.
        """
        if not (np.isfinite(exposure) and exposure > 0):
            raise ValueError(f"the exposure of a window must be a positive number, not {exposure:g}")
        total, square = float(weights.sum()), float(np.sum(weights**2))
        # Events of weight w count as one; none at all count as none of weight one.
        size = square / total if total > 0 and square > 0 else 1.0
        n, expected = max(total, 0.0) / size, self.rate * exposure
        beyond = n if ends_with_event else n + 1
        if self.counted is None:
            mu = expected / size
            more, fewer = _gamma(gammainc, n, mu, 1.0), _gamma(gammaincc, beyond, mu, 0.0)
        else:
            m, of_one = self.effective, self.rate * self.counted / self.effective
            share = exposure / size / (exposure / size + self.counted / of_one)
            more = float(betainc(n, m + 1, share)) if n > 0 else 1.0
            fewer = float(betaincc(beyond, m, share)) if beyond > 0 else 0.0
        return RateResult(expected, min(1.0, 2 * min(more, fewer)), _middle_z(more, fewer))


def rate_of_window(window: Batch, expected: ExpectedRate, exposure: float) -> tuple[dict[str, float], str]:
    """What a verdict holds of the rate of a window, by name, and in words why there is none.

    Arguments:
        window: its events, with their times if these make its exposure.
        expected: the rate.
        exposure: of a window without times.
    """
    weights = window.weights[np.isfinite(window.weights)]
    if window.times is None:
        result = expected(weights, exposure)
    else:
        times = window.times[np.isfinite(window.times)]
        back = set_back(times)
        if back is not None:
            return {}, (
                f"the times go back from {back[0]:g} to {back[1]:g}: a new run begins in this window, and across"
                " the gap there is no rate"
            )
        exposure = float(times.max() - times.min()) if len(times) else 0.0
        if not 0 < exposure < np.inf:
            return {}, f"the exposure of the window is {exposure:g}, so there is no rate"
        # From the first event to the last: one event begins the exposure, and the others come in it.
        result = expected(weights[1:], exposure, ends_with_event=True)
    if np.isnan(result.p):
        return {}, f"the exposure of the window is {exposure:g}, so there is no rate"
    return {"exposure": exposure, "expected": result.expected, "p_rate": result.p, "z_rate": result.z}, ""


def _gamma(tail, n: float, mu: float, at_zero: float) -> float:  # type: ignore[no-untyped-def]
    return float(tail(n, mu)) if n > 0 else at_zero


def _middle_z(more: float, fewer: float) -> float:
    """Z of the count in the middle of its step, P(N > n) + P(N = n) / 2, whose mean is zero without a change.

    P(N >= n) + P(N <= n) = 1 + P(N = n).
    """
    step = max(0.0, more + fewer - 1)
    above, below = max(more - step / 2, 1e-300), max(fewer - step / 2, 1e-300)
    z = -ndtri(above) if above < below else ndtri(below)
    return float(np.clip(z, -_LARGEST_Z, _LARGEST_Z))
