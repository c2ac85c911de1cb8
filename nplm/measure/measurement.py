"""The measurement of a parametric model: fit, intervals, limits, and whether anything is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.versions import versions
from nplm.data.sample import Sample, require_same_features
from nplm.data.support import support_remarks
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.measure.after_fit import goodness_after_fit
from nplm.measure.asked import Asked, point_of
from nplm.measure.cautions import cautions_of
from nplm.measure.confidence import asymptotic, by_toys
from nplm.measure.information import FisherInformation
from nplm.measure.intervals import Profiler
from nplm.measure.model import ParametricModel
from nplm.measure.observed import Minimum, Observed
from nplm.measure.parameters import Parameters
from nplm.measure.result import MeasureResult
from nplm.measure.result_text import LEVELS
from nplm.measure.toys import ToyMaker
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.pointwise import AnyLogRatio
from nplm.statistic import FitError


class Measurement:
    """Fits parameters of interest, beside constrained nuisances, to data samples; the reference is prepared once.

    The extended likelihood of `nplm.measure.likelihood` is maximized over theta and nu: shapes and yields together. The
    reference is a sample; what its finite size adds to errors and to thresholds is counted.

    Arguments:
        reference: events that are expected at theta = 0 and nu = 0, of any weights, signed ones too.
        parameters: of interest; log-ratios stand for parameters without bounds. None if there are nuisances alone: then
            it is asked whether the reference describes the data, whatever they are.
        nuisances: constrained ones, or None.
        expected_yield: N(R), if it is known from elsewhere; by default the sum of the reference's weights.

    Raises:
        ValueError: if the reference cannot serve, a name is both a parameter and a nuisance, nothing depends on a
            parameter, or only on a combination of some.

    Example:
        >>> import numpy as np
        >>> from nplm.nuisance import Normalization
        >>> rng = np.random.default_rng(1)
        >>> reference = Sample(rng.normal(size=2000), np.full(2000, 0.1))
        >>> data = Sample(rng.normal(size=220), name="data")
        >>> result = Measurement(reference, Normalization("log_yield")).run(data, goodness_of_fit=False)
        >>> round(result["log_yield"], 4) == round(float(np.log(1.1)), 4)
        True
    """

    @usual_errors()
    @blas_threads()
    def __init__(
        self,
        reference: Tabular,
        parameters: Parameters | AnyLogRatio | Sequence[AnyLogRatio] | None = None,
        nuisances: Nuisances | None = None,
        *,
        expected_yield: float | None = None,
    ) -> None:
        began = time.perf_counter()
        sample = as_sample(reference, name="reference").require_yield()
        self.reference = sample if expected_yield is None else sample.scaled_to(expected_yield)
        self.parameters = (
            parameters if isinstance(parameters, Parameters) else Parameters(() if parameters is None else parameters)
        )
        if not self.parameters.parts and nuisances is None:
            raise ValueError("a measurement needs a parameter of interest, or nuisances: give their log-ratios")
        self.nuisances = nuisances
        self.model = ParametricModel.of(self.reference, self.parameters, nuisances, expected_yield is not None)
        self.model.require_finite(self.model.events, self.reference)
        self.model.require_informed()
        self._expected_yield = expected_yield
        self.prepare_seconds = time.perf_counter() - began

    def information(self, at: Mapping[str, float] | None = None) -> FisherInformation:
        """What data of the expected yield can say, at theta = 0 or another point.

        Arguments:
            at: values of parameters and nuisances by name; 0 for the others.

        Raises:
            ValueError: for an unknown name.
        """
        return self._information(point_of(self.model, at))

    @usual_errors()
    @blas_threads()
    def expected(
        self,
        at: Mapping[str, float] | None = None,
        *,
        levels: Sequence[float] = LEVELS,
        limits: Collection[str] = (),
        limit_level: float = 0.95,
        contours: Sequence[tuple[str, str]] | None = None,
    ) -> MeasureResult:
        """What a measurement would give before there are data: of the reference, reweighted, as data (Asimov data).

        Arguments:
            at: the truth, by name; 0 by default.
            levels, limits, limit_level, contours: as in `run`.

        Raises:
            ValueError: for an unknown name or a level that is none.
        """
        point, asked = point_of(self.model, at), Asked(levels, limits, limit_level, contours)
        return self._measured(None, self.model.expectation(point), asked, start=point)

    @usual_errors()
    @blas_threads()
    def run(
        self,
        data: Tabular,
        *,
        levels: Sequence[float] = LEVELS,
        limits: Collection[str] = (),
        limit_level: float = 0.95,
        contours: Sequence[tuple[str, str]] | None = None,
        goodness_of_fit: bool = True,
        toys: int = 0,
        goodness_toys: int = 0,
        resamples: int = 999,
        seed: int = 1,
        notify: Callable[[str], None] = lambda message: None,
    ) -> MeasureResult:
        """Fits the data.

        Arguments:
            data: events, weighted or not, with the features of the reference.
            levels: of the intervals and contours.
            limits: parameters that get one-sided upper limits, see `UpperLimit`.
            limit_level: their level.
            contours: pairs of parameters. Default: all of up to three parameters of interest.
            goodness_of_fit: whether to ask if anything is left.
            toys: drawn at the fitted values, where they say what Wilks's intervals cover, and at each of some points
                along intervals, contours and limits, which they give then: 9 points for the intervals of a parameter,
                9 to 25 for its limit, and 1 + 8 for each level for a contour.
            goodness_toys: drawn there too, with a fit and a goodness of fit each; they take as long as the data each.
            resamples: samples without a difference, of the goodness of fit.
            seed: of toys and resamples.
            notify: called with cautions.

        Raises:
            ValueError: for bad input; the message names it.
            FitError: if the maximum of the likelihood is not found.
        """
        asked = Asked(levels, limits, limit_level, contours, goodness_of_fit, toys, goodness_toys, resamples, seed)
        sample = sample_like(self.reference, data, "data")
        require_same_features(self.reference, sample)
        if len(sample) and not sample.total_weight > 0:
            sample.require_yield()
        observed = self.model.observed(sample)
        self.model.require_finite(observed.events, sample)
        remarks = support_remarks(self.reference, sample)
        for note in remarks:
            notify(note)
        found = self._measured(sample, observed, asked, remarks)
        for note in found.notes[len(remarks) :]:
            notify(note)
        return found

    def fit(self, data: Tabular) -> tuple[ParametricModel, Observed, Minimum]:
        """The fit alone, for those who want its likelihood: the model, the data as it sees them, and the minimum.

        Raises:
            ValueError: for bad input.
            FitError: if it is not found.
        """
        sample = sample_like(self.reference, data, "data")
        observed = self.model.observed(sample)
        self.model.require_finite(observed.events, sample)
        return self.model, observed, self._fitted(observed)

    def fitted_reference(self, result: MeasureResult) -> Sample:
        """The reference reweighted to the fitted values of a result: its weights times r."""
        log_r, _ = self.model.scores(self.model.events, result.values)
        weights = self.reference.weights * np.exp(log_r.ravel()[: len(self.reference)])
        return Sample(self.reference.events, weights, self.reference.features, "the fit")

    def _fitted(self, observed: Observed, start: Float64[np.ndarray, " k"] | None = None) -> Minimum:
        found = self.model.fit(observed, start)
        if not found.converged:
            names = zip(self.model.names, found.point, strict=True)
            where = ", ".join(f"{name} = {value:.4g}" for name, value in names)
            raise FitError(
                f"the maximum of the likelihood was not found: the last point is {where}; give bounds within which the"
                " log-ratio exists, or another start"
            )
        return found

    def _measured(
        self,
        data: Sample | None,
        observed: Observed,
        asked: Asked,
        remarks: tuple[str, ...] = (),
        start: Float64[np.ndarray, " k"] | None = None,
    ) -> MeasureResult:
        """All that is asked, of data or of what is expected."""
        model, k, nuisances = self.model, self.model.of_interest, self.nuisances
        asked.require_parameters(model)
        seconds = {"prepare": self.prepare_seconds}
        began = time.perf_counter() - self.prepare_seconds

        def took(stage: str) -> None:
            seconds[stage] = time.perf_counter() - began - sum(seconds.values())

        found = self._fitted(observed, start)
        profiler, of_data = self._profiler(observed, found)
        took("fit")
        asimov = partial(self._asimov, profiler, observed=data is not None)
        if data is not None and asked.toys:
            known = by_toys(profiler, self._maker(data, found), asked, asimov)
        else:
            known = asymptotic(profiler, asked, asimov, observed=data is not None)
        gof = None
        took("profiles, with toys" if known.toys else "profiles")
        if data is not None and len(data) and asked.goodness_of_fit:
            maker = self._maker(data, found)
            gof = goodness_after_fit(maker, data, observed, found, asked.resamples, asked.goodness_toys, asked.seed)
            took("goodness of fit")
        errors = np.sqrt(np.maximum(np.diag(profiler.covariance), 1e-300))
        zero = np.zeros(len(model.names))
        at_zero = model.descend(observed, zero, np.arange(len(zero)) >= k).value if k else model.loss(observed, zero)[0]
        result = MeasureResult(
            names=model.names,
            of_interest=k,
            values=found.point,
            covariance=profiler.covariance,
            of_data=of_data,
            deviance=2 * float(at_zero - found.loss),
            intervals=known.intervals,
            contours=known.contours,
            limits=known.limits,
            sigma=np.zeros(0) if nuisances is None else nuisances.sigma,
            measured=np.zeros(0) if nuisances is None else self._measured_nu(observed),
            impact=profiler.covariance[:k, k:] / errors[k:],
            others=tuple((point, 2 * (loss - found.loss)) for point, loss in found.others),
            information=self._information(found.point),
            expected_yield=model.moments(found.point)[0],
            observed_yield=None if data is None else data.total_weight,
            reference_yield=self.reference.total_weight,
            goodness_of_fit=gof,
            toys=known.toys,
            expected=data is None,
            sizes=(len(self.reference), 0 if data is None else len(data)),
            sample_names=(self.reference.name, "what is expected" if data is None else data.name),
            features=self.reference.features,
            seconds=seconds,
            seed=asked.seed,
            versions=versions(),
            configuration=self._configuration(asked, tested=gof is not None),
            notes=(),
            toy_points=known.points,
        )
        return replace(result, notes=(*remarks, *cautions_of(result, self.parameters, observed.weighted)))

    def _configuration(self, asked: Asked, *, tested: bool) -> dict[str, Any]:
        nuisances = self.nuisances
        return {
            "parameters": [part.document() for part in self.parameters.parts],
            "bounds": {name: list(ends) for name, ends in self.parameters.bounds.items()},
            "nuisances": None
            if nuisances is None
            else {"ratio": nuisances.ratio.document(), "constraint": nuisances.constraint.document()},
            "expected_yield": self._expected_yield,
            "levels": list(asked.levels),
            "limit_level": asked.limit_level,
            "toys": asked.toys,
            "resamples": asked.resamples if tested else 0,
        }

    def _profiler(self, observed: Observed, found: Minimum) -> tuple[Profiler, Float64[np.ndarray, "k k"]]:
        """The profile of a fit, and the covariance that it would have with an exact reference."""
        inverse = np.linalg.inv(found.hessian)
        of_data = inverse @ self.model.noise_of_data(observed, found) @ inverse
        of_reference = inverse @ self.model.noise_of_reference(found.point) @ inverse
        return Profiler(self.model, observed, found, of_data + of_reference), of_data

    def _asimov(self, profiler: Profiler, i: int, *, observed: bool) -> Profiler:
        """The profile of what is expected at 0 of a parameter, all others where the data put them then."""
        best = profiler.found.point
        zero = profiler.at([i], np.zeros(1))[1] if observed else np.where(np.arange(len(best)) == i, 0.0, best)
        data = self.model.expectation(zero)
        return self._profiler(data, self._fitted(data, zero))[0]

    def _maker(self, data: Sample, found: Minimum) -> ToyMaker:
        weights = data.weights if data.is_weighted else None
        others = tuple(point for point, _ in found.others)
        return ToyMaker(self.model, self.reference, found.point, weights, (found.point, *others) if others else ())

    def _information(self, point: Float64[np.ndarray, " k"]) -> FisherInformation:
        model = self.model
        total, _, information, _ = model.moments(point)
        return FisherInformation(
            model.names,
            model.of_interest,
            point,
            information,
            total,
            model.error_of_information(point),
            model.stiffness(model.expectation(point), point),
        )

    def _measured_nu(self, observed: Observed) -> Float64[np.ndarray, " n"]:
        """Where auxiliary measurements alone put each nuisance; NaN where they put it nowhere."""
        model, k = self.model, self.model.of_interest
        nu = model.auxiliary_maximum(observed)
        return np.full(len(model.names) - k, np.nan) if nu is None else nu
