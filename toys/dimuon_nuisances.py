"""Dimuon events with an imperfect reference: muon momentum scales, efficiency and yield are not well known.

Nuisances, all of them logarithms of factors:
    barrel, endcap: of the measured pT of muons with |eta| below and above BARREL.
    efficiency: of the probability to find a muon in the endcap.
    norm: of the yield.

Unlike in `toys.dimuon`, the spectrum is that of dimuons before cuts on muons, and it begins just below the cut on the
mass: the measured momenta are scaled first and cut then, so that events move into and out of the sample. The ratio of
densities is exact, acceptance included: with s the scale of each muon,

    log r = log p(pt1/s1, pt2/s2, ...) - log p(pt1, pt2, ...) - log s1 s2 + (endcap muons) efficiency + norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from nplm.data.sample import Sample
from nplm.nuisance.ratios.interpolated import CallableLogRatio
from nplm.nuisance.ratios.separable import Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.nuisance.values import nu_of
from toys.dimuon import FEATURES, ContinuumWithZ, Cuts, Process, invariant_mass
from toys.dimuon_density import MuonDensity

NUISANCES = ("barrel", "endcap", "efficiency", "norm")
CENTRAL: Mapping[str, float] = {}
# Above the Z peak.
HIGH_MASS = Cuts(min_mass=100.0)
# Upper limit of the leading muon's pT, so that scaled muons never need more than the collision energy.
MAX_PT = 500.0
# |eta| where the barrel ends.
BARREL = 1.2
# Events that find how the yield moves with the scales, and their seed.
_EVENTS, _SEED = 200_000, 1


@dataclass(frozen=True)
class ScaledDimuon:
    """The problem.

    Arguments:
        cuts: what measured events fulfil.
        expected_yield: number of events expected at nu = 0, after cuts.
        reach: largest |barrel| and |endcap|.
        order: degree of its interpolation in them, see `CallableLogRatio`.

    Raises:
        ValueError: if the reach is not positive, or above 0.1.
    """

    cuts: Cuts = HIGH_MASS
    expected_yield: float = 20_000.0
    reach: float = 0.025
    order: int = 6
    process: Process = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.reach <= 0.1:
            raise ValueError(f"the reach must be positive and at most 0.1, not {self.reach:g}")
        open_cuts = Cuts(np.exp(-self.reach) * self.cuts.min_mass, 0.0, np.inf)
        object.__setattr__(self, "process", Process(ContinuumWithZ(), open_cuts))

    @property
    def features(self) -> tuple[str, ...]:
        """As in `toys.dimuon`."""
        return FEATURES

    def draw(self, rng: np.random.Generator, n: int, nu: Mapping[str, float] = CENTRAL) -> Float64[np.ndarray, "n 5"]:
        """n measured events at nu."""
        barrel, endcap, efficiency, _ = nu_of(NUISANCES, nu)
        self._require_within(barrel, endcap)
        events, wanted = np.empty((0, len(FEATURES))), n
        while wanted > 0:
            drawn = measured(self.process.sample(rng, 3 * wanted + 100), barrel, endcap)
            drawn = drawn[self.accepts(drawn)]
            keep = np.exp(efficiency * (endcap_muons(drawn) - (2 if efficiency > 0 else 0)))
            events = np.concatenate([events, drawn[rng.random(len(drawn)) < keep]])
            wanted = n - len(events)
        return events[:n]

    def accepts(self, events: Float64[np.ndarray, "n 5"]) -> Bool[np.ndarray, " n"]:
        """Whether measured events pass the cuts on mass, pT and eta, and MAX_PT."""
        in_range = (invariant_mass(events) > self.cuts.min_mass) & (events[:, 0] < MAX_PT)
        return np.asarray(self.cuts.accept(events) & in_range)

    def yield_at(self, nu: Mapping[str, float]) -> float:
        """Number of events expected after cuts: expected_yield E_0[r(x; nu)], known to 1e-4 for scales off by 0.5%."""
        if not any(nu.values()):
            return self.expected_yield
        barrel, endcap, efficiency, norm = nu_of(NUISANCES, nu)
        self._require_within(barrel, endcap)
        log_r = self.exact_log_ratio(self._events, np.array([barrel, endcap])) + efficiency * endcap_muons(self._events)
        return self.expected_yield * float(np.exp(log_r + norm).mean())

    def draw_reference(
        self,
        rng: np.random.Generator,
        n_reference: int,
        expected_yield: float | None = None,
        nu: Mapping[str, float] = CENTRAL,
    ) -> Sample:
        """n_reference events at nu, whose weights add up to the yield expected there.

        Arguments:
            rng: where the randomness comes from.
            n_reference: number of events.
            expected_yield: number of events expected at nu = 0; None for the problem's own.
            nu: by name; 0 for those that are not named.
        """
        weight = self._expected(expected_yield, nu) / n_reference
        return Sample(self.draw(rng, n_reference, nu), np.full(n_reference, weight), FEATURES, "reference")

    def draw_data(
        self, rng: np.random.Generator, expected_yield: float | None = None, nu: Mapping[str, float] = CENTRAL
    ) -> Sample:
        """Data at the true nu: a Poisson number of events; arguments as in `draw_reference`."""
        return Sample(self.draw(rng, rng.poisson(self._expected(expected_yield, nu)), nu), None, FEATURES, "data")

    def exact_log_ratio(
        self, events: Float64[np.ndarray, "n 5"], scales: Float64[np.ndarray, " 2"]
    ) -> Float64[np.ndarray, " n"]:
        """log r of the two momentum scales (barrel, endcap)."""
        density = MuonDensity(self.process)
        back, log_factor = _scaled(events, -scales[0], -scales[1])
        return density(back) - density(events) + log_factor

    def exact_ratio(self) -> SumOfLogRatios:
        """The exact log-ratio of all nuisances, in the order of NUISANCES; the scales interpolated within the reach."""
        description = f"momentum scales of dimuons, |eta| = {BARREL:g}, {self.cuts}"
        scales = CallableLogRatio(("barrel", "endcap"), self.exact_log_ratio, self.reach, self.order, 1e-4, description)
        efficiency = SeparableLogRatio("efficiency", _efficiency_coefficients, endcap_muons, "per endcap muon")
        return SumOfLogRatios((scales, efficiency, Normalization("norm")))

    def __reduce__(self) -> tuple[type[ScaledDimuon], tuple[object, ...]]:
        # Without the events, which are megabytes.
        return ScaledDimuon, (self.cuts, self.expected_yield, self.reach, self.order)

    @cached_property
    def _events(self) -> Float64[np.ndarray, "n 5"]:
        return self.draw(np.random.default_rng(_SEED), _EVENTS)

    def _expected(self, expected_yield: float | None, nu: Mapping[str, float]) -> float:
        moved = self.yield_at(nu)
        return moved if expected_yield is None else moved * expected_yield / self.expected_yield

    def _require_within(self, *scales: float) -> None:
        if max(np.abs(scales)) > self.reach:
            raise ValueError(f"barrel and endcap must be within the reach {self.reach:g}, not {scales}")


def endcap_muons(events: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, " n"]:
    """Number of the event's muons in the endcap."""
    return (np.abs(events[:, 2:4]) >= BARREL).sum(axis=1).astype(np.float64)


def measured(events: Float64[np.ndarray, "n 5"], barrel: float, endcap: float) -> Float64[np.ndarray, "n 5"]:
    """Events with scaled momenta, the leading muon first."""
    moved, _ = _scaled(events, barrel, endcap)
    swap = moved[:, 1] > moved[:, 0]
    moved[swap] = moved[swap][:, [1, 0, 3, 2, 4]]
    return moved


def _scaled(
    events: Float64[np.ndarray, "n 5"], barrel: float, endcap: float
) -> tuple[Float64[np.ndarray, "n 5"], Float64[np.ndarray, " n"]]:
    """Events with scaled momenta, and the logarithm of the product of both muons' factors."""
    log_factors = np.where(np.abs(events[:, 2:4]) < BARREL, barrel, endcap)
    moved = events.copy()
    moved[:, :2] *= np.exp(log_factors)
    return moved, log_factors.sum(axis=1)


def _efficiency_coefficients(nu: Float[Array, " 1"]) -> Float[Array, " 2"]:
    return jnp.stack([0.0 * nu[0], nu[0]])


SCALED_DIMUON = ScaledDimuon()
