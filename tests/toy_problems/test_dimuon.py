"""The dimuon problem: kinematics against four-vectors, spectra against quadrature, ratios of events and of masses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, kstest, norm, uniform

from toys.additive import AdditiveProblem
from toys.dimuon import (
    COLLISION_ENERGY,
    DIMUON,
    DIMUON_HIGH_MASS,
    RESOLUTION,
    ContinuumWithZ,
    Cuts,
    Dimuon,
    Power,
    Process,
    Resonance,
    continuum,
    decay,
    draw_dimuons,
    invariant_mass,
)

# Size of each Kolmogorov-Smirnov and moment test below: the chance that it fails a correct program.
SIZE = 1e-4
NO_CUTS = Cuts(min_mass=60.0, min_pt=0.0, max_abs_eta=np.inf)

processes = pytest.mark.parametrize(
    "process",
    [
        Process(enhancement, cuts)
        for enhancement in (ContinuumWithZ(), Resonance(300.0, 10.0), Resonance(2000.0, 5.0), Power(4.0), Power(2.0))
        for cuts in (Cuts(), Cuts(min_mass=100.0, min_pt=30.0, max_abs_eta=1.0))
    ],
    ids=str,
)


def four_vectors(events: np.ndarray) -> np.ndarray:
    """(E, px, py, pz) of both muons, shape (2, n, 4), the leading one along x."""
    pt1, pt2, eta1, eta2, dphi = events.T
    lead = np.stack([pt1 * np.cosh(eta1), pt1, 0 * pt1, pt1 * np.sinh(eta1)], axis=1)
    other = np.stack([pt2 * np.cosh(eta2), pt2 * np.cos(dphi), pt2 * np.sin(dphi), pt2 * np.sinh(eta2)], axis=1)
    return np.stack([lead, other])


def boosted(p: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Four-vectors as seen from the rest frame of `frame`, by the textbook's rotation-free boost."""
    m = np.sqrt(frame[:, 0] ** 2 - (frame[:, 1:] ** 2).sum(axis=1))[:, None]
    along = (p[:, 1:] * frame[:, 1:]).sum(axis=1, keepdims=True)
    energy = (p[:, :1] * frame[:, :1] - along) / m
    momentum = p[:, 1:] + frame[:, 1:] * (along / (m * (frame[:, :1] + m)) - p[:, :1] / m)
    return np.concatenate([energy, momentum], axis=1)


def draw_without_cuts(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    m = np.exp(rng.uniform(np.log(60.0), np.log(5000.0), n))
    pt, y = draw_dimuons(rng, m)
    return m, pt, y, decay(rng, m, pt, y)


def test_muons_add_up_to_the_dimuon(rng: np.random.Generator) -> None:
    m, pt, y, events = draw_without_cuts(rng, 5000)
    np.testing.assert_allclose(invariant_mass(events), m, rtol=1e-12)
    lead, other = four_vectors(events)
    e, px, py, pz = (lead + other).T
    np.testing.assert_allclose(np.sqrt(e**2 - px**2 - py**2 - pz**2), m, rtol=1e-6)
    np.testing.assert_allclose(np.hypot(px, py), pt, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.arctanh(pz / e), y, rtol=1e-7, atol=1e-9)
    # Two massless muons and a massless recoil share the collision energy at most.
    assert np.all(e + np.sqrt(e**2 - m**2) < COLLISION_ENERGY * (1 + 1e-9))


def test_decay_angles_are_those_of_a_vector_boson(rng: np.random.Generator) -> None:
    _, _, _, events = draw_without_cuts(rng, 20_000)
    lead, other = four_vectors(events)
    dimuon, ones = lead + other, np.ones(len(events))
    muon = boosted(lead, dimuon)
    np.testing.assert_allclose(muon[:, 0], invariant_mass(events) / 2, rtol=1e-6)
    # The Collins-Soper axis bisects the one beam and the opposite of the other, in the rest frame of the dimuon.
    beams = [boosted(np.stack([ones, 0 * ones, 0 * ones, sign * ones], axis=1), dimuon)[:, 1:] for sign in (1, -1)]
    first, second = (beam / np.linalg.norm(beam, axis=1, keepdims=True) for beam in beams)
    z = (first - second) / np.linalg.norm(first - second, axis=1, keepdims=True)
    x = -(first + second) / np.linalg.norm(first + second, axis=1, keepdims=True)
    direction = muon[:, 1:] / muon[:, :1]
    cos = (direction * z).sum(axis=1)
    assert kstest(cos, lambda c: 0.5 + 3 / 8 * (c + c**3 / 3)).pvalue > SIZE
    # The control: a flat distribution, that of a scalar.
    assert kstest(cos, uniform(-1, 2).cdf).pvalue < SIZE
    # The leading muon is the one that flies along the dimuon's pT, and dphi does not tell left from right.
    phi = np.arctan2((direction * np.cross(z, x)).sum(axis=1), (direction * x).sum(axis=1))
    assert kstest(np.abs(phi), uniform(0, np.pi / 2).cdf).pvalue > SIZE


def test_dimuon_momentum(rng: np.random.Generator) -> None:
    m = np.full(20_000, 91.0)
    pt, y = draw_dimuons(rng, m)
    # p0 is 10 GeV; the kinematic limit cuts off less than 1e-5.
    assert kstest(pt, lambda p: p**2 / (100.0 + p**2)).pvalue > SIZE
    assert kstest(1.05 * pt, lambda p: p**2 / (100.0 + p**2)).pvalue < SIZE
    y_max = np.arccosh((COLLISION_ENERGY**2 + m**2) / (2 * COLLISION_ENERGY * np.hypot(m, pt)))
    assert kstest(y / y_max, beta(2, 2, loc=-1, scale=2).cdf).pvalue > SIZE
    # At half the collision energy the limit for a recoil of energy (s - m^2) / (2 sqrt(s)) is a good deal lower.
    m = np.full(20_000, 6500.0)
    pt, y = draw_dimuons(rng, m)
    y_max = np.arccosh((COLLISION_ENERGY - (COLLISION_ENERGY**2 - m**2) / (2 * COLLISION_ENERGY)) / np.hypot(m, pt))
    assert kstest(y / y_max, beta(2, 2, loc=-1, scale=2).cdf).pvalue > SIZE
    # Close to the collision energy there is hardly any momentum left.
    pt, y = draw_dimuons(rng, np.full(1000, 12_900.0))
    assert np.all(pt < (COLLISION_ENERGY**2 - 12_900.0**2) / (2 * COLLISION_ENERGY))
    assert np.abs(y).max() < 0.01


@processes
def test_events_pass_the_cuts(process: Process, rng: np.random.Generator) -> None:
    events = process.sample(rng, 3000)
    assert events.shape == (3000, 5)
    pt1, pt2, eta1, eta2, dphi = events.T
    cuts = process.cuts
    assert np.all(pt1 >= pt2)
    assert np.all(pt2 > cuts.min_pt)
    assert np.abs([eta1, eta2]).max() < cuts.max_abs_eta
    assert np.all((dphi >= 0) & (dphi <= np.pi))
    assert invariant_mass(events).min() > cuts.min_mass * (1 - 1e-12)
    assert len(process.sample(rng, 0)) == 0


@processes
def test_masses_follow_the_spectrum(process: Process, rng: np.random.Generator) -> None:
    low = process.cuts.min_mass
    peak = 91.19 if isinstance(process.enhancement, ContinuumWithZ) else getattr(process.enhancement, "mass", 300.0)
    # Quadrature of the formula, in pieces so small that the peaks are not missed.
    edges = np.unique(
        np.clip([low, *(peak + np.linspace(-0.3, 0.3, 13) * peak), 1e3, 3e3, 13e3], low, COLLISION_ENERGY)
    )

    def spectrum(m: float) -> float:
        return float((continuum(np.array([m])) * process.enhancement(np.array([m])))[0])

    pieces = [quad(spectrum, a, b, epsrel=1e-10)[0] for a, b in pairwise(edges)]
    total = sum(pieces)
    middle = np.array([peak, 1.1 * low])
    formula = [spectrum(m) / total for m in middle]
    np.testing.assert_allclose(process.mass_density(middle), formula, rtol=2e-6)

    cumulative = np.concatenate([[0.0], np.cumsum(pieces)]) / total
    # Counts between the edges, the empty ones apart.
    m = invariant_mass(process.sample(rng, 20_000))
    for edge, probability in zip(edges[1:-1], cumulative[1:-1], strict=True):
        error = np.sqrt(probability * (1 - probability) / len(m)) + 1 / len(m)
        assert (m < edge).mean() == pytest.approx(probability, abs=norm.isf(SIZE / 2 / len(edges)) * error)


def test_masses_by_kolmogorov_smirnov(rng: np.random.Generator) -> None:
    grid = np.linspace(60.0, 13_000.0, 2_000_001)
    density = DIMUON.background.mass_density(grid)
    cumulative = np.cumsum(density) * (grid[1] - grid[0])
    assert cumulative[-1] == pytest.approx(1.0, abs=1e-4)
    m = invariant_mass(DIMUON.sample(rng, 20_000))
    assert kstest(m, lambda v: np.interp(v, grid, cumulative)).pvalue > SIZE
    # The control: a mass scale that is 0.2% off.
    assert kstest(1.002 * m, lambda v: np.interp(v, grid, cumulative)).pvalue < SIZE


def test_peak_is_a_smeared_breit_wigner() -> None:
    z = Resonance(91.19, 2.495, 300.0)
    assert z(np.array([91.19]))[0] == pytest.approx(300.0, rel=1e-12)

    # Voigt: the Breit-Wigner averaged over the resolution.
    def smeared(m: float) -> float:
        def integrand(t: float) -> float:
            return norm.pdf(t, m - 91.19, RESOLUTION * 91.19) * 1.2475 / np.pi / (t**2 + 1.2475**2)

        return quad(integrand, -60.0, 60.0, points=[0.0, m - 91.19], epsabs=1e-12, limit=200)[0]

    for m in (85.0, 92.0, 96.0):
        expected = 300.0 * (m**4 / (m + 91.19) ** 2) / (91.19**2 / 4) * smeared(m) / smeared(91.19)
        assert z(np.array([m]))[0] == pytest.approx(expected, rel=1e-6)
    # Far away the squared propagator relative to the photon's, (m^2 / (m^2 - M^2))^2.
    m = np.array([600.0, 1500.0, 3000.0])
    shape = z(m) * ((m**2 - 91.19**2) / m**2) ** 2
    np.testing.assert_allclose(shape / shape[-1], 1.0, rtol=2e-3)


def test_muons_depend_on_the_mass_alone(rng: np.random.Generator) -> None:
    """Averages over the signal are averages over the background weighed with the ratio of mass densities."""
    signal = DIMUON_HIGH_MASS.SIGNALS["interference"].distribution
    assert isinstance(signal, Process)
    samples = [process.sample(rng, 150_000) for process in (DIMUON_HIGH_MASS.background, signal)]
    # A range in which both have many events, and the acceptance changes by a quarter.
    b, s = (events[(invariant_mass(events) > 100.0) & (invariant_mass(events) < 300.0)] for events in samples)
    mass = invariant_mass(b)
    w = signal.mass_density(mass) / DIMUON_HIGH_MASS.background.mass_density(mass)

    def pulls(weights: np.ndarray) -> np.ndarray:
        def moments(events: np.ndarray) -> np.ndarray:
            pt1, pt2, eta1, eta2, dphi = events.T
            return np.stack([pt1, pt2, eta1**2, eta1 * eta2, np.abs(eta1 - eta2), dphi, pt1 / pt2], axis=1)

        f, g, share = moments(b), moments(s), weights / weights.sum()
        mean = share @ f
        error = np.sqrt(share**2 @ (f - mean) ** 2 + g.var(axis=0) / len(g))
        return np.abs(mean - g.mean(axis=0)) / error

    reach = norm.isf(SIZE / 2 / 7)
    assert pulls(w).max() < reach
    # The control: without the weights, and with their square root.
    assert pulls(np.ones(len(b))).max() > reach
    assert pulls(np.sqrt(w)).max() > reach


@pytest.mark.parametrize("problem", [DIMUON, DIMUON_HIGH_MASS], ids=["60", "100"])
def test_log_ratio_is_the_ratio_of_spectra(problem: Dimuon, rng: np.random.Generator) -> None:
    events = np.concatenate([problem.sample(rng, 200), problem.SIGNALS["contact"].distribution.sample(rng, 200)])
    m = invariant_mass(events)
    for signal in problem.SIGNALS.values():
        assert isinstance(signal.distribution, Process)
        ratio = signal.distribution.mass_density(m) / problem.background.mass_density(m)
        y = problem.log_ratio(events, signal, 50.0, 1000.0)
        np.testing.assert_allclose(y, np.log1p(0.05 * ratio), rtol=1e-9)


@pytest.mark.parametrize("name", DIMUON.SIGNALS)
def test_ideal_z_agrees_with_monte_carlo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of the mass against the cells of all other problems, which are drawn events."""
    signal = DIMUON_HIGH_MASS.SIGNALS[name]
    z = DIMUON_HIGH_MASS.ideal_z(signal)
    monkeypatch.setattr(Dimuon, "cells", AdditiveProblem.cells)
    assert DIMUON_HIGH_MASS.ideal_z(signal) == pytest.approx(z, rel=0.006)


def test_ratio_of_other_cuts_is_refused() -> None:
    with pytest.raises(TypeError, match="same cuts"):
        DIMUON.ideal_z(DIMUON_HIGH_MASS.SIGNALS["contact"])


@pytest.mark.parametrize(
    "arguments",
    [{"min_pt": 30.0}, {"min_mass": 14_000.0}, {"min_pt": -1.0}, {"max_abs_eta": 0.0}, {"min_mass": np.nan}],
)
def test_cuts_that_nothing_may_pass_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="min_mass must lie between"):
        Cuts(**arguments)


def test_without_cuts_everything_is_accepted(rng: np.random.Generator) -> None:
    _, _, _, events = draw_without_cuts(rng, 2000)
    assert NO_CUTS.accept(events).all()
    accepted = Cuts().accept(events)
    assert 0.3 < accepted.mean() < 0.8
    assert Cuts(max_abs_eta=1.0).accept(events).mean() < 0.6 * accepted.mean()


def test_resonance_is_where_it_is_told_to_be(rng: np.random.Generator) -> None:
    problem = Dimuon(resonance_mass=500.0, resonance_width=1.0)
    m = invariant_mass(problem.SIGNALS["resonance"].distribution.sample(rng, 2000))
    assert np.median(m) == pytest.approx(500.0, rel=0.002)
    assert np.subtract(*np.quantile(m, [0.75, 0.25])) == pytest.approx(1.349 * RESOLUTION * 500.0, rel=0.2)
