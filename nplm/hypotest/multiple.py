"""MultipleTest: several tests of the same data with one global p-value, such as kernels of many widths."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm._util.whole_numbers import require_few, require_whole
from nplm.calibration.cautions import cautions_of
from nplm.calibration.methods import METHODS, Calibrate
from nplm.calibration.null_campaign import needs_references
from nplm.calibration.null_toys import NullToys
from nplm.data.coordinates import CoordinateKind
from nplm.data.periods import Circular
from nplm.data.sample import Sample
from nplm.data.support import require_toys_of_such_yields
from nplm.hypotest.joint_toys import joint_toys
from nplm.hypotest.multiple_result import MultipleResult
from nplm.hypotest.test import NPLMTest
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.models.kernel.joint_null import joint_null
from nplm.models.kernel.model import KernelModel
from nplm.nuisance.nuisances import Nuisances
from nplm.statistic import FitError
from nplm.stats.combination import Combination, Combine
from nplm.stats.global_pvalue import DRAWS, GlobalP, JointGlobalNull, ToyGlobalNull
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK, Compatibility, chi2_compatibility
from nplm.stats.joint_weighted_chi2 import JointNull
from nplm.stats.weighted_chi2 import WeightedChi2Null
from nplm.toys.no_toys import why_no_toys
from nplm.toys.table import ToyTable
from nplm.wording.projected import QUICKER_TESTS, projection
from nplm.wording.standing import calibration_name

MULTIPLE_CALIBRATIONS: tuple[Calibrate, ...] = ("toys", "asymptotic", "asymptotic+toys")


class MultipleInterrupted(KeyboardInterrupt):
    """Raised when joint toys are interrupted; `result` holds what was computed until then."""

    def __init__(self, result: MultipleResult) -> None:
        super().__init__(f"interrupted after {result.toys} of {result.toys_requested} joint toys")
        self.result = result


def kernel_widths(
    reference: Tabular,
    widths: Sequence[float],
    model: KernelModel | None = None,
    *,
    expected_yield: float | None = None,
    shape_only: bool = False,
    coordinates: CoordinateKind = "standardized",
    circular: Circular = (),
    nuisances: Nuisances | None = None,
    overflow: bool = False,
) -> tuple[NPLMTest, ...]:
    """Kernel tests of one reference on the same centres, one for each width.

    Arguments:
        reference, expected_yield, shape_only, coordinates, circular, nuisances, overflow: see `NPLMTest`.
        widths: of the kernels.
        model: all other settings; default: `KernelModel()`.

    Raises:
        ValueError: if there is no width, one is repeated, or the reference cannot serve.
    """
    require_widths(widths)
    common = model or KernelModel()
    sample = as_sample(reference, name="reference")
    return tuple(
        NPLMTest(
            sample,
            replace(common, width=float(width)),
            expected_yield=expected_yield,
            shape_only=shape_only,
            coordinates=coordinates,
            circular=circular,
            nuisances=nuisances,
            overflow=overflow,
        )
        for width in widths
    )


def require_widths(widths: Sequence[float]) -> None:
    """Refuses widths that make no sense.

    Raises:
        ValueError: if there is none, or one is repeated.
    """
    if not len(widths):
        raise ValueError("there is no width to test: give one or more")
    repeated = [w for w in widths if list(widths).count(w) > 1]
    if repeated:
        raise ValueError(f"the width {repeated[0]:g} is given twice: a test that is repeated tells nothing new")


class MultipleTest:
    """Several tests of the same reference, combined into one with a global p-value.

    The p-values of the tests are combined into one number T, and the null distribution of T is that of all t jointly:
    from the normal distribution that the modes of all kernels follow together, without toys, or from toys that each of
    the tests has fitted. So the global p-value needs no correction for how many tests there are, however they are
    correlated (arXiv:2408.12296).

    Arguments:
        tests: of the same reference, expected yield and (shape-only or not) question; prepared before.
        combine: how p-values are combined, see `Combination`.
        temperature: of "smooth-max".
        names: of the tests; default: the width of a kernel, the name of another model.

    Raises:
        ValueError: if there is no test, or two do not test the same reference.
    """

    def __init__(
        self,
        tests: Sequence[NPLMTest],
        combine: Combine = "min-p",
        *,
        temperature: float = 1.0,
        names: Sequence[str] | None = None,
    ) -> None:
        if not len(tests):
            raise ValueError("a multiple test needs at least one test")
        self.tests = tuple(tests)
        self.combination = Combination(combine, temperature)
        self.names = _distinct([_name(test) for test in tests]) if names is None else tuple(names)
        if len(self.names) != len(self.tests) or len(set(self.names)) != len(self.names):
            raise ValueError(f"{len(self.tests)} tests need as many different names, not {', '.join(self.names)}")
        first = self.tests[0]
        for test, name in zip(self.tests[1:], self.names[1:], strict=True):
            if test.nuisances is not first.nuisances:
                raise ValueError(f"'{name}' and '{self.names[0]}' have different nuisances: give all tests the same")
            if test.shape_only != first.shape_only:
                raise ValueError(f"'{name}' and '{self.names[0]}' must both compare shapes only, or both yields too")
            if test.reference.fingerprint() != first.reference.fingerprint() or test.normalized != first.normalized:
                raise ValueError(
                    f"'{name}' and '{self.names[0]}' test different references: make all tests with the same reference"
                    " and expected yield"
                )

    @property
    def asymptotic_known(self) -> bool:
        """Whether the joint null is known without toys: all models are kernels, and there are no nuisances."""
        return all(test.prepared.linear is not None for test in self.tests)

    def statistics(self, data: Sequence[Sample]) -> Float64[np.ndarray, "n k"]:
        """t of each data sample in each test, shape (n, K); NaN where a fit failed. Samples are known to be good."""
        return np.column_stack([test.fit(data).t for test in self.tests])

    def joint_null(self, data: Sample | None = None, *, fixed_reference: bool = False) -> JointNull:
        """The joint null distribution of all t without toys, see `nplm.models.kernel.joint_null.joint_null`.

        Arguments:
            data: for whose weights it holds; None for unit weights.
            fixed_reference: for toys that are drawn from the reference itself.

        Raises:
            ValueError: if a model is not a kernel model, or there are nuisances.
        """
        first = self.tests[0]
        if first.nuisances is not None:
            raise ValueError(
                "the joint distribution of several tests with nuisances is not known without toys: run with toys"
            )
        kernels = [kernel for test in self.tests if (kernel := test.prepared.linear) is not None]
        if len(kernels) < len(self.tests):
            linear = (test.prepared.linear for test in self.tests)
            other = next(name for name, known in zip(self.names, linear, strict=True) if known is None)
            raise ValueError(
                f"the joint distribution of '{other}' and other tests is not known without toys: run with toys"
            )
        return joint_null(
            kernels,
            first.reference,
            data,
            shape_only=first.shape_only,
            normalized=first.normalized,
            fixed_reference=fixed_reference,
        )

    def global_null(
        self, data: Sample | None = None, *, fixed_reference: bool = False, draws: int = DRAWS, seed: int = 1
    ) -> JointGlobalNull:
        """The null distribution of the combination, from draws of `joint_null`."""
        joint = self.joint_null(data, fixed_reference=fixed_reference)
        return JointGlobalNull(joint, self.combination, draws, seed)

    @usual_errors()
    def run(
        self,
        data: Tabular,
        toys: int = 0,
        *,
        seed: int = 1,
        pool: Tabular | None = None,
        reference_per_toy: bool | None = None,
        calibrate: Calibrate | None = None,
        draws: int = DRAWS,
        notify: Callable[[str], None] = lambda message: None,
        on_toys: Callable[[Sequence[ToyTable]], None] = lambda tables: None,
    ) -> MultipleResult:
        """Tests one data sample with all tests.

        Arguments:
            data: a Sample, an array of events of shape (n, d), or a table with the reference's features as columns.
            toys: number of joint null toys; each is drawn once, toy i with fold_in(key(seed), i), and fitted by all
                tests.
            seed: root of the toys' keys, and seed of the draws.
            pool: draw toys from these events instead of those of data and reference.
            reference_per_toy: see `NPLMTest.run`; by default where one of the tests needs it.
            calibrate: "asymptotic" takes the joint normal distribution and runs no toys; "toys" counts toys;
                "asymptotic+toys" takes the distribution if T of the toys follows it, and counts them otherwise.
                Default: "asymptotic" without toys, else "asymptotic+toys" for kernels, and "toys" where another model
                is among them.
            draws: normal vectors drawn from the joint distribution.
            notify: called with cautions and projected times as they become known.
            on_toys: called with each batch of toys, one table for each test.

        Raises:
            ValueError: for bad input, before any fit.
            FitError: if the fit of the data fails in one of the tests; no toy is run then.
            MultipleInterrupted: on Ctrl-C while toys run, with the result of those that were done.
        """
        began = time.perf_counter()
        require_seed(seed)
        first = self.tests[0]
        given = sample_like(first.reference, data, "data")
        sample = first.checked(given)
        pool = None if pool is None else sample_like(sample, pool, "pool")
        calibrate = calibration_name(calibrate) or self._usual_calibration(toys)
        self._require(calibrate, toys, draws)
        toys = 0 if calibrate == "asymptotic" else toys
        if reference_per_toy is None:
            expected = first.expected_yield(sample)
            reference_per_toy = pool is None and any(needs_references(test, expected) for test in self.tests)
        drawn: dict[str, Any] = {"seed": seed, "pool": pool, "reference_per_toy": reference_per_toy}
        if toys:
            require_toys_of_such_yields(first.expected_yield(sample), sample.total_weight)
        campaigns = [test.campaign(given, **drawn) for test in self.tests] if toys else []
        null = NullToys.running(campaigns[0]) if toys else None
        own = [
            cautions_of(test, sample, given, test.asymptotic_null(sample), null, pool, METHODS[calibrate](toys))
            for test in self.tests
        ]
        notes = [note for note in own[0] if all(note in others for others in own)]
        if not toys and len(self.tests) > 1:
            why = why_no_toys(first.reference, sample, pool, shape_only=first.shape_only)
            notes.append(
                f"no toys: {f'{why}, so ' * bool(why)}nothing has checked the joint normal distribution of these tests"
            )
        for note in notes:
            notify(note)
        if campaigns:
            projected = sum(campaign.projected_seconds(sample, toys, more=1) for campaign in campaigns)
        else:
            projected = sum(test.prepared.projected_seconds(sample, 1) for test in self.tests)
        quicker = QUICKER_TESTS.get(first.model.name, ()) if toys else ()
        notify(projection(projected, toys, f"the fits of {len(self.tests)} tests", quicker))
        for name, test in zip(self.names, self.tests, strict=True):
            fits = test.fit([sample])
            if not np.isfinite(fits.t[0]):
                raise FitError(f"the fit of {sample.name} failed in the test '{name}': {fits.failure[0]}")
        fitted = time.perf_counter()
        tables, complete = joint_toys(campaigns, toys, projected / (1 + toys), on_toys)
        counted = time.perf_counter()

        done = len(tables[0]) if tables else 0
        if done:
            results = [
                test.run(given, done, calibrate=calibrate, known=table, **drawn)
                for test, table in zip(self.tests, tables, strict=True)
            ]
        else:
            results = [test.run(sample, 0) for test in self.tests]
        t = np.array([result.t for result in results])
        toy_t = np.column_stack([table.t for table in tables]) if done else np.zeros((0, len(t)))
        resampled = null is not None and null.resampled
        global_p, check, correlation = self._calibrated(sample, t, toy_t, calibrate, draws, seed, resampled)
        result = MultipleResult(
            tests=tuple(results),
            names=self.names,
            combination=self.combination,
            global_p=global_p,
            check=check,
            correlation=correlation,
            toys=done,
            toys_requested=toys,
            toys_failed=int(np.isnan(toy_t).any(axis=1).sum()),
            seconds={
                "prepare": sum(test.prepare_seconds for test in self.tests),
                "fit": fitted - began,
                "toys": counted - fitted,
                "null": time.perf_counter() - counted,
            },
            seed=seed,
            versions=versions(),
            configuration={
                "tests": [test.configuration() for test in self.tests],
                "combine": self.combination.name,
                "temperature": self.combination.temperature,
                "calibrate": calibrate,
                "toys": toys,
                "draws": draws,
                "seed": seed,
            },
            notes=tuple(notes),
            complete=complete,
            _of=(self, given),
        )
        if not complete:
            raise MultipleInterrupted(result)
        return result

    def _usual_calibration(self, toys: int) -> Calibrate:
        if toys == 0:
            return "asymptotic"
        return "asymptotic+toys" if self.asymptotic_known else "toys"

    def _require(self, calibrate: Calibrate, toys: int, draws: int) -> None:
        if calibrate not in MULTIPLE_CALIBRATIONS:
            raise ValueError(f"there is no joint calibration '{calibrate}': choose {', '.join(MULTIPLE_CALIBRATIONS)}")
        if require_few(require_whole(toys, "toys")) < 0:
            raise ValueError(f"the number of toys must be 0 or more, not {toys}")
        if require_whole(draws, "draws") < 1:
            raise ValueError(f"the number of draws must be 1 or more, not {draws}")
        if calibrate != "toys" and not self.asymptotic_known:
            self.joint_null()  # says why it cannot be
        if calibrate != "asymptotic" and toys == 0:
            raise ValueError(f"calibration with '{calibrate}' needs toys, not 0")

    def _calibrated(
        self,
        data: Sample,
        t: np.ndarray,
        toy_t: np.ndarray,
        calibrate: Calibrate,
        draws: int,
        seed: int,
        resampled: bool,
    ) -> tuple[GlobalP, Compatibility | None, np.ndarray]:
        """The global p-value, the check of the joint distribution by toys, and correlations of the t under the null."""
        check = None
        if calibrate == "asymptotic+toys" and len(toy_t) >= LEAST_TOYS_FOR_CHECK and not np.isnan(toy_t).any():
            # -2 log of a p-value is chi2(2); the distribution of the toys knows whether their reference is held fixed.
            p = self.global_null(data, fixed_reference=not resampled, draws=draws, seed=seed).pvalues(toy_t)
            check = chi2_compatibility(-2 * np.log(p), 2, seed=seed)
        if calibrate == "asymptotic" or not len(toy_t) or (check is not None and check.accepted):
            null = self.global_null(data, draws=draws, seed=seed)
            return null.global_p(t), check, _correlation(null.joint.covariance)
        nulls = (test.asymptotic_null(data, fixed_reference=not resampled) for test in self.tests)
        asymptotic = [null for null in nulls if isinstance(null, WeightedChi2Null)]
        good = toy_t[~np.isnan(toy_t).any(axis=1)]
        covariance = np.atleast_2d(np.cov(good.T)) if len(good) > 1 else np.full((len(t), len(t)), np.nan)
        counted = ToyGlobalNull(toy_t, self.combination, asymptotic if len(asymptotic) == len(self.tests) else None)
        return counted.global_p(t), check, _correlation(covariance)


def _correlation(covariance: Float64[np.ndarray, "k k"]) -> Float64[np.ndarray, "k k"]:
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)


def _name(test: NPLMTest) -> str:
    return test.prepared.alone.label or test.model.name


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names, those that are repeated with a number."""
    counted = [names[: number + 1].count(name) for number, name in enumerate(names)]
    return tuple(
        f"{name} ({n})" if list(names).count(name) > 1 else name for name, n in zip(names, counted, strict=True)
    )
