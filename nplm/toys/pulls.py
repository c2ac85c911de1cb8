"""The nuisances of toys: where they truly are, and where the fits find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.nuisance.moments import moments_at
from nplm.nuisance.profile import PreparedNuisances
from nplm.toys.store import Store
from nplm.toys.table import ToyTable


@dataclass(frozen=True, eq=False)
class Truth:
    """The true nu of toys, and how well a fit without f should know it.

    Arguments:
        names: of the nuisances.
        nu: shape (k,).
        sigma: size of each one's constraint, shape (k,).
        error: standard deviation that nu of Delta should have, shape (k,).
    """

    names: tuple[str, ...]
    nu: Float64[np.ndarray, " k"]
    sigma: Float64[np.ndarray, " k"]
    error: Float64[np.ndarray, " k"]

    @classmethod
    def of(cls, profile: PreparedNuisances, nu: Float64[np.ndarray, " k"]) -> Truth:
        """The truth nu of toys that have the expectation of the reference there.

        With D the second derivatives of the loss, V the covariance of the data's scores, and S = -d2 log L(nu|A) / dnu2
        that of nu is (D + S)^-1 (V + S) (D + S)^-1 to second order. V is D where the reference is taken as exact.
        """
        nuisances = profile.nuisances
        found = moments_at(nuisances, profile.blocks, nu, nuisances.auxiliary, profile.event_weight)
        curvature, spread = (
            found.slope.T @ m @ found.slope + found.stiffness for m in (found.information, found.of_data)
        )
        inverse = np.linalg.inv(curvature)
        return cls(nuisances.names, nu, nuisances.sigma, np.sqrt(np.diag(inverse @ spread @ inverse)))

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Truth:
        """What `document` wrote."""
        nu, sigma, error = (np.array(document[name], dtype=np.float64) for name in ("nu", "sigma", "error"))
        return cls(tuple(document["names"]), nu, sigma, error)

    def document(self) -> dict[str, Any]:
        """The fields as JSON values, for a store of toys."""
        columns = {name: getattr(self, name).tolist() for name in ("nu", "sigma", "error")}
        return {"names": list(self.names), **columns}

    def __str__(self) -> str:
        """scale = 0.15, norm = 0"""
        return ", ".join(f"{name} = {value:.3g}" for name, value in zip(self.names, self.nu, strict=True))


def truth_of(store: Store) -> Truth | None:
    """Where the toys of a store were drawn; None without nuisances."""
    known = store.about.get("nuisances")
    return None if known is None else Truth.read(known)


@dataclass(frozen=True)
class Mean:
    """Mean and standard deviation of a number over toys, with their standard errors; None where toys are too few."""

    mean: float | None
    mean_error: float | None
    sd: float | None
    sd_error: float | None

    @classmethod
    def of(cls, values: Float64[np.ndarray, " n"]) -> Mean:
        """Of the values of toys."""
        n = len(values)
        sd = float(values.std(ddof=1)) if n > 1 else None
        return cls(
            float(values.mean()) if n else None,
            None if sd is None else sd / np.sqrt(n),
            sd,
            None if sd is None else sd / np.sqrt(2 * (n - 1)),
        )


@dataclass(frozen=True)
class Pull:
    """How the fits of toys find one nuisance.

    Arguments:
        name: of the nuisance.
        truth: its true value.
        sigma: size of its constraint.
        pull: (nu of Delta - truth) / sigma, over the toys.
        expected_sd: the standard deviation that the pull should have: below 1 as far as the events know the nuisance.
        with_f: (nu of tau - truth) / sigma, over the toys.
    """

    name: str
    truth: float
    sigma: float
    pull: Mean
    expected_sd: float
    with_f: Mean


@dataclass(frozen=True)
class FittedNuisances:
    """tau and Delta of toys, whose difference is t, and the nuisances where their fits ended.

    Arguments:
        tau, delta: over the toys with a t.
        pulls: of each nuisance; none where the truth is not known.
    """

    tau: Mean
    delta: Mean
    pulls: tuple[Pull, ...]

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return asdict(self)


def fitted_nuisances(table: ToyTable, truth: Truth | None) -> FittedNuisances | None:
    """What toys say about their nuisances; None if they were fitted without.

    Arguments:
        table: the toys; those without t are left out.
        truth: where they were drawn.
    """
    if table.delta is None or table.nu_delta is None or table.nu_tau is None:
        return None
    good = table.succeeded & np.isfinite(table.delta)
    t, delta = table.t[good], table.delta[good]
    pulls = []
    if truth is not None:
        of_delta, of_tau = ((nu[good] - truth.nu) / truth.sigma for nu in (table.nu_delta, table.nu_tau))
        pulls = [
            Pull(
                name=name,
                truth=float(truth.nu[i]),
                sigma=float(truth.sigma[i]),
                pull=Mean.of(of_delta[:, i]),
                expected_sd=float(truth.error[i] / truth.sigma[i]),
                with_f=Mean.of(of_tau[:, i]),
            )
            for i, name in enumerate(truth.names)
        ]
    return FittedNuisances(Mean.of(t + delta), Mean.of(delta), tuple(pulls))
