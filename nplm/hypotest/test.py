"""NPLMTest: ties a reference and a model together, and tests data against them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.forked import require_not_forked
from nplm._util.seed import require_seed
from nplm._util.versions import versions
from nplm._util.whole_numbers import require_few, require_whole
from nplm.calibration.cautions import cautions_of
from nplm.calibration.importance.run import FITS_A_TOY, RARE_TOYS, rare_null, require_rare
from nplm.calibration.methods import CALIBRATIONS, Calibrate, calibrated
from nplm.calibration.null_campaign import null_campaign
from nplm.calibration.null_toys import NullToys
from nplm.data.coordinates import CoordinateKind, coordinates_of
from nplm.data.fingerprint import Plan
from nplm.data.given_up import renamed
from nplm.data.overflow import Overflow
from nplm.data.periods import Circular, periods_of
from nplm.data.sample import Sample, in_order, require_same_features, require_varying
from nplm.data.support import Support, require_toys_of_such_yields
from nplm.hypotest.assembly import result_of
from nplm.hypotest.result import Result
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.models.base import Fits, Model, PreparedModel
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.store import PreparedError, read_prepared, write_prepared
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.models.registry import named_model
from nplm.models.with_nuisances import WithNuisances, fitted_to, with_nuisances
from nplm.nuisance.nuisances import Nuisances
from nplm.stats.asymptotic import Formula, FormulaError
from nplm.stats.importance import RareNull
from nplm.stats.weighted_chi2 import MixtureNull
from nplm.toys.campaign import Campaign
from nplm.toys.no_toys import why_no_toys
from nplm.toys.nuisance_sampler import NuisanceSampler, sampler_at
from nplm.toys.run import run_missing
from nplm.toys.samplers import PoolSampler
from nplm.toys.table import ToyTable
from nplm.wording.projected import QUICKER_TESTS, projection

# Null toys where nobody says how many.
USUAL_TOYS = 200


class FitError(RuntimeError):
    """Raised when the fit of the data gives no test statistic."""


class Interrupted(KeyboardInterrupt):
    """Raised when the toys are interrupted; `result` holds what was computed until then."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"interrupted after {result.calibration.toys} of {result.calibration.toys_requested} toys")
        self.result = result


class NPLMTest:
    """Does a data sample agree with the reference? Prepares once, then tests any number of samples.

    Arguments:
        reference: what is expected: a Sample, an array of events of shape (n, d), or a table, see `as_sample`.
        model: the family of log-ratios: "network", "kernel", "histogram", "falkon", or a model object with settings of
            its own.
        expected_yield: N(R), the number of data events that the reference predicts; scales its weights. Default: the
            sum of its weights.
        shape_only: compare shapes, whatever the yields: the reference is scaled to each data sample.
        coordinates: what the model sees in place of the features: "standardized", shifted and scaled by the reference's
            mean and standard deviation; "normal-scores", their ranks in the reference as normal quantiles, whatever
            units, skew and tails; "raw", the features themselves. Results, plots and tables are in the features' own
            units in any case; see `coordinates_of`.
        circular: features that are angles, which become points on a circle: their names, where the period is 2 pi or
            360, or names with periods; see `coordinates_of`.
        nuisances: how the reference may be wrong, and what is known about it; t is tau - Delta then. A
            reference of more than 16 times the data is taken as exact with them, as published.
        overflow: take features of the data beyond the range of the reference to its edge, see `Overflow`.
        prepared: file that `save` has written for the same test of the same reference, which is then not prepared anew.

    Raises:
        ValueError: if the reference cannot serve: empty, without positive yield, or with a constant feature.
        PreparedError: if the file is that of another reference or other settings.
    """

    @usual_errors()
    @blas_threads()
    def __init__(
        self,
        reference: Tabular,
        model: str | Model = "network",
        *,
        expected_yield: float | None = None,
        shape_only: bool = False,
        coordinates: CoordinateKind = "standardized",
        circular: Circular = (),
        nuisances: Nuisances | None = None,
        overflow: bool = False,
        prepared: Path | None = None,
    ) -> None:
        require_not_forked()
        began = time.perf_counter()
        sample = as_sample(reference, name="reference").require_yield()
        require_varying(sample)
        if nuisances is not None:
            nuisances.require_reference(sample)
            if shape_only:
                raise ValueError(
                    "with nuisances yields are compared as well: add a normalisation with a wide constraint instead of"
                    " testing the shape only"
                )
        self._given = sample, expected_yield
        self.reference = sample if expected_yield is None else sample.scaled_to(expected_yield)
        self.model = named_model(model) if isinstance(model, str) else model
        self.shape_only = shape_only
        self.coordinate_kind = coordinates
        self.circular = periods_of([sample], circular)
        self.nuisances = nuisances
        self.overflow = Overflow.of(sample, self.circular) if overflow else None
        self.coordinates = coordinates_of(self.coordinate_kind, sample, self.circular)
        exact: PreparedModel
        exact = self._fitted.prepare(self.reference, self.coordinates) if prepared is None else self._load(prepared)
        self.prepared = exact if nuisances is None else with_nuisances(exact, nuisances, self.reference)
        self.formula()  # refuses a test that has nothing to compare
        self.prepare_seconds = time.perf_counter() - began

    def save(self, path: Path) -> None:
        """Writes what was prepared into a file, for `NPLMTest(..., prepared=path)` of the same test.

        Raises:
            ValueError: if the model is not a kernel model, or the folder does not exist.
            OSError: if the file cannot be written.
        """
        prepared = self.prepared
        kernel = prepared.kernel if isinstance(prepared, PreparedKernelWithNuisances) else prepared
        if not isinstance(kernel, PreparedKernel):
            raise ValueError(f"only a prepared kernel model is saved, not that of a {self.model.name} model")
        write_prepared(path, kernel, self._identity())

    def _load(self, path: Path) -> PreparedKernel:
        header, prepared = read_prepared(path)
        if isinstance(self.model, KernelModel):
            prepared = replace(prepared, engine=self.model.engine)
        here, there = (
            Plan.of({name: h.get(name) for name in ("test", "reference")}) for h in (self._identity(), header)
        )
        if here.hash != there.hash:
            raise PreparedError(
                f"{path} was prepared for another test ({'; '.join(here.differences(there)[:4])}): prepare it anew"
            )
        return prepared

    def _identity(self) -> dict[str, Any]:
        """What a prepared model depends on: not the nuisances, which are added to it."""
        return {
            "test": {**self.configuration(), "model": self._model_document(), "nuisances": None},
            "reference": self.reference.fingerprint(),
            "versions": versions(),
        }

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "expected_yield": self._given[1],
            "shape_only": self.shape_only,
            "coordinates": self.coordinate_kind,
            "circular": self.circular,
            "nuisances": self.nuisances,
            "overflow": self.overflow is not None,
        }

    def with_reference(self, reference: Sample) -> NPLMTest:
        """The same test of another reference, such as one drawn for a single toy; it is prepared anew."""
        return NPLMTest(reference, self.model, **self._settings)

    def with_model(self, model: Model) -> NPLMTest:
        """The same test by another model, which is prepared anew."""
        return NPLMTest(self._given[0], model, **self._settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """A test goes to other processes as what it was made from, and prepares itself there."""
        return partial(NPLMTest, self._given[0], self.model, **self._settings), ()

    @cached_property
    def support(self) -> Support:
        """Where the reference has events."""
        return Support.of(renamed(self.reference, "the reference"))

    @property
    def _fitted(self) -> Model:
        """The model as it is fitted to this reference, see `fitted_to`."""
        return fitted_to(self.model, self.reference, with_nuisances=self.nuisances is not None)

    @property
    def reference_exact(self) -> bool:
        """Whether the likelihood takes the reference as exact, or as a finite sample."""
        return bool(getattr(self._fitted, "reference_exact", True))

    def _model_document(self) -> dict[str, Any]:
        return {"name": self.model.name, **self._fitted.configuration(self.coordinates.dimension)}

    def configuration(self) -> dict[str, Any]:
        """The settings of model and test, as JSON values."""
        # Where the model itself would not take the reference as exact, it is said that it does.
        loss = {} if self._fitted == self.model else {"loss": "exact reference"}
        return {
            "model": {**self._model_document(), **loss},
            "expected_yield": self.reference.total_weight,
            "shape_only": self.shape_only,
            "standardize": self.coordinate_kind != "raw",
            "nuisances": None if self.nuisances is None else self.nuisances.document(self.reference),
            # Stored toys of tests without these go on.
            **({} if self.overflow is None else {"overflow": True}),
            **({"coordinates": self.coordinate_kind} if self.coordinate_kind == "normal-scores" else {}),
            **({"circular": self.circular} if self.circular else {}),
        }

    @property
    def degrees_of_freedom(self) -> float:
        """Mean of t under the null by the formula: of a chi2 its degrees of freedom, of other laws effective ones."""
        return self.formula().mean

    @property
    def normalized(self) -> bool:
        """Whether the reference was scaled to an expected yield that is known from elsewhere."""
        return self._given[1] is not None

    @property
    def holds_reference(self) -> bool:
        """Whether null toys have the reference of this test, however small it is, unless they are asked for others.

        So it is where the likelihood takes the reference as exact, and with nuisances, whose log-ratios belong to the
        reference.
        """
        return self.reference_exact or self.nuisances is not None

    @usual_errors()
    def formula(self, data: Tabular | None = None, *, fixed_reference: bool = False) -> Formula:
        """The null distribution of t without toys.

        A chi2 with as many degrees of freedom as parameters (less one in a shape-only test) for a network that is
        regularised well, and for bins; a weighted sum of chi2 variables for a kernel model.

        Arguments:
            data: for whose weights it holds; None for unit weights.
            fixed_reference: for toys that are drawn from the reference itself, which does not fluctuate then.
        """
        sample = None if data is None else sample_like(self.reference, data, "data")
        settings = {"shape_only": self.shape_only, "normalized": self.normalized, "fixed_reference": fixed_reference}
        try:
            return self.prepared.null(sample, **settings)
        except ValueError as error:
            samples = self.reference.name if sample is None else f"{self.reference.name} and {sample.name}"
            raise FormulaError(
                f"the null distribution of t cannot be computed for {samples}: {error}; check weights, yields and the"
                " settings of the model"
            ) from error

    @usual_errors()
    @blas_threads()
    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits a batch of samples that are known to be good, such as toys; see `Fits`."""
        require_not_forked()
        data = [self._within(d) for d in data]
        if not self.shape_only:
            return self.prepared.fit(data).without_runaways()
        # L with the reference scaled by c is c times L with the data scaled by 1/c, so no new preparation is needed.
        expected = self.reference.total_weight
        scale = np.array([d.total_weight / expected for d in data])
        fits = self.prepared.fit([d.scaled_to(expected) for d in data]).without_runaways()
        return replace(fits, t=fits.t * scale, start_spread=fits.start_spread * scale, remaining=fits.remaining * scale)

    def statistic(self, data: Tabular) -> float:
        """The test statistic t of one data sample.

        Raises:
            ValueError: if the data's features differ from the reference's, or its events have no positive yield; or if
                there are none in a shape-only test.
        """
        return float(self.fit([self.checked(data)]).t[0])

    def log_ratio(self, result: Result, events: Tabular) -> Float64[np.ndarray, " n"]:
        """f(x) of a result at any events, in the units of the reference; shape (n,).

        Raises:
            ValueError: if the events do not have the reference's features.
        """
        names = None if isinstance(events, Sample) else self.reference.features
        sample = in_order(as_sample(events, features=names, name="events"), self.reference.features)
        require_same_features(self.reference, sample)
        return self.prepared.log_ratio(result.parameter_vector, self._within(sample).events)

    def sampler(self, data: Tabular, pool: Tabular | None = None) -> PoolSampler | NuisanceSampler:
        """Draws toys like `data` under the null, from a pool or, by Poisson bootstrap, from the reference.

        With nuisances toys are drawn at the nu that Delta finds in the data.

        Raises:
            ValueError: if the pool (or the reference, without one) has negative weights, or other features; or the
                data have negative weights in a shape-only test.
        """
        data = sample_like(self.reference, data, "data")
        if pool is not None:
            pool = sample_like(self.reference, pool, "pool")
            require_same_features(self.reference, pool)
        source = self.reference if pool is None else pool
        why = why_no_toys(self.reference, data, pool, shape_only=self.shape_only)
        if why and not source.has_negative_weights:
            raise ValueError(f"{why}: merge the weights, or test shape and yield")
        as_given = PoolSampler(
            source,
            expected_yield=self.expected_yield(data),
            data_weights=data.weights if data.is_weighted else None,
            fixed_size=len(data) if self.shape_only else None,
        )
        if self.nuisances is None:
            return as_given
        assert isinstance(self.prepared, WithNuisances)
        return sampler_at(as_given, self.nuisances, self.prepared.profile.fit([self._within(data)]).nu[0])

    def campaign(
        self, data: Tabular, *, seed: int = 1, pool: Tabular | None = None, reference_per_toy: bool | None = None
    ) -> Campaign:
        """The null toys that `run` calibrates t of these data with; see `nplm.calibration.null_campaign`.

        Arguments:
            data, seed, pool, reference_per_toy: as in `run`.
        """
        data = sample_like(self.reference, data, "data")
        pool = None if pool is None else sample_like(self.reference, pool, "pool")
        return null_campaign(self, data, seed=seed, pool=pool, reference_per_toy=reference_per_toy)

    @usual_errors()
    def run(
        self,
        data: Tabular,
        toys: int | NullToys | None = None,
        *,
        seed: int = 1,
        pool: Tabular | None = None,
        reference_per_toy: bool | None = None,
        calibrate: Calibrate | None = None,
        known: ToyTable | None = None,
        notify: Callable[[str], None] = lambda message: None,
        on_toys: Callable[[ToyTable], None] = lambda table: None,
        on_rare_toys: Callable[[int], None] = lambda count: None,
    ) -> Result:
        """Tests one data sample: t, calibrated with null toys.

        Arguments:
            data: a Sample, an array of events of shape (n, d), or a table with the reference's features as columns.
            toys: number of null toys to run, or null toys that were run before; 0 leaves the p-value to chi2,
                unchecked, or to the formula of a kernel model. Default: 200, 5000 for "rare", and none for kernels
                where toys cannot be drawn, as from a reference with negative weights.
            calibrate: "toys" counts toys; "analytic" trusts the formula and runs no toys; "analytic+toys" takes the
                formula if the toys follow it, the formula with a scale fitted to the toys if they follow that, and
                counts toys otherwise; "toys+analytic" counts toys, and does so only where none of them has a t as
                large; "rare" draws toys of a kernel model where t is as large as that of the data, and counts them
                with weights, see `nplm.calibration.importance.run`. Default: "analytic+toys" for a kernel model,
                "toys+analytic" for others, and "analytic" without toys.
            seed: root of the toys' keys; toy i has fold_in(key(seed), i).
            pool: draw toys from these events instead of those of data and reference.
            reference_per_toy: whether each toy has a reference of its own, so that its fluctuation is in t: events of
                data and reference divided anew where the weights of each are equal, and else drawn from the reference
                with replacement, as the toy's data are. If not, all toys have the reference of this test, and their
                data are drawn from it. Default: where N(R) exceeds 5% of the reference's effective number of events,
                without a pool and without nuisances.
            known: toys that were run before, of the `campaign` of the same arguments; all of them are used, and only
                those of the first `toys` that are not among them are run.
            notify: called with cautions and projected times as they become known.
            on_toys: called with each batch of null toys that is run.
            on_rare_toys: called with the number of weighted toys of each batch that is run.

        Raises:
            ValueError: for bad input, before any fit.
            FitError: if the fit of the data gives no t; no toy is run then.
            RareError: if weighted toys give no p-value that can be trusted.
            Interrupted: on Ctrl-C while toys run, with the result of those that were done.
        """
        require_seed(seed)
        given = sample_like(self.reference, data, "data")
        sample = self.checked(given)
        pool = None if pool is None else sample_like(self.reference, pool, "pool")
        formula = self.formula(sample)
        if calibrate is None and toys is None and isinstance(formula, MixtureNull):
            toys = 0 if why_no_toys(self.reference, sample, pool, shape_only=self.shape_only) else None
        calibrate = calibrate or _usual_calibration(formula, toys)
        if calibrate not in CALIBRATIONS:
            raise ValueError(f"there is no calibration '{calibrate}': choose {', '.join(CALIBRATIONS)}")
        if toys is None:
            toys = RARE_TOYS if calibrate == "rare" else USUAL_TOYS
        kernel = None
        if calibrate == "rare":
            kernel = require_rare(self.prepared, self.reference, sample, toys, pool=pool, shape_only=self.shape_only)
        if calibrate == "analytic":
            toys = 0
        elif toys == 0:
            raise ValueError(f"calibration with '{calibrate}' needs toys, not 0")
        done = ToyTable.empty() if known is None else known
        if isinstance(toys, NullToys):
            campaign, requested = None, len(toys.table)
            null: NullToys | None = toys.like(sample)
        else:
            if require_few(require_whole(toys, "toys")) < 0:
                raise ValueError(f"the number of toys must be 0 or more, not {toys}")
            requested = max(toys, len(done))
            counted = requested > 0 and kernel is None
            if counted:
                require_toys_of_such_yields(self.expected_yield(sample), sample.total_weight)
            # A toy's own reference has a range of its own, so its events are those that were given.
            drawn = partial(self.campaign, given, seed=seed, pool=pool, reference_per_toy=reference_per_toy)
            campaign = drawn() if counted else None
            null = None if campaign is None else NullToys.running(campaign, done)
        left = requested - len(done) if campaign is not None or kernel is not None else 0
        notes = cautions_of(self, sample, given, formula, null, pool, calibrate)
        for note in notes:
            notify(note)
        asked = time.perf_counter()
        if campaign is None:
            projected = self.prepared.projected_seconds(sample, 1 + left * FITS_A_TOY)
        else:
            projected = campaign.projected_seconds(sample, left, more=1)
        quicker = QUICKER_TESTS.get(self.model.name, ())
        notify(projection(projected, left, f"the fit and {left} toys", quicker if left else ()))

        began = time.perf_counter()
        fits = self.fit([sample])
        fitted = time.perf_counter()
        if not np.isfinite(fits.t[0]):
            raise FitError(
                f"the fit of {sample.name} failed: there is no t, and so no p-value ({fits.failure[0]}){self._remedy()}"
            )

        def result(null: NullToys | None, complete: bool = True, rare: RareNull | None = None) -> Result:
            seconds = {
                "prepare": self.prepare_seconds,
                "compile": began - asked,
                "fit": fitted - began,
                "toys": time.perf_counter() - fitted,
            }
            stands_on = calibrated(self, sample, formula, float(fits.t[0]), null, rare, calibrate, requested)
            asked_for = {"calibrate": calibrate, "toys": requested, "seed": seed}
            found = result_of(self, sample, given, fits, *stands_on, null, asked_for, seconds, notes, complete)
            return replace(found, _of=(self, given))

        if kernel is not None:
            assert isinstance(formula, MixtureNull)
            t = float(fits.t[0])
            rare = rare_null(kernel, self.reference, t, requested, seed=seed, formula=formula, on_toys=on_rare_toys)
            return result(None, rare=rare)
        if campaign is None:
            return result(null)
        tables = [done]
        try:
            for table in run_missing(campaign, range(requested), done, seconds=projected / (1 + left)):
                tables.append(table)
                on_toys(table)
        except KeyboardInterrupt:
            raise Interrupted(result(NullToys.running(campaign, *tables), complete=False)) from None
        return result(NullToys.running(campaign, *tables))

    def checked(self, data: Tabular) -> Sample:
        """The sample as the test sees it: with the reference's features, and within its range if that was asked for.

        Raises:
            ValueError: if the data's features differ from the reference's, or its events have no positive yield; or if
                there are none in a shape-only test.
        """
        sample = sample_like(self.reference, data, "data")
        if len(sample) or self.shape_only:  # that none were seen where some are expected is data
            sample.require_yield()
        require_same_features(self.reference, sample)
        return self._within(sample)

    def _within(self, sample: Sample) -> Sample:
        return sample if self.overflow is None else self.overflow(sample)

    def _remedy(self) -> str:
        if not self.reference.has_negative_weights:
            return ""
        return (
            f". {self.reference.name} has negative weights; where they prevail the likelihood has no maximum. Use a"
            " smaller clip, fewer bins, or a reference with more events there"
        )

    def expected_yield(self, data: Sample) -> float:
        """The yield that data are compared with: that of the reference, or their own in a shape-only test."""
        return data.total_weight if self.shape_only else self.reference.total_weight


def _usual_calibration(formula: Formula, toys: int | NullToys | None) -> Calibrate:
    if toys == 0:
        return "analytic"
    return "analytic+toys" if isinstance(formula, MixtureNull) else "toys+analytic"
