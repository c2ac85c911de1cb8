"""The numbers of an ensemble of toys: how many, mean and width of their t, and how well they follow a chi2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.json_values import json_value
from nplm.stats.asymptotic import AsymptoticNull, as_asymptotic_null, asymptotic_compatibility
from nplm.stats.chi2 import SMALLEST_T
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK, SIMULATIONS, Compatibility


@dataclass(frozen=True)
class EnsembleSummary:
    """Numbers of an ensemble of toys; None where there are too few toys with a t.

    Arguments:
        toys: number of toys.
        failed: number of those without t; all other numbers are without them.
        zeros: number with t = 0 within rounding (below 1e-6); the fit of degrees of freedom leaves them out.
        mean: of t.
        mean_error: its standard error, sd / sqrt(n); needs two toys.
        sd: standard deviation of t; needs two toys.
        width: sd^2 / (2 mean), which is 1 for a chi2 of any degrees of freedom; needs two toys.
        width_error: its standard deviation if t follows a chi2, see `width_error`.
        given: compatibility with a given asymptotic null; needs 50 toys, and that it was given.
        fitted: compatibility with the same asymptotic null fitted to the toys, see `fit_asymptotic_null`, a chi2 if
            none was given; needs 50 with t > 0.
    """

    toys: int
    failed: int
    zeros: int
    mean: float | None
    mean_error: float | None
    sd: float | None
    width: float | None
    width_error: float | None
    given: Compatibility | None
    fitted: Compatibility | None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        checks = {"given": self.given, "fitted": self.fitted}
        plain: dict[str, Any] = json_value(
            {**vars(self), **{name: None if check is None else check.to_dict() for name, check in checks.items()}}
        )
        return plain


def summarize_toys(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | float | None = None,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> EnsembleSummary:
    """Summarizes toys and compares them with asymptotic nulls: a given one, if there is one, and a fitted one.

    Arguments:
        t: the toys' test statistics, shape (n,); NaN for a toy whose fit failed.
        asymptotic: to compare with, or the degrees of freedom of a chi2; None compares with a fitted chi2 alone.
        simulations, seed: of the simulated ensembles, see `chi2_compatibility`.
    """
    finite = t[np.isfinite(t)]
    n = len(finite)
    positive = int((finite >= SMALLEST_T).sum())
    mean = float(finite.mean()) if n else None
    sd = float(finite.std(ddof=1)) if n > 1 else None
    has_width = mean is not None and sd is not None and mean > 0

    expected = as_asymptotic_null(asymptotic)

    def compared(usable: int, fitted: bool) -> Compatibility | None:
        if usable < LEAST_TOYS_FOR_CHECK:
            return None
        return asymptotic_compatibility(t, expected, fitted=fitted, simulations=simulations, seed=seed)

    return EnsembleSummary(
        toys=len(t),
        failed=len(t) - n,
        zeros=n - positive,
        mean=mean,
        mean_error=None if sd is None else sd / np.sqrt(n),
        sd=sd,
        width=sd**2 / (2 * mean) if has_width else None,  # type: ignore[operator]
        width_error=width_error(mean, n) if has_width else None,  # type: ignore[arg-type]
        given=None if expected is None else compared(n, fitted=False),
        fitted=compared(positive, fitted=True),
    )


def width_error(degrees_of_freedom: float, toys: int) -> float:
    """Standard deviation of sd^2 / (2 mean) of toys from a chi2(k): sqrt((2 + 6 / k) / n) for many toys.

    With a = sd^2 and b = mean, the relative variance is Var(a)/a^2 - 2 Cov(a, b)/(a b) + Var(b)/b^2, which with the
    chi2's cumulants 2^(r-1) (r-1)! k is (2 + 12/k - 8/k + 2/k) / n.
    """
    return float(np.sqrt((2 + 6 / degrees_of_freedom) / toys))
