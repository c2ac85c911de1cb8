"""Set-up A: its draws, its densities and its ideal significance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import expon, kstest, norm, poisson

from nplm.io import read_sample
from toys.demo import N_REFERENCE, write_demo
from toys.exponential import BROAD, BULK, SIGNALS, TAIL, Signal, draw_data, draw_reference, ideal_z, log_ratio
from toys.significance import median_expected_z

# Size of each Kolmogorov-Smirnov and moment test below: the chance that it fails a correct program.
SIZE = 1e-4

every_signal = pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)


@pytest.mark.parametrize(("signal", "z"), [(TAIL, 4.77), (BULK, 5.58), (BROAD, 4.54)], ids=lambda v: str(v)[:20])
def test_ideal_z_is_the_published_one(signal: Signal, z: float) -> None:
    assert ideal_z(signal) == pytest.approx(z, abs=0.01)


@every_signal
def test_half_the_signal_is_less_significant(signal: Signal) -> None:
    # Between half (Gaussian fluctuations) and less than 0.6 of it (skewed ones): not merely "lower".
    assert 0.45 < ideal_z(signal, signal.expected / 2) / ideal_z(signal) < 0.6


@pytest.mark.parametrize(("s", "b"), [(3.0, 0.5), (10.0, 2.0), (50.0, 100.0), (1e3, 1e4), (-30.0, 100.0)])
def test_counting_experiment_is_exact_poisson(s: float, b: float) -> None:
    counting = median_expected_z(np.array([np.log1p(s / b)]), np.array([s + b]))
    median = poisson.ppf(0.5, s + b)
    # A deficit is a sign of the signal if the signal is negative.
    p = poisson.sf(median - 1, b) if s > 0 else poisson.cdf(median, b)
    assert counting == pytest.approx(norm.isf(p), abs=1e-6)


def test_large_counting_experiment_is_gaussian() -> None:
    s, b = 3000.0, 1e6
    assert median_expected_z(np.array([np.log1p(s / b)]), np.array([s + b])) == pytest.approx(s / b**0.5, abs=0.005)


def test_weak_signal_adds_up_in_quadrature() -> None:
    # For s << b the statistic is Gaussian and Z^2 = sum s^2/b, here over cells with different s/b.
    b, s = np.linspace(1e4, 3e4, 200), np.linspace(-50.0, 50.0, 200)
    assert median_expected_z(np.log1p(s / b), s + b) == pytest.approx(np.sqrt((s**2 / b).sum()), rel=0.005)


def test_ideal_z_agrees_with_toys(rng: np.random.Generator) -> None:
    signal_yield, toys = 30.0, 4000

    def statistics(n: int, injected: Signal | None) -> np.ndarray:
        draws = (draw_data(rng, signal=injected, signal_yield=signal_yield) for _ in range(n))
        return np.array([log_ratio(toy.events[:, 0], BULK, signal_yield).sum() for toy in draws])

    z = ideal_z(BULK, signal_yield)
    background, with_signal = statistics(toys, None), statistics(toys, BULK)
    p = (background >= np.median(with_signal)).mean()
    # About 3% of the background toys exceed (the error of p is then 9%, or .04 in Z) and the median is known to .02.
    assert norm.isf(p) == pytest.approx(z, abs=4.0 * 0.045)
    # The likelihood ratio has expectation one under the background, and this is what ties p to the S+B distribution.
    ratio = np.exp(background - signal_yield)
    assert ratio.mean() == pytest.approx(1.0, abs=4.0 * ratio.std() / toys**0.5)


def test_bad_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        median_expected_z(np.zeros(3), np.ones(2))
    with pytest.raises(ValueError, match="finite"):
        median_expected_z(np.array([np.inf]), np.ones(1))
    with pytest.raises(ValueError, match="not negative"):
        median_expected_z(np.ones(2), np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="no signal"):
        median_expected_z(np.array([0.0, 1.0]), np.array([10.0, 0.0]))


@every_signal
def test_log_ratio_is_the_ratio_of_densities(signal: Signal) -> None:
    x = np.linspace(0.01, 30.0, 1000)
    b, s = 2000.0 * expon.pdf(x), signal.expected * signal.density(x)
    np.testing.assert_allclose(log_ratio(x, signal), np.log((b + s) / b), rtol=1e-9, atol=1e-12)
    # The events of a sample are rows of one feature; rows of two are another problem's.
    np.testing.assert_array_equal(log_ratio(x[:, None], signal), log_ratio(x, signal))
    with pytest.raises(ValueError, match="reshape"):
        log_ratio(np.column_stack([x, x]), signal)


@every_signal
def test_signal_draws_follow_the_density(signal: Signal, rng: np.random.Generator) -> None:
    x = signal.sample(rng, 20_000)
    grid = np.linspace(0.0, 60.0, 600_001)
    cumulative = np.cumsum(signal.density(grid)) * (grid[1] - grid[0])
    assert cumulative[-1] == pytest.approx(1.0, abs=1e-6)
    assert kstest(x, lambda v: np.interp(v, grid, cumulative)).pvalue > SIZE


def test_reference_draws(rng: np.random.Generator) -> None:
    reference = draw_reference(rng, 20_000)
    assert reference.features == ("x",)
    assert np.all(reference.weights == 0.1)
    assert kstest(reference.events[:, 0], expon.cdf).pvalue > SIZE
    assert draw_reference(rng, 100, expected_yield=30.0).total_weight == pytest.approx(30.0)


def test_data_draws(rng: np.random.Generator) -> None:
    sizes = np.array([len(draw_data(rng, expected_yield=20.0, signal=TAIL)) for _ in range(2000)])
    # Poisson(20) + Poisson(10): mean and variance are both 30.
    reach = norm.isf(SIZE / 2)
    assert sizes.mean() == pytest.approx(30.0, abs=reach * np.sqrt(30.0 / 2000))
    assert sizes.var() == pytest.approx(30.0, abs=reach * 30.0 * np.sqrt(2.0 / 2000))

    data = draw_data(rng, expected_yield=1e4, signal=BULK, signal_yield=1e4)
    assert not data.is_weighted
    assert kstest(data.events[:, 0], lambda v: (expon.cdf(v) + norm.cdf(v, 1.6, 0.16)) / 2).pvalue > SIZE


def test_seed_gives_the_published_toys() -> None:
    """default_rng([seed, n_R]) reproduces the toys that the older codes' figures were measured on."""
    for seed, fingerprint in ((0, "08b48cc4ddd4451b"), (1, "b024003df5659c63")):
        rng = np.random.default_rng([seed, 20_000])
        data, reference = draw_data(rng), draw_reference(rng, 20_000)
        assert data.fingerprint().startswith(fingerprint)
        assert len(reference) == 20_000
    assert draw_data(np.random.default_rng([2, 20_000])).fingerprint() != data.fingerprint()


def test_demo_files_are_the_same_every_time(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_demo(tmp_path / "new" / "folder")]
    again = [path.read_bytes() for path in write_demo(tmp_path / "again")]
    assert first == again
    reference = read_sample(tmp_path / "again" / "reference.npz", features=["x"], weights="weight")
    assert (len(reference), reference.total_weight) == (N_REFERENCE, pytest.approx(2000.0))
    data = read_sample(tmp_path / "again" / "data.npz", features=["x"])
    # Two standard deviations around the peak hold more events than background alone would give (263 are expected).
    near = np.abs(data.events - 1.6) < 0.32
    assert poisson.sf(near.sum() - 1, 2000.0 * (np.exp(-1.28) - np.exp(-1.92))) < 1e-3
