"""The smooth spectrum and the excess of its windows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from nplm.hunt.spectrum import Spectrum
from nplm.hunt.windows import Windows

WINDOWS = Windows.scan(2.0, 6.8, 0.1)


def _falling(rng: np.random.Generator, n: int) -> np.ndarray:
    return 2 - np.log1p(rng.random(n) * np.expm1(-4.8))


def test_the_fit_solves_the_equations_of_maximum_likelihood(rng: np.random.Generator) -> None:
    """sum over bins of (n - lambda) times each power of m is zero."""
    m = _falling(rng, 5000)
    spectrum = Spectrum.of(m, np.ones(5000), WINDOWS)
    assert (spectrum.degree, spectrum.enough) == (3, True)
    x = spectrum.centre - spectrum.centre.mean()
    for power in range(spectrum.degree + 1):
        scale = float(spectrum.expected @ np.abs(x) ** power)
        assert abs(float((spectrum.observed - spectrum.expected) @ x**power)) < 1e-6 * scale


def test_z_of_windows_is_standard_normal_without_a_bump() -> None:
    """Windows six resolutions apart, of 60 spectra: 420 nearly independent values; and with a bump they are not."""
    rng = np.random.default_rng(2)
    z, p = [], []
    for _ in range(60):
        m = _falling(rng, rng.poisson(20_000))
        bumps = Spectrum.of(m, np.ones(len(m)), WINDOWS).bumps(WINDOWS)
        z.append(bumps.z[::6])
        p.append(np.exp(bumps.log_p[::6]))
    assert kstest(np.concatenate(z), "norm").pvalue > 0.01
    assert kstest(np.concatenate(p), "uniform").pvalue > 0.01
    m = np.concatenate([_falling(rng, 20_000), rng.normal(4.4, 0.1, 150)])
    assert Spectrum.of(m, np.ones(len(m)), WINDOWS).bumps(WINDOWS).z.max() > 4


def test_correlations_are_those_of_the_scores() -> None:
    """Of 250 spectra, each correlation known to 0.06; neighbours share events, far windows do not."""
    rng = np.random.default_rng(3)
    windows = Windows(np.array([3.0, 3.1, 5.0]), np.full(3, 0.1))
    found, z = None, []
    for _ in range(250):
        m = _falling(rng, rng.poisson(5000))
        bumps = Spectrum.of(m, np.ones(len(m)), windows).bumps(windows)
        z.append(bumps.z)
        found = bumps.correlations
    assert found is not None
    np.testing.assert_allclose(np.corrcoef(np.array(z).T), found, atol=0.2)
    # Of the windows alone it would be exp(-1/4); what they have in common with polynomials is taken out.
    assert 0.6 < found[0, 1] < np.exp(-0.25)
    assert abs(found[0, 2]) < 0.15


def test_a_strong_bump_is_no_reason_for_another_degree(rng: np.random.Generator) -> None:
    m = np.concatenate([_falling(rng, 20_000), rng.normal(4.4, 0.1, 600)])
    spectrum = Spectrum.of(m, np.ones(len(m)), WINDOWS)
    assert (spectrum.degree, spectrum.enough) == (3, True)


def test_a_kink_is_not_smooth(rng: np.random.Generator) -> None:
    m = np.concatenate([rng.uniform(2, 4, 20_000), rng.uniform(4, 6.8, 4_000)])
    assert not Spectrum.of(m, np.ones(len(m)), WINDOWS).enough


def test_weights_of_one_size_change_nothing_but_the_yield(rng: np.random.Generator) -> None:
    m = _falling(rng, 5000)
    one, three = (Spectrum.of(m, np.full(5000, w), WINDOWS) for w in (1.0, 3.0))
    np.testing.assert_allclose(three.bumps(WINDOWS).z, one.bumps(WINDOWS).z, rtol=1e-9)
    assert three.unit == pytest.approx(3)
