"""The full likelihood of a pyhf workspace as one analysis: its bins together, maximal over all nuisances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.stats import norm

from nplm.channels.curve import Curve
from nplm.channels.profile import ProfiledModel
from nplm.channels.table import RegionTable

# A limit that is larger than this many standard deviations is none.
_FARTHEST = 1e3
# Bins that have less than this part of the information that they would have without nuisances have none.
_UNSEEN = 1e-8


@dataclass(frozen=True, eq=False)
class WorkspaceLikelihood:
    """log L(s) = max over nu of log L(nu; s): counts, and the constraint terms of all nuisances, with yields s added.

    The signal of the workspace itself is left out (its parameter of interest is zero), and the signal that is added has
    no errors of its own.

    Arguments:
        model: fits it.
        counts, auxiliary: the data.
        truth: all parameters as fitted without a signal to what was observed, from which tables are drawn.
        information: of the bins on yields at `truth`, as expected, shape (k, k).
    """

    model: ProfiledModel
    counts: Float64[np.ndarray, " k"]
    auxiliary: Float64[np.ndarray, " a"]
    truth: Float64[np.ndarray, " p"]
    information: Float64[np.ndarray, "k k"]
    _curves: dict[bytes, Curve] = field(default_factory=dict, repr=False)
    _limits: dict[tuple[bytes, float], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, workspace: Mapping[str, Any], measurement: str | None = None) -> WorkspaceLikelihood:
        """Of a workspace, as a document of pyhf's JSON schema.

        Arguments:
            workspace: the document.
            measurement: which of its measurements; None for the first.

        Raises:
            ValueError: if pyhf is not installed or does not accept the workspace, it has modifiers that are not known,
                or the fit without a signal does not end.
        """
        model, counts = ProfiledModel.of_workspace(workspace, measurement)
        auxiliary = model.terms.auxiliary
        truth = model.fit(counts, auxiliary, np.zeros((1, len(counts))))[1][0]
        return cls(model, counts, auxiliary, truth, model.expected_information(truth)[1])

    @property
    def data(self) -> tuple[np.ndarray, ...]:
        """All numbers that decide about it."""
        bins, terms = self.model.bins, self.model.terms
        varied = [value for each in (bins.scales, bins.shapes) for value in vars(each).values()]
        return self.counts, self.auxiliary, bins.nominal, bins.bins, bins.factors, *varied, terms.scale, self.model.free

    @cached_property
    def background(self) -> Float64[np.ndarray, " p"]:
        """All parameters as fitted without a signal to these data."""
        return self.model.fit(self.counts, self.auxiliary, np.zeros((1, len(self.counts))), self.truth)[1][0]

    @cached_property
    def expected(self) -> Float64[np.ndarray, " k"]:
        """What bins expect by that fit."""
        return self.model.bins.at(self.background[None]).mean[0]

    @cached_property
    def slope(self) -> Float64[np.ndarray, " k"]:
        """d log L / d s where there is no signal: n / expected - 1."""
        return self.counts / np.maximum(self.expected, 1e-300) - 1

    def log_likelihood(self, signal: Float64[np.ndarray, "g k"]) -> Float64[np.ndarray, " g"]:
        """log L of each signal, as pyhf has it: by a fit each."""
        return self.model.fit(self.counts, self.auxiliary, signal, self.background)[0]

    def along(self, signal: Float64[np.ndarray, " k"], mu: Float64[np.ndarray, " g"]) -> Float64[np.ndarray, " g"]:
        """log L of a signal times each mu >= 0, to 1e-4 or so, from fits that are kept, see `nplm.channels.curve`."""
        curve, unit, _ = self._curve(signal)
        return curve.at(mu * unit)

    def sees(self, signal: Float64[np.ndarray, " k"]) -> bool:
        """Whether the bins say anything of a signal: backgrounds that nothing else measures may look like it."""
        certain = float((signal**2 / np.maximum(self.expected, 1e-300)).sum())
        return float(signal @ self.information @ signal) > _UNSEEN * certain

    def best_mu(self, signal: Float64[np.ndarray, " k"]) -> float:
        """The mu >= 0 of largest likelihood."""
        curve, unit, _ = self._curve(signal)
        return curve.top() / unit

    def drawn(self, rng: np.random.Generator) -> WorkspaceLikelihood:
        """With counts and auxiliary data drawn from the fit without a signal to what was observed."""
        counts, auxiliary = self.model.draw(self.truth, rng)
        return self.with_data(counts, auxiliary)

    def with_data(self, counts: Float64[np.ndarray, " k"], auxiliary: Float64[np.ndarray, " a"]) -> WorkspaceLikelihood:
        """The same with other data."""
        return WorkspaceLikelihood(self.model, counts, auxiliary, self.truth, self.information)

    def upper_limit(self, signal: Float64[np.ndarray, " k"], level: float = 0.05) -> float:
        """The mu at which CLs of the test statistic q~_mu is at the level, by the asymptotic formulae.

        With the Asimov data of the fit without a signal (G. Cowan et al., Eur. Phys. J. C 71 (2011) 1554), as
        `pyhf.infer.intervals.upper_limits` has it. Infinite where the bins say nothing of it.

        Arguments:
            signal: yields at mu = 1.
            level: 0.05 for limits at 95% confidence level.
        """
        if not self.sees(signal):
            return np.inf
        curve, unit, key = self._curve(signal)
        if (key, level) not in self._limits:
            self._limits[key, level] = _limit(curve, self._asimov._curve(signal)[0], level)
        return self._limits[key, level] / unit

    @cached_property
    def _asimov(self) -> WorkspaceLikelihood:
        return self.with_data(self.expected, self.model.auxiliary_at(self.background))

    def _curve(self, signal: np.ndarray) -> tuple[Curve, float, bytes]:
        """log L along a signal, how many units of the curve mu = 1 is, and what is kept of it under which key."""
        unit = float(np.sqrt(max(signal @ self.information @ signal, 1e-300)))
        direction = np.round(signal / unit, 12)
        key = direction.tobytes()
        if key not in self._curves:
            seen = (direction > 0) & (self.counts > 0)
            scale = float((self.expected[seen] / direction[seen]).min()) if seen.any() else np.inf
            self._curves[key] = Curve(partial(self._fitted, direction), scale)
        return self._curves[key], unit, key

    def _fitted(self, direction: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log L and its derivative at each t."""
        signal = t[:, None] * direction
        value, parameters = self.model.fit(self.counts, self.auxiliary, signal, self.background)
        mean = self.model.bins.at(parameters).mean + signal
        ratio = np.divide(self.counts, mean, out=np.zeros_like(mean), where=mean > 0)
        return value, (ratio - 1) @ direction


def require_bins(table: RegionTable, likelihoods: Mapping[str, WorkspaceLikelihood]) -> None:
    """Refuses full likelihoods that are not of the regions of a table.

    Raises:
        ValueError: naming the analysis.
    """
    for name, likelihood in likelihoods.items():
        rows = table.rows.get(name, np.empty(0, dtype=np.int64))
        if not np.array_equal(table.observed[rows], likelihood.counts):
            raise ValueError(
                f"the full likelihood of '{name}' is not of its regions in {table.name}, which must be the bins of the"
                " workspace with their counts: read the table with the same workspaces"
            )


def _limit(curve: Curve, asimov: Curve, level: float) -> float:
    """Where CLs is at the level, in units of the curves."""
    best = curve.top()
    most, nothing = float(curve.at(np.array([best]))[0]), float(asimov.at(np.zeros(1))[0])

    def cls(t: float) -> float:
        at = np.array([t])
        q = 2 * max(most - float(curve.at(at)[0]), 0.0) if t > best else 0.0
        q_asimov = 2 * max(nothing - float(asimov.at(at)[0]), 1e-300)
        root, root_asimov = np.sqrt(q), np.sqrt(q_asimov)
        if q <= q_asimov:
            return float(norm.sf(root) / norm.sf(root - root_asimov))
        return float(norm.sf((q + q_asimov) / (2 * root_asimov)) / norm.sf((q - q_asimov) / (2 * root_asimov)))

    top = best + 2.0
    while cls(top) > level:
        top *= 2
        if top > _FARTHEST:
            return np.inf
    return float(brentq(lambda t: cls(t) - level, best, top, xtol=1e-9, rtol=1e-9))
