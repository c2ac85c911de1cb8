"""Log-ratios from histograms: in each bin a quadratic form in nu, or an interpolation between two variations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from numpy.typing import ArrayLike

from nplm.data.fingerprint import rounded
from nplm.data.sample import Sample, require_same_features
from nplm.nuisance.ratios.base import LogRatioDefaults
from nplm.nuisance.ratios.histfactory import Interpolated, Kind, two_sided
from nplm.nuisance.ratios.quadratic_fit import (
    Term,
    fit_terms,
    quadratic_terms,
    term_names,
    term_values,
    traced_terms,
)
from nplm.nuisance.values import distinct_names, nu_of

# A variation: the point nu, by name (those that are not named are 0), and what was found there.
Nu = Mapping[str, float]
Interpolation = Literal["quadratic"] | Kind


@dataclass(frozen=True, eq=False)
class BinnedLogRatio(LogRatioDefaults):
    """log r(x; nu) = sum_i [nu_i d1_i(b) + nu_i^2 d2_i(b) / 2] + sum_{i<j} nu_i nu_j d_ij(b) in the bin b of x.

    The coefficients are fitted to log[n_b(nu) / n_b(0)] at the given points nu, the effect on the yield included.
    A nuisance that takes one value only (beside 0) has a linear term only; cross terms are there for pairs that move
    together in some point. Through as many points as terms the fit is exact; with more it weighs them by their errors.

    A quadratic form through very unequal variations, such as +50% and -10%, turns round near the smaller one and goes
    the wrong way beyond it. `interpolation` takes the other forms instead, for two variations of each nuisance, up and
    down by as much; effects of several nuisances multiply. Then g are the bins: one function for each.

    The outermost bins are open: they take the events beyond the edges.

    Arguments:
        edges: for each feature that is binned, ascending edges of its bins.
        central: yields at nu = 0, shape (bins of the first feature, bins of the second, ...).
        varied: points nu by name, each with the yields there.
        features: all features of events, in order; default: those that are binned.
        variances: variances of the yields (sums of squared weights), first of the central ones and then in the order of
            `varied`. Without them all points weigh alike.
        interpolation: "quadratic", or "exponential" and "polynomial" as HistFactory has them, see
            `nplm.nuisance.ratios.histfactory.Interpolated`.

    Attributes:
        values: the coefficients, shape (terms, bins), and `errors` if variances are given; `terms` says which they are.
            Of an interpolation it is log[n_b(nu) / n_b(0)] at each variation, and there are no errors.

    Raises:
        ValueError: if edges do not ascend, shapes do not fit, a bin has no positive yield (the message names it), or
            the points do not determine the terms.
    """

    edges: dict[str, Float64[np.ndarray, " _"]]
    features: tuple[str, ...]
    nuisances: tuple[str, ...]
    values: Float64[np.ndarray, "terms bins"]
    errors: Float64[np.ndarray, "terms bins"] | None
    interpolation: Interpolation
    _terms: tuple[Term, ...]
    _between: tuple[tuple[float, Interpolated], ...]

    def __init__(
        self,
        edges: Mapping[str, ArrayLike],
        central: ArrayLike,
        varied: Sequence[tuple[Nu, ArrayLike]],
        features: Sequence[str] | None = None,
        variances: Sequence[ArrayLike] | None = None,
        interpolation: Interpolation = "quadratic",
    ) -> None:
        bins = {name: _ascending(name, values) for name, values in edges.items()}
        columns = tuple(bins) if features is None else tuple(features)
        if not bins:
            raise ValueError("edges must name one feature or more")
        if missing := [name for name in bins if name not in columns]:
            raise ValueError(f"edges name {', '.join(missing)}, but the features are {', '.join(columns)}")
        if not varied:
            raise ValueError("give yields at one or more variations beside the central ones")
        names = distinct_names(dict.fromkeys(name for nu, _ in varied for name in nu))
        points = np.stack([nu_of(names, nu) for nu, _ in varied])
        if not np.isfinite(points).all():
            raise ValueError(f"nu of a variation must be finite numbers, not {points.tolist()}")
        where = ["nu = 0", *(_where(nu) for nu, _ in varied)]
        given = [central, *(yields for _, yields in varied)]
        histograms = np.stack([_yields(bins, y, here) for y, here in zip(given, where, strict=True)])
        logs = np.log(histograms[1:] / histograms[0])
        relative = None if variances is None else _relative_variances(bins, variances, histograms)
        terms: tuple[Term, ...] = ()
        between: tuple[tuple[float, Interpolated], ...] = ()
        errors = None
        if interpolation == "quadratic":
            terms = quadratic_terms(names, points)
            values, errors = fit_terms(
                term_values(terms, points),
                logs,
                None if relative is None else relative[1:],
                None if relative is None else relative[0],
            )
        else:
            ends = two_sided(names, [nu for nu, _ in varied])
            between = tuple((step, Interpolated(interpolation, logs[up], logs[down])) for up, down, step in ends)
            values = logs
        fields = {
            "edges": bins,
            "features": columns,
            "nuisances": names,
            "values": values,
            "errors": errors,
            "interpolation": interpolation,
            "_terms": terms,
            "_between": between,
        }
        for attribute, value in fields.items():
            object.__setattr__(self, attribute, value)

    @classmethod
    def from_samples(
        cls,
        central: Sample,
        varied: Sequence[tuple[Nu, Sample]],
        edges: Mapping[str, ArrayLike],
        interpolation: Interpolation = "quadratic",
    ) -> BinnedLogRatio:
        """From independent samples at nu = 0 and at other points, with errors from the squared weights.

        Arguments:
            central: the sample at nu = 0, with weights that add up to its yield.
            varied: points nu by name, each with the sample there.
            edges: for each feature that is binned, ascending edges of its bins.
            interpolation: see the constructor.

        Raises:
            ValueError: as the constructor; if samples have other features than the central one, or no events.
        """
        samples = [central, *(sample for _, sample in varied)]
        for sample in samples:
            require_same_features(central, sample)
            sample.require_yield()
        bins = {name: _ascending(name, values) for name, values in edges.items()}
        if missing := [name for name in bins if name not in central.features]:
            raise ValueError(
                f"edges name {', '.join(missing)}, but {central.name} has the features {', '.join(central.features)}"
            )
        shape = tuple(len(e) - 1 for e in bins.values())
        rows = [_bin_of(bins, central.features, sample.events) for sample in samples]
        yields, squares = (
            [
                np.bincount(row, sample.weights**power, int(np.prod(shape))).reshape(shape)
                for row, sample in zip(rows, samples, strict=True)
            ]
            for power in (1, 2)
        )
        points = [(nu, y) for (nu, _), y in zip(varied, yields[1:], strict=True)]
        return cls(bins, yields[0], points, central.features, squares, interpolation)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms: a nuisance, its square by two, or a product of two; none of an interpolation."""
        return tuple(term_names(self.nuisances, self._terms))

    @property
    def quadratic(self) -> bool:
        """Whether bins have quadratic forms in nu, and no interpolation."""
        return bool(self._terms)

    @property
    def size(self) -> int:
        """One function of the event for each term, or each bin."""
        return len(self._terms) or self.values.shape[1]

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """The coefficients in the bin of each event, or 1 for its bin and 0 for all others.

        Raises:
            ValueError: if events have another number of features.
        """
        if events.shape[1] != len(self.features):
            raise ValueError(
                f"events have {events.shape[1]} features, but the binned log-ratio of {', '.join(self.nuisances)} was"
                f" made for {', '.join(self.features)}"
            )
        of_bin = np.eye(self.values.shape[1]) if self._between else self.values.T
        return of_bin[_bin_of(self.edges, self.features, events)]

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that the columns of this reference are the features that the bins are of.

        Raises:
            ValueError: naming what differs.
        """
        if self.features == reference.features:
            return
        raise ValueError(
            f"the binned log-ratio of {', '.join(self.nuisances)} is for the features {', '.join(self.features)}, but"
            f" {reference.name} has {', '.join(reference.features)}: name them in features=, all and in this order"
        )

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """(0, nu_i, nu_i^2 / 2, nu_i nu_j), or 0 and log r of each bin."""
        if self._between:
            parts = [log_r(nu[i] / step) for i, (step, log_r) in enumerate(self._between)]
            return jnp.concatenate([jnp.zeros_like(nu[:1]), jnp.sum(jnp.stack(parts), axis=0)])
        return jnp.concatenate([jnp.zeros_like(nu[:1]), traced_terms(self._terms, nu)])

    def document(self) -> dict[str, Any]:
        """Kind, names, edges, terms, and values in the bins."""
        return {
            "kind": "binned",
            "nuisances": list(self.nuisances),
            "features": list(self.features),
            "edges": {name: values.tolist() for name, values in self.edges.items()},
            "terms": list(self.terms),
            "values": [[rounded(value) for value in row] for row in self.values],
            **({"interpolation": self.interpolation} if self._between else {}),
        }


def _ascending(name: str, given: ArrayLike) -> Float64[np.ndarray, " e"]:
    edges = np.asarray(given, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise ValueError(
            f"the edges of {name} must be two or more finite numbers in ascending order, not {edges.tolist()}"
        )
    return edges


def _bin_of(
    edges: Mapping[str, Float64[np.ndarray, " _"]], features: tuple[str, ...], events: Float64[np.ndarray, "n d"]
) -> Int64[np.ndarray, " n"]:
    """Number of the bin of each event, the last feature running fastest; events beyond the edges in the outermost."""
    row = np.zeros(len(events), dtype=np.int64)
    for name, values in edges.items():
        inner = np.searchsorted(values[1:-1], events[:, features.index(name)], side="right")
        row = row * (len(values) - 1) + inner
    return row


def _yields(
    edges: Mapping[str, Float64[np.ndarray, " _"]], given: ArrayLike, where: str
) -> Float64[np.ndarray, " bins"]:
    yields, shape = np.asarray(given, dtype=np.float64), tuple(len(e) - 1 for e in edges.values())
    if yields.shape != shape:
        raise ValueError(
            f"the yields at {where} have shape {yields.shape}, but the edges of {', '.join(edges)} make bins of shape"
            f" {shape}"
        )
    if not (np.isfinite(yields) & (yields > 0)).all():
        first = np.argwhere(~(np.isfinite(yields) & (yields > 0)))[0]
        ranges = [f"{e[i]:g} < {name} < {e[i + 1]:g}" for (name, e), i in zip(edges.items(), first, strict=True)]
        raise ValueError(
            f"the bin {', '.join(ranges)} has the yield {yields[tuple(first)]:g} at {where}, and so no logarithm: merge"
            " it with a neighbour"
        )
    return yields.ravel()


def _relative_variances(
    edges: Mapping[str, Float64[np.ndarray, " _"]],
    given: Sequence[ArrayLike],
    histograms: Float64[np.ndarray, "m bins"],
) -> Float64[np.ndarray, "m bins"]:
    if len(given) != len(histograms):
        raise ValueError(
            f"variances are given for {len(given)} histograms, but there are {len(histograms)}, the central one first"
        )
    where = [f"histogram {i} (variances)" for i in range(len(given))]
    variances = [_yields(edges, v, here) for v, here in zip(given, where, strict=True)]
    return np.stack(variances) / histograms**2


def _where(nu: Nu) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in nu.items()) or "nu = 0"
