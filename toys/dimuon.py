"""A dimuon-like problem of five features: a falling mass spectrum with a Z peak, and muons that follow from it.

An event is made in two steps. Its dimuon mass m is drawn from the spectrum of its process (background, resonance or
contact interaction), and its muons from a model of the dimuon's transverse momentum, rapidity and decay that depends
on m alone and is shared by all processes. Muons that fail the cuts on pT and eta are drawn again *at the same mass*.
The spectra are thus those of the accepted events, and the density of the features is

    p(x) = f(m(x)) k(x),    with k the same for all processes, acceptance included,

so that the ratio of two processes is the ratio of their mass spectra: exact, and without any acceptance integral. (The
spectrum before the cuts is f(m) divided by the acceptance at m.)

Masses are in GeV, and those that a detector measures: the resolution is part of the spectrum. The set-up is that of
arXiv:1912.12155, with this generator in place of its simulation; all yields are numbers of events after the cuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import voigt_profile

from toys.additive import AdditiveProblem, Distribution, Signal

FEATURES = ("pt1", "pt2", "eta1", "eta2", "dphi")
COLLISION_ENERGY = 13_000.0
# Of the mass, about that of muons at LHC experiments.
RESOLUTION = 0.015
# Points of a spectrum's table, equally spaced in log m. The cumulative probability is then known to 1e-6.
_POINTS = 100_001


@dataclass(frozen=True)
class Resonance:
    """A Breit-Wigner peak seen with finite resolution, relative to the continuum.

    Arguments:
        mass: M.
        width: Gamma.
        height: ratio of peak to continuum at m = M.
    """

    mass: float
    width: float
    height: float = 1.0

    def __call__(self, m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """height * q(m) / q(M), q(m) = m^4 / (m + M)^2 V(m - M).

        V is the Voigt profile of Gamma and the resolution at M. Far from the peak, where V -> Gamma / (2 pi (m - M)^2),
        this is the m^4 / (m^2 - M^2)^2 that the squared propagator has relative to a photon's.
        """
        sigma, gamma = RESOLUTION * self.mass, self.width / 2
        shape = m**4 / (m + self.mass) ** 2 * voigt_profile(m - self.mass, sigma, gamma)
        return self.height * shape / (self.mass**2 / 4 * voigt_profile(0.0, sigma, gamma))


@dataclass(frozen=True)
class Power:
    """A ratio to the continuum that grows as (m / TeV)^exponent: 2 for the interference of a contact interaction with
    the photon, 4 for its square.

    Arguments:
        exponent: the exponent.
    """

    exponent: float

    def __call__(self, m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """(m / TeV)^exponent."""
        return (m / 1000.0) ** self.exponent


@dataclass(frozen=True)
class ContinuumWithZ:
    """The background: photon exchange, which is the continuum itself, and the Z. Interference is left out."""

    def __call__(self, m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """1 + the Z peak."""
        return 1.0 + Resonance(mass=91.19, width=2.495, height=300.0)(m)


def continuum(m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Shape of the spectrum of photon exchange, x^-4 (1 - x)^12 with x = m / COLLISION_ENERGY."""
    x = m / COLLISION_ENERGY
    return x**-4 * (1 - x) ** 12


@dataclass(frozen=True)
class Cuts:
    """What an accepted event fulfils.

    Arguments:
        min_mass: lower limit of the dimuon mass.
        min_pt: lower limit of the transverse momentum of both muons.
        max_abs_eta: upper limit of |eta| of both muons.

    Raises:
        ValueError: if the mass is outside (2 min_pt, COLLISION_ENERGY), or max_abs_eta not positive: a dimuon of little
            momentum, drawn until it is accepted, might never be.
    """

    min_mass: float = 60.0
    min_pt: float = 20.0
    max_abs_eta: float = 2.4

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.min_pt < self.min_mass < COLLISION_ENERGY or not self.max_abs_eta > 0:
            raise ValueError(
                f"min_mass must lie between 2 min_pt and {COLLISION_ENERGY:g}, and max_abs_eta be positive, not"
                f" {self.min_mass:g}, {self.min_pt:g} and {self.max_abs_eta:g}"
            )

    def accept(self, events: Float64[np.ndarray, "n 5"]) -> Bool[np.ndarray, " n"]:
        """Whether the muons of an event pass the cuts on pT and eta."""
        pt2, abs_eta = events[:, 1], np.abs(events[:, 2:4])
        return (pt2 > self.min_pt) & (abs_eta < self.max_abs_eta).all(axis=1)


@dataclass(frozen=True)
class Process:
    """Accepted dimuon events with the mass spectrum f(m), proportional to continuum(m) * enhancement(m).

    Arguments:
        enhancement: ratio of the spectrum to the continuum, up to a factor.
        cuts: what accepted events fulfil.
    """

    enhancement: Resonance | Power | ContinuumWithZ
    cuts: Cuts

    def __reduce__(self) -> tuple[type[Process], tuple[object, Cuts]]:
        # Without the table, which is megabytes and made again in milliseconds.
        return Process, (self.enhancement, self.cuts)

    @cached_property
    def _table(self) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"], float]:
        """Masses, cumulative probabilities, and the integral of continuum * enhancement."""
        m = mass_grid(self.cuts)
        spectrum = continuum(m) * self.enhancement(m)
        integral = np.concatenate([[0.0], np.cumsum((spectrum[1:] + spectrum[:-1]) / 2 * np.diff(m))])
        return m, integral / integral[-1], float(integral[-1])

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n 5"]:
        """n accepted events: masses by the inverse of the cumulative distribution, then muons."""
        m, cumulative, _ = self._table
        return draw_muons(rng, np.interp(rng.random(n), cumulative, m), self.cuts)

    def mass_density(self, m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Probability density f(m) of the mass of accepted events, for masses that pass the cut."""
        return continuum(m) * self.enhancement(m) / self._table[2]

    def log_density(self, events: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, " n"]:
        """log f(m) - log continuum(m), for accepted events: what a process does not share with the others."""
        return np.log(self.enhancement(invariant_mass(events))) - np.log(self._table[2])


@dataclass(frozen=True)
class Dimuon(AdditiveProblem):
    """Dimuon events; the features are pT and eta of the leading and of the other muon, and |phi1 - phi2| in [0, pi].

    Signals, with the yields as shares of the expected yield:
        resonance: 0.15%, a Z' at the given mass and with the given width.
        contact: 0.05%, a spectrum that grows with m^4 relative to the continuum.
        interference: 0.5%, one that grows with m^2.

    Arguments:
        cuts: what accepted events fulfil.
        expected_yield: N(B), after cuts.
        resonance_mass: mass of the Z'.
        resonance_width: its width.
    """

    cuts: Cuts = Cuts()
    expected_yield: float = 20_000.0
    resonance_mass: float = 300.0
    resonance_width: float = 10.0
    SIGNALS: Mapping[str, Signal] = field(init=False, repr=False, compare=False)
    background: Process = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        resonance = Resonance(self.resonance_mass, self.resonance_width)
        signals = (
            Signal("resonance", 0.0015 * self.expected_yield, Process(resonance, self.cuts)),
            Signal("contact", 0.0005 * self.expected_yield, Process(Power(4.0), self.cuts)),
            Signal("interference", 0.005 * self.expected_yield, Process(Power(2.0), self.cuts)),
        )
        object.__setattr__(self, "SIGNALS", {signal.name: signal for signal in signals})
        object.__setattr__(self, "background", Process(ContinuumWithZ(), self.cuts))

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, FEATURES."""
        return FEATURES

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n 5"]:
        """n accepted background events."""
        return self.background.sample(rng, n)

    def log_density(self, events: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, " n"]:
        """`Process.log_density` of the background."""
        return self.background.log_density(events)

    def cells(
        self, other: Distribution
    ) -> tuple[Float64[np.ndarray, " cells"], Float64[np.ndarray, " cells"], Float64[np.ndarray, " cells"]]:
        """Intervals of the mass, on which alone the ratio of two processes depends: no Monte Carlo.

        Raises:
            TypeError: if `other` is not a process, or has other cuts.
        """
        if not isinstance(other, Process) or other.cuts != self.cuts:
            raise TypeError("the ratio is one of mass spectra only for dimuon processes with the same cuts")
        edges = mass_grid(self.cuts)
        m, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
        b, s = self.background.mass_density(m) * width, other.mass_density(m) * width
        return np.log(s / b), b, s


def mass_grid(cuts: Cuts) -> Float64[np.ndarray, " points"]:
    """Masses from the cut to the collision energy, equally spaced in log m."""
    return np.geomspace(cuts.min_mass, COLLISION_ENERGY, _POINTS)


def invariant_mass(events: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, " n"]:
    """Dimuon mass of massless muons, m^2 = 2 pt1 pt2 (cosh(eta1 - eta2) - cos(dphi))."""
    pt1, pt2, eta1, eta2, dphi = events.T
    # In half angles, where two terms that are nearly equal for close muons become a sum.
    return 2.0 * np.sqrt(pt1 * pt2 * (np.sinh((eta1 - eta2) / 2) ** 2 + np.sin(dphi / 2) ** 2))


def draw_muons(rng: np.random.Generator, m: Float64[np.ndarray, " n"], cuts: Cuts) -> Float64[np.ndarray, "n 5"]:
    """Features of accepted muons, for each mass drawn until they pass the cuts."""
    events = np.empty((len(m), len(FEATURES)))
    missing = np.arange(len(m))
    while len(missing):
        drawn = decay(rng, m[missing], *draw_dimuons(rng, m[missing]))
        accepted = cuts.accept(drawn)
        events[missing[accepted]] = drawn[accepted]
        missing = missing[~accepted]
    return events


def draw_dimuons(
    rng: np.random.Generator, m: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Transverse momentum and rapidity of dimuons of mass m.

    dN/dpT^2 falls as (1 + pT^2 / p0^2)^-2 with p0 = 10 GeV sqrt(m / 91 GeV), and dN/dy as 1 - (y / y_max)^2, up to
    the kinematic limits for a recoil without mass: pT < (s - m^2) / (2 sqrt(s)), cosh y_max = (s + m^2) / (2 sqrt(s)
    m_T).
    """
    s, root_s = COLLISION_ENERGY**2, COLLISION_ENERGY
    scale = 100.0 * m / 91.0
    largest = ((s - m**2) / (2 * root_s)) ** 2 / scale
    # F(t) = t / (1 + t) with t = pT^2 / p0^2, cut off at the largest t.
    u = rng.random(len(m)) * largest / (1 + largest)
    pt = np.sqrt(scale * u / (1 - u))
    y_max = np.arccosh(np.maximum((s + m**2) / (2 * root_s * np.hypot(m, pt)), 1.0))
    return pt, y_max * (2 * rng.beta(2.0, 2.0, len(m)) - 1)


def decay(
    rng: np.random.Generator,
    m: Float64[np.ndarray, " n"],
    pt: Float64[np.ndarray, " n"],
    y: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, "n 5"]:
    """Features of the two muons of dimuons with given mass, transverse momentum and rapidity.

    The angles are those of the Collins-Soper frame, dN/dcos(theta) ~ 1 + cos^2(theta), as for a spin-1 dimuon from
    massless quarks. Its axes are those of the laboratory once the dimuon is boosted along the beam to y = 0, and then
    along its pT to rest. There is no forward-backward asymmetry.
    """
    # Solves cos^3 + 3 cos = 8 u - 4, the cumulative distribution.
    cos = 2 * np.sinh(np.arcsinh(4 * rng.random(len(m)) - 2) / 3)
    phi = rng.uniform(-np.pi, np.pi, len(m))
    sin = np.sqrt(np.maximum(1 - cos**2, 0.0))
    # Momentum of one muon in units of its energy m / 2; that of the other is opposite. x is along the dimuon's pT.
    direction = np.stack([sin * np.cos(phi), sin * np.sin(phi), cos])
    x, across, along = np.stack([direction, -direction], axis=1) * m / 2
    x = (np.hypot(m, pt) * x + pt * m / 2) / m
    muon_pt = np.hypot(x, across)
    eta = np.arcsinh(along / muon_pt) + y
    azimuth = np.abs(np.diff(np.arctan2(across, x), axis=0)[0])
    lead = (muon_pt[1] > muon_pt[0]).astype(np.int64)
    row = np.arange(len(m))
    return np.stack(
        [
            muon_pt[lead, row],
            muon_pt[1 - lead, row],
            eta[lead, row],
            eta[1 - lead, row],
            np.minimum(azimuth, 2 * np.pi - azimuth),
        ],
        axis=1,
    )


DIMUON = Dimuon()
# Above the Z peak, where the spectrum only falls.
DIMUON_HIGH_MASS = Dimuon(Cuts(min_mass=100.0))
