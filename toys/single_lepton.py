"""Events with a lepton in 21 mixed features: momenta and masses that may be zero, missing momentum, counts and flags.

The features, and the kinds of their distributions, are after arXiv:1811.10276, which looks for rare events with a
variational autoencoder; the numbers are not: this is a problem with a density that can be
written down, and no simulation of a detector. Two latent variables correlate the features: which process an event is
of, and its activity, one of five levels. Given both, features follow one after another,

    p(x) = sum over processes and levels of P(process) P(level) prod_j p_j(x_j | earlier features, process, level),

with densities per unit of the feature where it is continuous, and probabilities of single values: of zero for what is
clipped, and of whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp
from scipy.stats import binom

from toys.additive import AdditiveProblem, Signal
from toys.conditionals import Choice, Conditional, Normal, Poisson, Sign, ZeroOrLogNormal

CLIPPED = ("st", "mj", "pt_mu", "m_mu", "pt_e", "m_e", "pt_lep", "iso_charged", "iso_neutral", "iso_photon")
GAUSSIAN = ("met_par", "met_perp")
TRUNCATED = ("mt",)
COUNTS = ("n_mu", "n_e", "n_b", "n_jet", "n_charged", "n_neutral")
FLAGS = ("is_electron", "charge")
FEATURES = CLIPPED + GAUSSIAN + TRUNCATED + COUNTS + FLAGS
_AT = {name: j for j, name in enumerate(FEATURES)}
# Each is drawn given those before it.
_ORDER = (
    *("n_jet", "n_b", "is_electron", "charge", "n_mu", "n_e", "pt_lep", "pt_mu", "pt_e", "m_mu", "m_e", "st", "mj"),
    *("mt", "met_par", "met_perp", "iso_charged", "iso_neutral", "iso_photon", "n_charged", "n_neutral"),
)
# Levels of the activity, with mean zero and variance one: binomial, less its mean.
LEVELS = np.arange(-2.0, 3.0)
LEVEL_SHARES = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_MOST_JETS, _MOST_LEPTONS = 10, 3
# Jets' mass over their energy, and how much more activity adds to logs of energies, of numbers and of odds.
_JET_MASS, _PER_LEVEL = 0.3, 0.12

Events = Float64[np.ndarray, "n 21"]
Values = Float64[np.ndarray, " n"]


@dataclass(frozen=True)
class Process:
    """Events of one kind.

    Arguments:
        pt: median and width of log of the lepton's transverse momentum in GeV.
        mt: mean and width of the transverse mass, a normal variable that is larger than zero.
        along, across: of the missing transverse momentum along the lepton the mean, where mt is at its own, and the
            width; and the width across.
        jets: mean of their number before it is kept within 0 and 10, and its width.
        b: probability that a jet is a b jet.
        energy: median of the jets' energy over their number, in GeV.
        same, other: of further leptons of the lepton's flavour and the other one: their numbers i and j have
            probabilities proportional to same^i other^j, up to three in all.
        leptons: numbers (same, other) that have the probability `fixed` whatever that says.
        fixed: that probability, shared by the pairs evenly.
        mass: median and width of log of the mass of two leptons of one flavour.
        isolated: probabilities that nothing charged, neutral, or electromagnetic is near the lepton.
        tracks: means of the numbers of charged and of neutral particles, at the mean activity and without jets.
        electrons: share of events whose lepton is an electron.
        positive: share of events whose lepton has the charge +1.
    """

    pt: tuple[float, float] = (38.0, 0.3)
    mt: tuple[float, float] = (70.0, 18.0)
    along: tuple[float, float] = (-15.0, 14.0)
    across: float = 12.0
    jets: tuple[float, float] = (0.6, 1.0)
    b: float = 0.02
    energy: float = 42.0
    same: float = 0.005
    other: float = 0.005
    leptons: tuple[tuple[int, int], ...] = ()
    fixed: float = 0.0
    mass: tuple[float, float] = (35.0, 0.6)
    isolated: tuple[float, float, float] = (0.8, 0.7, 0.6)
    tracks: tuple[float, float] = (80.0, 30.0)
    electrons: float = 0.45
    positive: float = 0.5

    def sample(self, rng: np.random.Generator, n: int) -> Events:
        """n events."""
        events = np.zeros((n, len(FEATURES)))
        level = rng.choice(len(LEVELS), n, p=LEVEL_SHARES)
        for k, activity in enumerate(LEVELS):
            rows = np.flatnonzero(level == k)
            some = events[rows]
            for name in _ORDER:
                some[:, _AT[name]] = self.given(name, some, activity).draw(rng)
            events[rows] = some
        return events

    def log_density(self, events: Events) -> Values:
        """log p(x)."""
        terms = [
            np.log(share) + sum(self.given(name, events, a).log_density(events[:, _AT[name]]) for name in _ORDER)
            for a, share in zip(LEVELS, LEVEL_SHARES, strict=True)
        ]
        return np.asarray(logsumexp(terms, axis=0))

    def given(self, name: str, events: Events, activity: float) -> Conditional:
        """The distribution of a feature given those before it, and the activity."""
        x = {each: events[:, at] for each, at in _AT.items()}
        everywhere, more = np.zeros(len(events)), _PER_LEVEL * activity
        electron, jets = x["is_electron"].astype(np.int64), x["n_jet"]
        match name:
            case "n_jet":
                table = self.jet_numbers(activity)[None]
                return Choice(table, everywhere.astype(np.int64))
            case "n_b":
                return Choice(_jets_with_b(self.b), jets.astype(np.int64))
            case "is_electron":
                return Choice(np.array([[1 - self.electrons, self.electrons]]), everywhere.astype(np.int64))
            case "charge":
                return Sign(everywhere + self.positive)
            case "n_mu":
                return Choice(self._leptons.sum(axis=2), electron)
            case "n_e":
                known = self._leptons / np.maximum(self._leptons.sum(axis=2, keepdims=True), 1e-300)
                kinds, muons = known.reshape(-1, known.shape[2]), x["n_mu"].astype(np.int64)
                return Choice(kinds, electron * known.shape[1] + muons)
            case "pt_lep":
                return ZeroOrLogNormal(everywhere, everywhere + np.log(self.pt[0]) + more, everywhere + self.pt[1])
            case "pt_mu" | "pt_e":
                own, number = (electron, x["n_e"]) if name == "pt_e" else (1 - electron, x["n_mu"])
                # That of the lepton itself if it is the only one; others are softer.
                alone = (own == 1) & (number == 1)
                first = np.where(own == 1, np.log(np.maximum(x["pt_lep"], 1e-300)), np.log(0.5 * self.pt[0]))
                location = first + 0.6 * np.log(np.maximum(number, 1))
                return ZeroOrLogNormal((number == 0) + 0.0, location, np.where(alone, 0.04, 0.35))
            case "m_mu" | "m_e":
                number = x["n_mu"] if name == "m_mu" else x["n_e"]
                location = np.log(self.mass[0]) + 0.4 * np.maximum(number - 2, 0)
                return ZeroOrLogNormal((number < 2) + 0.0, location, everywhere + self.mass[1])
            case "st":
                location = np.log(self.energy * np.maximum(jets, 1)) + more
                return ZeroOrLogNormal((jets == 0) + 0.0, location, 0.4 / np.sqrt(np.maximum(jets, 1)))
            case "mj":
                energy = np.log(np.maximum(x["st"], 1e-300))
                location = energy + np.log(_JET_MASS * np.maximum(jets, 1))
                return ZeroOrLogNormal((jets == 0) + 0.0, location, everywhere + 0.4)
            case "mt":
                return Normal(everywhere + self.mt[0], self.mt[1], 0.0)
            case "met_par":
                return Normal(self.along[0] - 0.3 * (x["mt"] - self.mt[0]), self.along[1])
            case "met_perp":
                return Normal(everywhere, self.across * np.exp(more))
            case "iso_charged" | "iso_neutral" | "iso_photon":
                alone = self.isolated[("iso_charged", "iso_neutral", "iso_photon").index(name)]
                odds = alone / (1 - alone) * np.exp(-2 * more)
                # What is near a lepton that is not isolated is more.
                location = everywhere + np.log(0.03 + 0.1 * (1 - alone)) + more
                return ZeroOrLogNormal(everywhere + odds / (1 + odds), location, everywhere + 0.6)
            case "n_charged" | "n_neutral":
                mean = self.tracks[name == "n_neutral"]
                return Poisson(mean * np.exp(2 * more) * (1 + 0.05 * jets))
        raise ValueError(f"there is no feature '{name}'")

    def jet_numbers(self, activity: float) -> Float64[np.ndarray, " values"]:
        """Probabilities of 0, 1, ... jets: a normal density there, made to add up to one."""
        number = np.arange(_MOST_JETS + 1)
        density = np.exp(-0.5 * ((number - self.jets[0] - 3 * _PER_LEVEL * activity) / self.jets[1]) ** 2)
        return density / density.sum()

    @cached_property
    def _leptons(self) -> Float64[np.ndarray, "flavours muons electrons"]:
        """Probabilities of the numbers of muons and electrons, where the lepton is a muon and where an electron."""
        further = np.zeros((_MOST_LEPTONS + 1, _MOST_LEPTONS + 1))
        for i in range(_MOST_LEPTONS + 1):
            for j in range(_MOST_LEPTONS + 1 - i):
                further[i, j] = self.same**i * self.other**j
        further *= (1 - self.fixed) / further.sum()
        for pair in self.leptons:
            further[pair] += self.fixed / len(self.leptons)
        found = np.zeros((2, _MOST_LEPTONS + 2, _MOST_LEPTONS + 2))
        found[0, 1:, :-1] = further
        found[1, :-1, 1:] = further.T
        return found


# Shares of the background, about those of the paper's stream.
BACKGROUND: Mapping[str, tuple[float, Process]] = MappingProxyType(
    {
        "W": (0.607, Process(positive=0.57)),
        "QCD": (
            0.32,
            Process(
                pt=(29.0, 0.25),
                mt=(18.0, 22.0),
                along=(8.0, 16.0),
                across=14.0,
                jets=(1.6, 1.2),
                b=0.06,
                same=0.004,
                other=0.002,
                isolated=(0.15, 0.2, 0.2),
                tracks=(100.0, 38.0),
                electrons=0.35,
            ),
        ),
        "Z": (
            0.07,
            Process(
                mt=(35.0, 25.0),
                along=(0.0, 13.0),
                leptons=((1, 0),),
                fixed=0.5,
                mass=(91.0, 0.03),
                electrons=0.5,
            ),
        ),
        "tt": (
            0.003,
            Process(
                pt=(45.0, 0.45),
                mt=(80.0, 35.0),
                along=(-15.0, 30.0),
                across=35.0,
                jets=(4.0, 1.4),
                b=0.35,
                same=0.08,
                other=0.12,
                mass=(70.0, 0.6),
                tracks=(110.0, 42.0),
            ),
        ),
    }
)
# What is new: a light particle that decays into four leptons; two taus; a tau and a neutrino; b jets and a tau.
SIGNALS: Mapping[str, tuple[float, Process]] = MappingProxyType(
    {
        "four leptons": (
            35.0,
            Process(
                pt=(24.0, 0.2),
                mt=(28.0, 16.0),
                along=(2.0, 10.0),
                jets=(0.3, 0.8),
                leptons=((3, 0), (1, 2)),
                fixed=0.6,
                same=0.5,
                other=0.5,
                mass=(22.0, 0.1),
            ),
        ),
        "two taus": (
            70.0,
            Process(
                pt=(24.0, 0.25),
                mt=(25.0, 15.0),
                along=(45.0, 18.0),
                across=20.0,
                jets=(0.4, 0.8),
                leptons=((0, 1),),
                fixed=0.8,
                mass=(30.0, 0.4),
            ),
        ),
        "tau and neutrino": (
            80.0,
            Process(pt=(30.0, 0.35), mt=(110.0, 32.0), along=(15.0, 35.0), across=52.0, jets=(0.3, 0.8)),
        ),
        "leptoquark": (
            50.0,
            Process(
                pt=(28.0, 0.25),
                mt=(25.0, 18.0),
                along=(5.0, 14.0),
                jets=(3.2, 0.5),
                b=0.95,
                energy=55.0,
                isolated=(0.5, 0.5, 0.5),
            ),
        ),
    }
)


@dataclass(frozen=True)
class SingleLepton(AdditiveProblem):
    """The background with four signals, whose yields are for the expected yield of 20,000 events.

    Signals:
        four leptons: 35 events of a light particle; several leptons, of low mass.
        two taus: 70; a lepton of the other flavour, and momentum missing along the lepton.
        tau and neutrino: 80; much missing momentum, and a large transverse mass.
        leptoquark: 50; b jets and a tau. The number of b jets shows it to a test of everything.

    Arguments:
        expected_yield: N(B).
    """

    expected_yield: float = 20_000.0
    SIGNALS: Mapping[str, Signal] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scale = self.expected_yield / 20_000
        found = {name: Signal(name, count * scale, process) for name, (count, process) in SIGNALS.items()}
        object.__setattr__(self, "SIGNALS", MappingProxyType(found))

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, FEATURES."""
        return FEATURES

    def sample(self, rng: np.random.Generator, n: int) -> Events:
        """n background events, in random order."""
        shares = [share for share, _ in BACKGROUND.values()]
        numbers = rng.multinomial(n, shares)
        parts = [process.sample(rng, k) for (_, process), k in zip(BACKGROUND.values(), numbers, strict=True)]
        return np.concatenate(parts)[rng.permutation(n)]

    def log_density(self, events: Events) -> Values:
        """log p(x) of the background."""
        terms = [np.log(share) + process.log_density(events) for share, process in BACKGROUND.values()]
        return np.asarray(logsumexp(terms, axis=0))


def _jets_with_b(chance: float) -> Float64[np.ndarray, "jets values"]:
    """Probabilities of 0, 1, ... b jets among 0, 1, ... jets."""
    number = np.arange(_MOST_JETS + 1)
    return np.asarray(binom.pmf(number, number[:, None], chance))


SINGLE_LEPTON = SingleLepton()
