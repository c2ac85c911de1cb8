"""Fisher information: what data of a yield can say about parameters, before there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.wording.tables import aligned


@dataclass(frozen=True, eq=False)
class FisherInformation:
    """I = sum_R w r s s^T with s = d log r: the information of the data that are expected at a point.

    It grows with the yield: data of so many times the luminosity have so many times the information.

    Arguments:
        names: all parameters, those of interest first.
        of_interest: how many of them are.
        at: the point, shape (k,).
        total: I of the yield that is expected there, shape (k, k).
        expected_yield: sum_R w r.
        error: standard deviation of each element of I by the reference's finite size, shape (k, k).
        constraint: information of auxiliary measurements, shape (k, k).
    """

    names: tuple[str, ...]
    of_interest: int
    at: Float64[np.ndarray, " k"]
    total: Float64[np.ndarray, "k k"]
    expected_yield: float
    error: Float64[np.ndarray, "k k"]
    constraint: Float64[np.ndarray, "k k"]

    @property
    def per_event(self) -> Float64[np.ndarray, "k k"]:
        """I per unit of yield."""
        return self.total / self.expected_yield

    def covariance(self, factor: float = 1.0) -> Float64[np.ndarray, "k k"]:
        """(factor I + constraint)^-1, with the data of a factor times the luminosity.

        Raises:
            ValueError: if the factor is not positive.
        """
        if not (np.isfinite(factor) and factor > 0):
            raise ValueError(f"the luminosity is multiplied by a positive number, not {factor:g}")
        return np.linalg.inv(factor * self.total + self.constraint)

    def errors(self, factor: float = 1.0) -> dict[str, float]:
        """The smallest standard deviation of an unbiased estimate of each parameter of interest (Cramer and Rao)."""
        found = np.sqrt(np.diag(self.covariance(factor)))
        return dict(zip(self.names[: self.of_interest], found.tolist(), strict=False))

    def __repr__(self) -> str:
        names, k = self.names[: self.of_interest], self.of_interest
        head = [f"Fisher information of {self.expected_yield:,.6g} events", *names]
        rows = [(name, *(f"{v:.4g}" for v in self.total[i, :k])) for i, name in enumerate(names)]
        return "\n".join(aligned([tuple(head), *rows])).lstrip()

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "names": list(self.names),
            "at": self.at.tolist(),
            "expected_yield": self.expected_yield,
            "matrix": self.total.tolist(),
            "per_unit_of_yield": self.per_event.tolist(),
            "error": self.error.tolist(),
            "constraint": self.constraint.tolist(),
            "expected_errors": self.errors(),
        }
