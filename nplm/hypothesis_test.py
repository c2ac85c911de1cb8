"""NPLMTest: ties a reference and a model together, and tests data against them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import ArrayLike, Float64

from nplm._versions import versions
from nplm.calibrate.chi2 import LEAST_TOYS_FOR_CHECK, Chi2Null
from nplm.calibrate.empirical import EmpiricalNull
from nplm.calibrate.zscore import z_score
from nplm.ensemble.run import run_toys
from nplm.ensemble.sampler import LARGEST_POOL_SHARE, PoolSampler
from nplm.ensemble.table import ToyTable
from nplm.models.base import Fits, Model
from nplm.models.histogram import HistogramModel
from nplm.models.network import NetworkModel
from nplm.result import Calibration, Result
from nplm.sample import Sample, Scaler, require_same_features, require_varying


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
        reference: what is expected: a Sample, or an array of events of shape (n, d).
        model: the family of log-ratios: "network", "histogram", or a model object with settings of its own.
        expected_yield: N(R), the number of data events that the reference predicts; scales its weights. Default: the
            sum of its weights.
        shape_only: compare shapes, whatever the yields: the reference is scaled to each data sample.
        standardize: shift and scale each feature by the reference's mean and standard deviation.

    Raises:
        ValueError: if the reference cannot serve: empty, without positive yield, or with a constant feature.
    """

    def __init__(
        self,
        reference: Sample | ArrayLike,
        model: str | Model = "network",
        *,
        expected_yield: float | None = None,
        shape_only: bool = False,
        standardize: bool = True,
    ) -> None:
        began = time.perf_counter()
        sample = _as_sample(reference, "reference").require_yield()
        require_varying(sample)
        self.reference = sample if expected_yield is None else sample.scaled_to(expected_yield)
        self.model = _named_model(model) if isinstance(model, str) else model
        self.shape_only = shape_only
        self.standardize = standardize
        self.scaler = Scaler.fit(sample) if standardize else Scaler.identity(sample.dimension)
        self.prepared = self.model.prepare(self.reference, self.scaler)
        self._prepare_seconds = time.perf_counter() - began

    @property
    def degrees_of_freedom(self) -> int:
        """Of the chi2 that t would follow: the model's parameters, less one for the yield in a shape-only test."""
        return self.prepared.degrees_of_freedom - self.shape_only

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits a batch of samples that are known to be good, such as toys; see `Fits`."""
        if not self.shape_only:
            return self.prepared.fit(data)
        # L with the reference scaled by c is c times L with the data scaled by 1/c, so no new preparation is needed.
        expected = self.reference.total_weight
        scale = np.array([d.total_weight / expected for d in data])
        fits = self.prepared.fit([d.scaled_to(expected) for d in data])
        return replace(fits, t=fits.t * scale, start_spread=fits.start_spread * scale, remaining=fits.remaining * scale)

    def statistic(self, data: Sample | ArrayLike) -> float:
        """The test statistic t of one data sample.

        Raises:
            ValueError: if the data's features differ from the reference's, or it has no positive yield.
        """
        return float(self.fit([self._checked(data)]).t[0])

    def log_ratio(self, result: Result, events: Sample | Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """f(x) of a result at any events, in the units of the reference; shape (n,)."""
        return self.prepared.log_ratio(result.parameter_vector, events.events if isinstance(events, Sample) else events)

    def sampler(self, data: Sample, pool: Sample | None = None) -> PoolSampler:
        """Draws toys like `data` under the null, from a pool or, by Poisson bootstrap, from the reference.

        Raises:
            ValueError: if the pool (or the reference, without one) has negative weights, or other features.
        """
        if pool is not None:
            require_same_features(self.reference, pool)
        return PoolSampler(
            self.reference if pool is None else pool,
            expected_yield=data.total_weight if self.shape_only else self.reference.total_weight,
            data_weights=data.weights if data.is_weighted else None,
            fixed_size=len(data) if self.shape_only else None,
        )

    def run(
        self,
        data: Sample | ArrayLike,
        toys: int = 200,
        *,
        seed: int = 1,
        pool: Sample | None = None,
        notify: Callable[[str], None] = lambda message: None,
        on_toys: Callable[[ToyTable], None] = lambda table: None,
    ) -> Result:
        """Tests one data sample: t, calibrated with null toys.

        Arguments:
            data: a Sample, or an array of events of shape (n, d).
            toys: number of null toys; 0 leaves the p-value to chi2, unchecked.
            seed: root of the toys' keys; toy i has fold_in(key(seed), i).
            pool: draw toys from these events instead of bootstrapping the reference.
            notify: called with cautions and projected times as they become known.
            on_toys: called with each finished batch of toys.

        Raises:
            ValueError: for bad input, before any fit.
            FitError: if the fit of the data gives no t; no toy is run then.
            Interrupted: on Ctrl-C while toys run, with the result of those that were done.
        """
        sample = self._checked(data)
        if toys < 0:
            raise ValueError(f"the number of toys must be 0 or more, not {toys}")
        sampler = self.sampler(sample, pool) if toys else None
        notes = self._cautions(sample, sampler, pool is not None)
        for note in notes:
            notify(note)
        projected = self.prepared.projected_seconds(sample, 1 + toys)
        notify(f"projected time: {format_seconds(projected)} for the fit and {toys} toys")

        began = time.perf_counter()
        fits = self.fit([sample])
        fitted = time.perf_counter()
        if not np.isfinite(fits.t[0]):
            raise FitError(f"the fit of {sample.name} failed: there is no t, and so no p-value{self._why_fits_fail()}")
        tables: list[ToyTable] = []

        def result(complete: bool) -> Result:
            seconds = {
                "prepare": self._prepare_seconds,
                "fit": fitted - began,
                "toys": time.perf_counter() - fitted,
            }
            return self._result(
                sample, fits, ToyTable.concatenate(tables), toys, sampler, seed, seconds, notes, complete
            )

        if sampler is not None:
            try:
                batches = run_toys(self.fit, sampler, seed, range(toys), self.prepared.batch_size)
                for table in batches:
                    tables.append(table)
                    on_toys(table)
            except KeyboardInterrupt:
                raise Interrupted(result(complete=False)) from None
        return result(complete=True)

    def _checked(self, data: Sample | ArrayLike) -> Sample:
        sample = _as_sample(data, "data").require_yield()
        require_same_features(self.reference, sample)
        return sample

    def _why_fits_fail(self) -> str:
        if not self.reference.has_negative_weights:
            return ""
        return (
            f". {self.reference.name} has negative weights; where they prevail the likelihood has no maximum. Use a"
            " smaller clip, fewer bins, or a reference with more events there"
        )

    def _cautions(self, data: Sample, sampler: PoolSampler | None, has_pool: bool) -> tuple[str, ...]:
        notes = []
        expected, observed = self.reference.total_weight, data.total_weight
        if not self.shape_only and not self.reference.is_weighted and not 0.5 < observed / expected < 2:
            notes.append(
                f"the reference has unit weights and so expects {expected:g} events, but the data have {observed:g}:"
                " give the expected yield, or test the shape only"
            )
        if sampler is None:
            notes.append(
                "no toys: the p-value is that of a chi2 which nothing has checked for this model and its settings"
            )
        elif not has_pool and sampler.inflation > 1 + LARGEST_POOL_SHARE:
            notes.append(
                f"the reference ({self.reference.effective_size:.0f} effective events) is small for an expected yield"
                f" of {sampler.expected_yield:g}: toys bootstrapped from it lack its own fluctuation, which widens t by"
                f" about {100 * (sampler.inflation - 1):.0f}%, so p is too small. Give a larger reference or a pool"
            )
        if data.is_weighted and sampler is not None:
            notes.append(
                "the data are weighted: toy events carry weights drawn from the data's, whatever their features"
            )
        return tuple(notes)

    def _result(
        self,
        data: Sample,
        fits: Fits,
        table: ToyTable,
        requested: int,
        sampler: PoolSampler | None,
        seed: int,
        seconds: dict[str, float],
        notes: tuple[str, ...],
        complete: bool,
    ) -> Result:
        t = float(fits.t[0])
        asymptotic = Chi2Null(self.degrees_of_freedom)
        counted = EmpiricalNull(table.t) if len(table) else None
        p_value = asymptotic.pvalue(t) if counted is None else counted.pvalue(t)
        p_interval = None if counted is None else counted.interval(t)
        calibration = Calibration(
            kind="chi2" if counted is None else "toys",
            null=f"{asymptotic.describe()}, unchecked" if counted is None else counted.describe(),
            toys_requested=requested,
            toys=len(table),
            toys_failed=0 if counted is None else counted.failed,
            toys_exceeding=0 if counted is None else counted.exceeding(t),
            source="" if sampler is None else sampler.describe(),
            degrees_of_freedom=self.degrees_of_freedom,
            chi2_p_value=asymptotic.pvalue(t),
            chi2_z=z_score(asymptotic.pvalue(t)),
            chi2_check=asymptotic.compatibility(table.t) if table.succeeded.sum() >= LEAST_TOYS_FOR_CHECK else None,
        )
        return Result(
            t=t,
            p_value=p_value,
            p_interval=p_interval,
            z=z_score(p_value),
            z_interval=None if p_interval is None else (z_score(p_interval[1]), z_score(p_interval[0])),
            calibration=calibration,
            model=self.model.name,
            converged=bool(fits.converged[0]),
            starts=fits.starts,
            starts_agreeing=int(fits.starts_agreeing[0]),
            start_spread=float(fits.start_spread[0]),
            remaining=float(fits.remaining[0]),
            n_reference=len(self.reference),
            n_data=len(data),
            expected_yield=data.total_weight if self.shape_only else self.reference.total_weight,
            observed_yield=data.total_weight,
            features=self.reference.features,
            log_ratio=self.prepared.log_ratio(fits.parameters[0], data.events),
            parameters=self.prepared.named_parameters(fits.parameters[0]),
            parameter_vector=fits.parameters[0],
            scaler=self.scaler,
            toys=table,
            seconds=seconds,
            seed=seed,
            versions=versions(),
            configuration={
                "model": {"name": self.model.name, **self.model.configuration()},
                "expected_yield": self.reference.total_weight,
                "shape_only": self.shape_only,
                "standardize": self.standardize,
                "toys": requested,
                "seed": seed,
            },
            notes=notes,
            complete=complete,
        )


def format_seconds(seconds: float) -> str:
    """A duration for people: 12 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _as_sample(values: Sample | ArrayLike, name: str) -> Sample:
    return values if isinstance(values, Sample) else Sample(values, name=name)


def _named_model(name: str) -> Model:
    models: dict[str, Callable[[], Model]] = {"network": NetworkModel, "histogram": HistogramModel}
    if name not in models:
        raise ValueError(f"there is no model '{name}': choose {' or '.join(models)}")
    return models[name]()
