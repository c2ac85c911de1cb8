"""The result of a test, frozen: what was found, what it stands on, and how to find it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from nplm._util.json_values import json_value
from nplm.calibration.record import Calibration
from nplm.data.coordinates import Coordinates
from nplm.data.support import Outside
from nplm.hypotest.result_html import result_html
from nplm.hypotest.result_text import result_text
from nplm.hypotest.saved import SavedResult
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.statistic import LikelihoodRatio
from nplm.toys.table import ToyTable

if TYPE_CHECKING:
    from nplm.data.sample import Sample
    from nplm.hypotest.yields import OwnRate, Shape

SCHEMA = "nplm-result/1"


@dataclass(frozen=True, eq=False)
class Result(SavedResult):
    """The answer of `NPLMTest.run`.

    Arguments:
        t: test statistic, twice the maximal log-likelihood ratio.
        p_value: probability under the null of a t at least this large.
        p_interval: 68% interval of the p-value from counting toys; None for an asymptotic null.
        z: one-sided Z-score of p_value.
        z_interval: Z-scores of the interval's ends; an infinite end is a lower limit.
        calibration: what p_value stands on.
        model: name of the model.
        converged: whether the fit met its criterion.
        starts, starts_agreeing, start_spread, remaining: the fit's quality, see `nplm.models.base.Fits`.
        n_reference, n_data: numbers of events.
        expected_yield: N(R), sum of the reference's weights; that of the data's in a shape-only test.
        observed_yield: sum of the data's weights.
        features: names of the features.
        log_ratio: f at each data event, shape (n_data,).
        parameters: fitted parameters by name; they act on the coordinates.
        parameter_vector: the same in the model's own order, shape (P,).
        coordinates: what the model saw in place of the features, fitted on the reference.
        toys: the null toys.
        seconds: wall time by stage: prepare, compile (and project the time), fit, toys.
        seed: root of the toys' keys.
        versions: of nplm, Python and the packages that compute.
        configuration: settings of model and test.
        notes: cautions that belong beside the numbers.
        complete: False if the toys were interrupted.
        nuisances: the fit of the nuisances, of which t is tau - Delta; None without nuisances.
        rate, shape: yield and shape on their own, see `nplm.hypotest.yields`; None where yields are not compared, and
            with nuisances. The shape is also None where it is not known without toys of its own.
        outside: data events where the reference has none, counted on their own: no p_value knows them well. With
            nuisances none, as these may move events there.
    """

    t: float
    p_value: float
    p_interval: tuple[float, float] | None
    z: float
    z_interval: tuple[float, float] | None
    calibration: Calibration
    model: str
    converged: bool
    starts: int
    starts_agreeing: int
    start_spread: float
    remaining: float
    n_reference: int
    n_data: int
    expected_yield: float
    observed_yield: float
    features: tuple[str, ...]
    log_ratio: Float64[np.ndarray, " n_data"]
    parameters: Mapping[str, np.ndarray]
    parameter_vector: Float64[np.ndarray, " p"]
    coordinates: Coordinates
    toys: ToyTable
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    notes: tuple[str, ...]
    complete: bool
    nuisances: NuisanceSummary | None = None
    rate: OwnRate | None = None
    shape: Shape | None = None
    outside: tuple[Outside, ...] = ()
    _of: tuple[LikelihoodRatio, Sample] | None = field(default=None, repr=False)

    @property
    def statistic(self) -> float:
        """t, under the name that it has in results of `scipy.stats`."""
        return self.t

    @property
    def pvalue(self) -> float:
        """p_value, under the name that it has in results of `scipy.stats`."""
        return self.p_value

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-result/1; numbers that are not finite become None."""
        document = {
            "schema": SCHEMA,
            "t": self.t,
            "p_value": self.p_value,
            "p_interval": self.p_interval,
            "z": self.z,
            "z_interval": self.z_interval,
            "null": {
                "kind": self.calibration.kind,
                "mean": self.calibration.mean,
                "sd": self.calibration.sd,
                "weights": self.calibration.null_weights,
            },
            "calibration": self.calibration.to_dict(),
            "model": self.model,
            "converged": self.converged,
            "fit": {
                "starts": self.starts,
                "starts_agreeing": self.starts_agreeing,
                "start_spread": self.start_spread,
                "remaining": self.remaining,
            },
            "n_reference": self.n_reference,
            "n_data": self.n_data,
            "expected_yield": self.expected_yield,
            "observed_yield": self.observed_yield,
            "features": self.features,
            "parameters": self.parameters,
            "standardization": self.coordinates.to_dict(),
            "seconds": sum(self.seconds.values()),
            "seconds_by_stage": self.seconds,
            "seed": self.seed,
            "versions": self.versions,
            "configuration": self.configuration,
            "notes": self.notes,
            "complete": self.complete,
            "nuisances": None if self.nuisances is None else self.nuisances.to_dict(),
            "rate": None if self.rate is None else self.rate.to_dict(),
            "shape": None if self.shape is None else self.shape.to_dict(),
            "outside": [found.to_dict() for found in self.outside],
        }
        plain: dict[str, Any] = json_value(document)
        return plain

    def __repr__(self) -> str:
        return result_text(self)

    def _repr_html_(self) -> str:
        return result_html(self)
