"""The result of a test, frozen: what was found, what it stands on, and how to find it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._json import json_value
from nplm.calibrate.compatibility import ACCEPTED
from nplm.calibrate.null import Kind
from nplm.calibrate.summary import EnsembleSummary
from nplm.ensemble.table import ToyTable
from nplm.sample import Scaler

SCHEMA = "nplm-result/1"


@dataclass(frozen=True)
class Calibration:
    """How t became a p-value.

    Arguments:
        kind: what the p-value stands on: "empirical" (toys, counted), or "chi2 given" or "chi2 fitted" (formulas).
        null: the null distribution in words.
        toys_requested: toys asked for.
        toys: toys done.
        toys_failed: those whose fit failed.
        toys_exceeding: those with t at least the observed one, failed ones included.
        source: what the toys were drawn from; empty without toys.
        inflation: 1 + N(R)/n_eff of that sample, by which its own fluctuation widens t; 1 without toys.
        degrees_of_freedom: of the chi2 that t would follow if the model is regularised well.
        chi2_p_value: P(chi2 >= t).
        chi2_z: its Z-score.
        chi2_check: p-value of the tests of bulk, tail and width of the toys against that chi2, all together
            (`ensemble.given.p_value`); None for fewer than 50 toys with a t.
        ensemble: numbers of the toys, and each test of them against the given and a fitted chi2; None without toys.
    """

    kind: Kind
    null: str
    toys_requested: int
    toys: int
    toys_failed: int
    toys_exceeding: int
    source: str
    inflation: float
    degrees_of_freedom: int
    chi2_p_value: float
    chi2_z: float
    chi2_check: float | None
    ensemble: EnsembleSummary | None

    @property
    def counted(self) -> bool:
        """Whether the p-value was counted from toys, and not read from a formula."""
        return self.kind == "empirical"

    @property
    def chi2_accepted(self) -> bool | None:
        """Whether the toys are compatible with the chi2 (p >= 0.05); None if nothing was checked."""
        return None if self.chi2_check is None else self.chi2_check >= ACCEPTED


@dataclass(frozen=True, eq=False)
class Result:
    """The answer of `NPLMTest.run`.

    Arguments:
        t: test statistic, twice the maximal log-likelihood ratio.
        p_value: probability under the null of a t at least this large.
        p_interval: 68% interval of the p-value from counting toys; None for a formula.
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
        parameters: fitted parameters by name; they act on standardised features.
        parameter_vector: the same in the model's own order, shape (P,).
        scaler: the standardisation, fitted on the reference.
        toys: the null toys.
        seconds: wall time by stage: prepare, compile (and project the time), fit, toys.
        seed: root of the toys' keys.
        versions: of nplm, Python and the packages that compute.
        configuration: settings of model and test.
        notes: cautions that belong beside the numbers.
        complete: False if the toys were interrupted.
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
    scaler: Scaler
    toys: ToyTable
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    notes: tuple[str, ...]
    complete: bool

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-result/1; numbers that are not finite become None."""
        ensemble = self.calibration.ensemble
        calibration = {
            **vars(self.calibration),
            "chi2_accepted": self.calibration.chi2_accepted,
            "ensemble": None if ensemble is None else ensemble.to_dict(),
        }
        document = {
            "schema": SCHEMA,
            "t": self.t,
            "p_value": self.p_value,
            "p_interval": self.p_interval,
            "z": self.z,
            "z_interval": self.z_interval,
            "calibration": calibration,
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
            "standardization": {"location": self.scaler.location, "scale": self.scaler.scale},
            "seconds": sum(self.seconds.values()),
            "seconds_by_stage": self.seconds,
            "seed": self.seed,
            "versions": self.versions,
            "configuration": self.configuration,
            "notes": self.notes,
            "complete": self.complete,
        }
        plain: dict[str, Any] = json_value(document)
        return plain

    def to_json(self) -> str:
        """`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    # Imported where they are used: what words a result imports this module.
    def __repr__(self) -> str:
        from nplm.report.text import result_text

        return result_text(self)

    def _repr_html_(self) -> str:
        from nplm.report.html_block import result_html

        return result_html(self)
