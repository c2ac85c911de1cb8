"""Log-ratios that networks have learned, with the spread of an ensemble."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from nplm.data.fingerprint import rounded, summary
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.learning.loss import Form
from nplm.learning.network import RatioNetwork
from nplm.learning.training import FitRecord
from nplm.learning.validation import RatioValidation
from nplm.nuisance.ratios.base import LogRatioDefaults
from nplm.nuisance.ratios.quadratic_fit import Term, term_names, traced_terms

Yields = Literal["keep", "factor-out"]

_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class LearnedTerms:
    """Networks that belong together: those of one nuisance, or of the product of two.

    Arguments:
        terms: what they multiply in log r.
        inputs: features that they see.
        scaler: standardizes these.
        scale: size of nu that outputs are for: they are divided by it, or by its square.
        network: shape of each network.
        thetas: parameters, shape (members, terms, p).
        form: what the networks' outputs are: d1 and d2, or d_ij ("exponential"); or a and b of
            r = (1 + nu a)^2 + (nu b)^2 ("positive").
        records: how the fits went, one or several for each member.
    """

    terms: tuple[Term, ...]
    inputs: tuple[str, ...]
    scaler: Scaler
    scale: Float64[np.ndarray, " terms"]
    network: RatioNetwork
    thetas: Float64[np.ndarray, "members terms p"]
    form: Form
    records: tuple[FitRecord, ...]

    def values(
        self, events: Float64[np.ndarray, "n d"], features: tuple[str, ...]
    ) -> Float64[np.ndarray, "members n terms"]:
        """d1 and d2, or d_ij, at events; those of the positive form agree with it at nu = +-scale, and at 0."""
        x = self.scaler(events[:, [features.index(name) for name in self.inputs]])
        values = [self.network.values(self.thetas[:, t], x) for t in range(len(self.terms))]
        if self.form == "positive":
            a, b = values
            up, down = (np.log((1 + u * a) ** 2 + b**2) for u in (1, -1))
            values = [(up - down) / 2, up + down]
        return np.stack(values, axis=2) / self.scale

    def only(self, member: int) -> LearnedTerms:
        """The networks of one member of the ensemble."""
        return replace(self, thetas=self.thetas[member : member + 1])

    def by_member(self) -> list[tuple[FitRecord, ...]]:
        """How the fits of each member went."""
        each = len(self.records) // len(self.thetas)
        return [self.records[m * each : (m + 1) * each] for m in range(len(self.thetas))]

    def of_members(self, members: Int64[np.ndarray, " k"]) -> LearnedTerms:
        """The networks of some members, with their records."""
        records = self.by_member()
        return replace(self, thetas=self.thetas[members], records=tuple(r for m in members for r in records[m]))

    def shifted(self, shifts: Float64[np.ndarray, "members terms"]) -> LearnedTerms:
        """The same with constants added to the outputs."""
        thetas = self.thetas.copy()
        thetas[:, :, self.network.layout.parameters - 1] += shifts * self.scale
        return replace(self, thetas=thetas)


@dataclass(frozen=True, eq=False)
class LearnedLogRatio(LogRatioDefaults):
    """log r(x; nu) = sum_i [nu_i d1_i(x) + nu_i^2 d2_i(x) / 2] + sum_{i<j} nu_i nu_j d_ij(x), learned by networks.

    Each of an ensemble of networks was trained on events drawn anew from the samples; log r is the mean of their
    log-ratios, and their spread is its statistical error.

    Made by `learn_from_samples`, `learn_from_weights` and `learn_from_scores`.

    Arguments:
        nuisances: names, in the order of nu.
        features: of the reference, in order.
        parts: the networks.
        yields: whether effects on the yield are in r ("keep") or only those on the shape ("factor-out").
        yield_effect: what nu = 1 adds to the logarithm of the yield besides, for each nuisance.
        reference: what the reference holds that r belongs to, see `nplm.data.fingerprint.summary`.
        validation: how r fared on events that it was not learned from; None if nobody has looked.
        left_out: how many more members there were, whose fits did not converge.
    """

    nuisances: tuple[str, ...]
    features: tuple[str, ...]
    parts: tuple[LearnedTerms, ...]
    yields: Yields
    yield_effect: Mapping[str, float]
    reference: Mapping[str, Any]
    validation: RatioValidation | None = None
    left_out: int = 0

    @property
    def learned(self) -> LearnedLogRatio:
        """Itself."""
        return self

    @property
    def quadratic(self) -> bool:
        """It is, in d1, d2 and d_ij."""
        return True

    @property
    def members(self) -> int:
        """Number of networks in the ensemble."""
        return len(self.parts[0].thetas)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of log r: linear ones first, then squares, then products."""
        terms = [term for part in self.parts for term in part.terms]
        return tuple(sorted(terms, key=lambda term: (0 if term[1] < 0 else 1 if term[0] == term[1] else 2, term)))

    @property
    def term_names(self) -> tuple[str, ...]:
        """How the functions of the event are called, in the order of `basis`."""
        return tuple(term_names(self.nuisances, self.terms))

    @property
    def size(self) -> int:
        """One function of the event for each term."""
        return len(self.terms)

    @property
    def effective_parameters(self) -> float:
        """Largest number of parameters of a fit that data determine."""
        return max(record.parameters for part in self.parts for record in part.records)

    @property
    def converged(self) -> bool:
        """Whether all fits have."""
        return all(record.converged for part in self.parts for record in part.records)

    @property
    def learned_range(self) -> Mapping[str, tuple[float, float]]:
        """Smallest and largest nu of the samples or weights that each nuisance was learned from, 0 included."""
        points = [] if self.validation is None else [curve.nu for curve in self.validation.curves]
        nus = {name: [0.0, *(nu[name] for nu in points if name in nu)] for name in self.nuisances}
        return {name: (min(values), max(values)) for name, values in nus.items() if len(values) > 1}

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """d1, d2 and d_ij at events: means over the ensemble.

        Raises:
            ValueError: if events have another number of features.
        """
        return self._by_block(events, lambda members: members.mean(axis=0))

    def spread(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """Standard deviation over the ensemble of d1, d2 and d_ij at events: their statistical error.

        Raises:
            ValueError: if events have another number of features, or there is one member only.
        """
        if self.members < 2:
            raise ValueError("an ensemble of one member has no spread: learn with members=5 or so")
        return self._by_block(events, lambda members: members.std(axis=0, ddof=1))

    def member_basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "members n q"]:
        """The functions of the event of every member."""
        self._require_features(events)
        columns: dict[Term, Float64[np.ndarray, "members n"]] = {}
        for part in self.parts:
            values = part.values(events, self.features)
            columns |= {term: values[:, :, t] for t, term in enumerate(part.terms)}
        return np.stack([columns[term] for term in self.terms], axis=2)

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """(yield effect, nu_i, nu_i^2 / 2, nu_i nu_j)."""
        units = jnp.asarray([self.yield_effect.get(name, 0.0) for name in self.nuisances])
        return jnp.concatenate([jnp.sum(units * nu)[None], traced_terms(self.terms, nu)])

    def document(self) -> dict[str, Any]:
        """Kind, names, reference, and a hash of the parameters."""
        digest = sha256()
        for part in self.parts:
            digest.update(np.ascontiguousarray(np.round(part.thetas, 9)).tobytes())
        return {
            "kind": "learned",
            "nuisances": list(self.nuisances),
            "terms": list(self.term_names),
            "members": self.members,
            "yields": self.yields,
            "yield_effect": {name: rounded(value) for name, value in self.yield_effect.items()},
            "reference": dict(self.reference),
            "parameters": digest.hexdigest(),
            "valid": None if self.validation is None else self.validation.passed,
        }

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that r was learned for this reference.

        Raises:
            ValueError: saying what differs, if it was learned on another one.
        """
        found = summary(reference)
        if different := [key for key, value in self.reference.items() if found.get(key) != value]:
            details = [f"{key}: {self.reference[key]} when it was learned, {found.get(key)} now" for key in different]
            raise ValueError(
                f"the log-ratio of {', '.join(self.nuisances)} was learned on another reference than {reference.name}"
                f" ({'; '.join(details)}): learn it anew from this one"
            )

    def require_valid(self) -> None:
        """Makes sure that r has passed its checks.

        Raises:
            ValueError: naming the checks that failed; or if there were none, or fits did not converge.
        """
        names = ", ".join(self.nuisances)
        if self.validation is None:
            raise ValueError(
                f"the learned log-ratio of {names} was never checked: give it a validation, validate_ratio"
            )
        if not self.validation.passed:
            raise ValueError(
                f"the learned log-ratio of {names} failed its checks: {self.validation.describe_failures()}. Look at"
                " its plots; learn it from more events, with more neurons, from variations of another size, or, where"
                " these move an edge such as a threshold, of events beyond it only (where)"
            )
        if not self.converged:
            records = [record for part in self.parts for record in part.records]
            failed = sum(not record.converged for record in records)
            raise ValueError(
                f"{failed} of the {len(records)} fits of the learned log-ratio of {names} did not converge: learn it"
                " with more iterations, or fewer neurons"
            )

    def converged_only(self) -> LearnedLogRatio:
        """The same of the members whose fits have all converged, if half or more of them have; else all of them.

        What is left out is told in a warning.
        """
        good = np.ones(self.members, dtype=bool)
        for part in self.parts:
            good &= [all(record.converged for record in records) for records in part.by_member()]
        if good.all() or 2 * good.sum() < self.members:
            return self
        kept = np.flatnonzero(good)
        left_out = self.members - len(kept)
        warnings.warn(
            f"{left_out} of the {self.members} networks of {', '.join(self.nuisances)} did not converge and are left"
            " out of the ensemble: more iterations in the settings, or fewer neurons, may keep them",
            stacklevel=3,
        )
        return replace(self, parts=tuple(part.of_members(kept) for part in self.parts), left_out=left_out)

    def with_validation(self, validation: RatioValidation) -> LearnedLogRatio:
        """The same ratio with the outcome of its checks."""
        return replace(self, validation=validation)

    def _by_block(self, events: Float64[np.ndarray, "n d"], reduce: Any) -> Float64[np.ndarray, "n q"]:
        self._require_features(events)
        if not len(events):
            return np.empty((0, self.size))
        return np.concatenate([reduce(self.member_basis(block)) for block in _blocks(events)])

    def _require_features(self, events: Float64[np.ndarray, "n d"]) -> None:
        if events.shape[1] != len(self.features):
            raise ValueError(
                f"events have {events.shape[1]} features, but the log-ratio of {', '.join(self.nuisances)} was learned"
                f" for {', '.join(self.features)}"
            )


def _blocks(events: Float64[np.ndarray, "n d"]) -> Iterator[Float64[np.ndarray, "m d"]]:
    for first in range(0, len(events), _BLOCK):
        yield events[first : first + _BLOCK]
