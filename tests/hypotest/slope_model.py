"""A model whose answers are known, so that words, pictures and pages can be checked against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.result import Result
from nplm.hypotest.test import NPLMTest
from nplm.likelihood.fits import Fits
from nplm.models.base import ModelDefaults, PreparedDefaults
from nplm.stats.chi2 import Chi2Null

SLOPE = 0.2


@dataclass(frozen=True)
class SlopeModel(ModelDefaults):
    """f(x) = SLOPE * x0, with the given t for the data and t from chi2(5) for toys, the first of which may fail."""

    t: float = 12.5
    failing: int = 0

    @property
    def name(self) -> str:
        return "slope"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        return {"t": self.t}

    def prepare(self, reference: Sample, scaler: Scaler) -> PreparedSlope:
        return PreparedSlope(self)


class PreparedSlope(PreparedDefaults):
    parameters = 1
    batch_size = 1000
    shape_by = "subtraction"

    def __init__(self, model: SlopeModel) -> None:
        self.model, self.calls = model, 0

    def fit(self, data: Sequence[Sample]) -> Fits:
        self.calls += 1
        n = len(data)
        t = np.array([self.model.t]) if self.calls == 1 else np.random.default_rng(3).chisquare(5, n)
        if self.calls > 1:
            t[: self.model.failing] = np.nan
        ones = np.ones(n)
        failure = np.where(np.isnan(t), "it was made to fail", "").astype(object)
        return Fits(t, np.full((n, 1), SLOPE), np.isfinite(t), 8, np.full(n, 6), 0.5 * ones, 1e-6 * ones, failure)

    def null(self, data: Sample | None = None, **fluctuations: bool) -> Chi2Null:
        return Chi2Null(5)

    def log_ratio(self, parameters: np.ndarray, events: np.ndarray) -> np.ndarray:
        return parameters[0] * events[:, 0]

    def named_parameters(self, parameters: np.ndarray) -> dict[str, np.ndarray]:
        return {"slope": parameters}

    def projected_seconds(self, n_data: int, fits: int) -> float:
        return 0.0


@dataclass(frozen=True)
class Run:
    """A test, its data and its result."""

    test: NPLMTest
    data: Sample
    result: Result


@pytest.fixture
def run(rng: np.random.Generator) -> Callable[..., Run]:
    """Runs the slope model on an exponential feature (more features by name: normal)."""

    def make(
        toys: int = 100, features: Sequence[str] = ("x",), t: float = 12.5, failing: int = 0, name: str = "data"
    ) -> Run:
        def draw(n: int) -> np.ndarray:
            return np.column_stack([rng.exponential(size=n), rng.normal(size=(n, len(features) - 1))])

        reference = Sample(draw(4000), np.full(4000, 0.1), features, "reference")
        data = Sample(draw(390), None, features, name)
        test = NPLMTest(reference, SlopeModel(t, failing))
        return Run(test, data, test.run(data, toys=toys))

    return make
