"""Many samples, each compared with each, with p-values that account for the number of comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

from nplm._util.json_values import json_value
from nplm.hypotest.saved import SavedResult
from nplm.stats.multiple_comparisons import Correction
from nplm.two_sample.matrix_text import matrix_text
from nplm.two_sample.result import TwoSampleResult

SCHEMA = "nplm-two-sample-matrix/1"


@dataclass(frozen=True, eq=False)
class TwoSampleMatrix(SavedResult):
    """The answer of `validate_matrix`.

    Arguments:
        names: of the k samples.
        results: of each pair, in the order of the samples.
        correction: for the number of comparisons.
        p: p-value of each pair, shape (k, k), symmetric; NaN on the diagonal.
        adjusted: the same after the correction.
    """

    names: tuple[str, ...]
    results: Mapping[tuple[str, str], TwoSampleResult]
    correction: Correction
    p: Float64[np.ndarray, "k k"]
    adjusted: Float64[np.ndarray, "k k"]

    @property
    def z(self) -> Float64[np.ndarray, "k k"]:
        """One-sided Z-scores of the adjusted p-values, shape (k, k)."""
        return np.asarray(norm.isf(self.adjusted))

    @property
    def leading(self) -> tuple[str, str]:
        """The pair that differs most."""
        return min(self.results, key=lambda pair: (self.results[pair].p_value, -self.results[pair].statistic))

    def to_dict(self) -> dict[str, Any]:
        """The comparisons as JSON values; numbers that are not finite become None."""
        pairs = []
        for first, second in self.results:
            i, j = self.names.index(first), self.names.index(second)
            pairs.append({"pair": [first, second], "adjusted_p": self.adjusted[i, j], "adjusted_z": self.z[i, j]})
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "names": self.names,
                "correction": self.correction,
                "comparisons": [
                    {**pair, "result": result.to_dict()}
                    for pair, result in zip(pairs, self.results.values(), strict=True)
                ],
            }
        )
        return plain

    @property
    def configuration(self) -> dict[str, Any]:
        """Settings of all comparisons, and of what makes one answer of them."""
        first = next(iter(self.results.values()))
        return {**first.configuration, "correction": self.correction}

    def __repr__(self) -> str:
        return matrix_text(self)
