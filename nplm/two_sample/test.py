"""The test of two finite samples: prepared once on their pool, then compared and calibrated."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm._util.whole_numbers import require_whole
from nplm.data.sample import Sample, require_same_features
from nplm.data.support import yields_apart
from nplm.io.tables import Tabular, two_samples
from nplm.two_sample.asymptotic import ScoreNull
from nplm.two_sample.calibration import CALIBRATIONS, COMBINATION, Calibrate, TwoSampleCalibration
from nplm.two_sample.cautions import notes_on, notes_on_calibration
from nplm.two_sample.logistic_fit import fit_labels
from nplm.two_sample.modes import PENALTIES, Basis
from nplm.two_sample.pooled import Pool
from nplm.two_sample.rate import rate_of
from nplm.two_sample.resampling import (
    bootstrap_scores,
    drawn_scores,
    label_batches,
    permuted_scores,
    require_exchangeable,
)
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.scores import Scores, rate_deviance, test_names
from nplm.wording.standing import calibration_name

Statistic = Literal["one-step", "converged"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
RESAMPLES, DRAWS = 999, 20_000


class _Calibrated(NamedTuple):
    """The statistic, when it was known, its asymptotic p (None without draws), what p stands on, what was counted."""

    statistic: float
    fitted: float
    asymptotic: TwoSampleCalibration | None
    calibration: TwoSampleCalibration
    null: np.ndarray | None


class TwoSampleTest:
    """Compares two samples A and B, each finite and weighted, of any relative size.

    The modes of several kernel widths are prepared on both samples together, so that nothing but the labels tells A
    from B: neither does the answer change if they are exchanged, nor is anything prepared again for permutations. Each
    width and penalty makes a test (`nplm.two_sample.scores` has the statistic), and one p-value accounts for all.

    Arguments:
        a, b: the samples; of tables features are found by name, and arrays of events are samples of unit weights.
        widths: of the kernels, in units of the pool's standard deviations; None for four that are taken from the
            distances between pooled events, see `nplm.two_sample.modes.default_widths`.
        penalties: lambda, one test each at every width: modes whose variance in the kernel is below lambda are
            suppressed. The penalty of f is (N pi_A pi_B lambda / 2) ||f||^2; in the convention of `KernelModel`, with
            N_A much larger than N_B, lambda N_B = 2 lambda_Falkon (n_A + N_B).
        centers: number of kernels; None for twice the root of the number of events, between 200 and 1000.
        expected_ratio: yield of B / yield of A that is expected, and then compared with Poisson statistics as one more
            test; None compares shapes only, whatever the yields.
        statistic: "one-step" (a quadratic form, so that all resamplings cost one matrix product) or "converged".
        seed: of the centres, and of all resampling.

    Raises:
        ValueError: for bad input or settings; the message names it.
    """

    @usual_errors()
    @blas_threads()
    def __init__(
        self,
        a: Tabular,
        b: Tabular,
        *,
        widths: Sequence[float] | None = None,
        penalties: Sequence[float] = PENALTIES,
        centers: int | None = None,
        expected_ratio: float | None = None,
        statistic: Statistic = "one-step",
        seed: int = 1,
    ) -> None:
        began = time.perf_counter()
        if statistic not in STATISTICS:
            raise ValueError(f"there is no statistic '{statistic}': choose {' or '.join(STATISTICS)}")
        self.a, self.b = two_samples(a, b)
        self.statistic, self.seed = statistic, require_seed(seed)
        self.pool = Pool.of(self.a, self.b, expected_ratio=expected_ratio)
        self.basis = Basis.of(self.pool, widths, penalties, centers, seed)
        self._settings: dict[str, Any] = {
            "widths": [kernel.width for kernel in self.basis.kernels],
            "penalties": sorted(map(float, penalties), reverse=True),
            "centers": len(self.basis.kernels[0].modes.centers),
            "expected_ratio": expected_ratio,
            "statistic": statistic,
            "seed": seed,
        }
        self.prepare_seconds = time.perf_counter() - began

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tests."""
        return test_names(self.basis)

    @cached_property
    @blas_threads()
    def asymptotic_null(self) -> ScoreNull:
        """The asymptotic null of the statistics."""
        return ScoreNull.of(self.basis)

    @cached_property
    @blas_threads()
    def t(self) -> Float64[np.ndarray, " k"]:
        """t of each test, shape (K,)."""
        if self.statistic == "one-step":
            return Scores.observed(self.basis).statistics(self.basis)[0]
        return self._converged(self.pool.in_b[None])[0]

    @blas_threads()
    def combined(self, t: Float64[np.ndarray, "L k"]) -> Float64[np.ndarray, " L"]:
        """-log of the smallest p-value of all tests, from a quick approximation of their distributions, shape (L,)."""
        return COMBINATION(self.asymptotic_null.quick_log_pvalues(self.asymptotic_null.standard(t)))

    @blas_threads()
    def resampled(
        self, calibrate: Calibrate, resamples: int = RESAMPLES, *, pool: Sample | None = None, seed: int | None = None
    ) -> Float64[np.ndarray, "L k"]:
        """t of each test in samples of the null, shape (L, K); see `run` for the arguments.

        Raises:
            ValueError: if labels may not be permuted, or the pool is bad.
        """
        chosen = self.seed if seed is None else require_seed(seed)
        if calibrate == "permutation":
            require_exchangeable(self.pool)
            if self.statistic == "converged":
                return np.concatenate([self._converged(in_b) for in_b in label_batches(self.pool, resamples, chosen)])
            return permuted_scores(self.basis, resamples, chosen).statistics(self.basis)
        if calibrate == "bootstrap":
            return bootstrap_scores(self.basis, resamples, chosen).statistics(self.basis)
        assert pool is not None, "only a pool is left to draw from"
        require_same_features(self.a, pool)
        source = Sample(self.pool.scaler(pool.require_yield().events), pool.weights, pool.features, pool.name)
        return drawn_scores(self.basis, source, resamples, chosen).statistics(self.basis)

    @usual_errors()
    @blas_threads()
    def run(
        self,
        calibrate: Calibrate | None = None,
        resamples: int = RESAMPLES,
        *,
        pool: Sample | None = None,
        draws: int = DRAWS,
        notify: Callable[[str], None] = lambda message: None,
    ) -> TwoSampleResult:
        """Compares the samples.

        Arguments:
            calibrate: "permutation" of the labels, only where (event, weight) pairs are exchangeable; "asymptotic", the
                normal distribution of the scores; "bootstrap", which gives random signs to what events add; or "pool",
                which draws both from a large sample that is known to be what they should follow. Default: "pool" with a
                pool, "permutation" where it is allowed, else "asymptotic".
            resamples: permutations, bootstraps or samples from the pool.
            pool: the large sample.
            draws: from the normal distribution; 0 leaves the distribution out where it does not calibrate, and is
                quicker.
            notify: called with cautions.

        Raises:
            ValueError: if the calibration is not allowed or lacks something.
        """
        began = time.perf_counter()
        calibrate = calibration_name(calibrate)
        if calibrate is None:
            calibrate = "pool" if pool is not None else "permutation" if self.pool.exchange.allowed else "asymptotic"
        self._require(calibrate, resamples, pool, draws)
        rate = rate_of(self.pool, exact=False)
        apart = None if rate is None else yields_apart(rate.expected, rate.observed)
        notes = [] if apart is None else [apart]
        notes += [*notes_on(self.a, self.b, self.pool), *notes_on_calibration(self.basis, calibrate)]
        for note in notes:
            notify(note)
        found = self._calibrated(calibrate, resamples, pool, draws)
        fitted = found.fitted
        shape_alone = None if rate is None else self._of_shapes(calibrate, resamples, pool, draws)
        calibrated = time.perf_counter()
        standard = self.asymptotic_null.standard(self.t).tolist()
        local = [null.log_pvalue(t) for null, t in zip(self.asymptotic_null.joint.marginals, standard, strict=True)]
        leading = int(np.argmin(local))
        shape = int(np.argmin(local[: len(self.basis.tests)]))
        f_a, f_b, fit = self._log_ratio(shape)
        return TwoSampleResult(
            names=self.names,
            t=self.t,
            local_p=np.exp(local),
            expected_t=self.asymptotic_null.cumulants[0],
            statistic=found.statistic,
            calibration=found.calibration,
            asymptotic=found.asymptotic,
            null=found.null,
            leading=leading,
            leading_shape=shape,
            log_ratio_a=f_a,
            log_ratio_b=f_b,
            fit_converged=fit,
            sample_names=(self.a.name, self.b.name),
            sizes=(len(self.a), len(self.b)),
            yields=(self.a.total_weight, self.b.total_weight),
            effective_sizes=(self.a.effective_size, self.b.effective_size),
            features=self.a.features,
            seconds={
                "prepare": self.prepare_seconds,
                "fit": fitted - began,
                "null": calibrated - fitted,
                "log-ratio": time.perf_counter() - calibrated,
            },
            seed=self.seed,
            versions=versions(),
            configuration={
                **self._settings,
                "calibrate": calibrate,
                "resamples": 0 if calibrate == "asymptotic" else resamples,
                "draws": draws,
            },
            notes=tuple(notes),
            shape=shape_alone,
            rate=rate,
            _of=(self.a, self.b),
        )

    def _calibrated(self, calibrate: Calibrate, resamples: int, pool: Sample | None, draws: int) -> _Calibrated:
        """The statistic, and what it stands on."""
        statistic = float(self.combined(self.t[None])[0])
        fitted = time.perf_counter()
        asymptotic = (
            TwoSampleCalibration.of_asymptotic(
                self.asymptotic_null, self.asymptotic_null.standard(self.t), draws, self.seed
            )
            if draws
            else None
        )
        if calibrate == "asymptotic":
            assert asymptotic is not None, "the distribution needs draws"
            return _Calibrated(statistic, fitted, asymptotic, asymptotic, None)
        null = self.combined(self.resampled(calibrate, resamples, pool=pool))
        words = {
            "permutation": "permutations of the labels" if self.pool.expected_share is None else "labels drawn anew",
            "bootstrap": "bootstraps of both samples",
            "pool": f"pairs of samples from {'a pool' if pool is None else pool.name}",
        }
        counted = TwoSampleCalibration.counted(calibrate, words[calibrate], statistic, null)
        return _Calibrated(statistic, fitted, asymptotic, counted, null)

    def _of_shapes(self, calibrate: Calibrate, resamples: int, pool: Sample | None, draws: int) -> TwoSampleCalibration:
        """The p-value of the same tests of shapes only, whatever the yields."""
        shapes = TwoSampleTest(self.a, self.b, **{**self._settings, "expected_ratio": None})
        if calibrate == "permutation" and not shapes.pool.exchange.allowed:
            calibrate = "asymptotic"
        return shapes._calibrated(
            calibrate, resamples, pool, max(draws, DRAWS if calibrate == "asymptotic" else 0)
        ).calibration

    def _require(self, calibrate: Calibrate, resamples: int, pool: Sample | None, draws: int) -> None:
        if calibrate not in CALIBRATIONS:
            raise ValueError(f"there is no calibration '{calibrate}': choose {', '.join(CALIBRATIONS)}")
        if calibrate == "permutation":
            require_exchangeable(self.pool)
        if (calibrate == "pool") != (pool is not None):
            raise ValueError("calibration with 'pool' needs a pool, and a pool is of use for nothing else: give both")
        if calibrate in ("bootstrap", "pool") and self.statistic == "converged":
            raise ValueError(
                f"calibration with '{calibrate}' resamples scores, which know t of one step only: take the statistic"
                " 'one-step', or calibrate with 'permutation' or 'asymptotic'"
            )
        if calibrate != "asymptotic" and require_whole(resamples, "resamples") < 1:
            raise ValueError(f"calibration with '{calibrate}' needs resamples, not {resamples}")
        if require_whole(draws, "draws") < (calibrate == "asymptotic"):
            raise ValueError(f"calibration with 'asymptotic' needs draws from the normal distribution, not {draws}")

    def _converged(self, in_b: np.ndarray) -> Float64[np.ndarray, "L k"]:
        """t at the minimum in each test, of each labelling; a fit that did not converge counts as it is."""
        t = np.column_stack([fit_labels(self.basis, test, in_b).t for test in self.basis.tests])
        if self.pool.expected_share is None:
            return t
        return np.column_stack([t, rate_deviance(self.pool, in_b @ self.pool.masses)])

    def _log_ratio(self, shape: int) -> tuple[np.ndarray, np.ndarray, bool]:
        """f at the events of A and of B, at the minimum in one test."""
        test = self.basis.tests[shape]
        fits = fit_labels(self.basis, test, self.pool.in_b[None])
        f = np.empty(len(self.pool))
        for rows, phi in self.basis.blocks():
            f[rows] = phi[:, test.columns] @ fits.coefficients[0] + fits.constant[0]
        return *self.pool.to_samples(f), bool(fits.converged[0])
