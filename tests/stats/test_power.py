"""Z of signal toys and power: exact on small ensembles, honest about what a null cannot show."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import chi2, ncx2, norm

from nplm.stats.chi2 import Chi2Null, fit_chi2
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.intervals import clopper_pearson
from nplm.stats.power import signal_power


def test_power_of_a_few_toys_by_hand() -> None:
    # p = (1 + k)/100 of 99 null toys at 1, 2, ..., 99. Z = 2 is p = .02275: one toy may exceed, so t > 98.
    null = EmpiricalNull(np.arange(1.0, 100.0))
    found = signal_power(null, np.array([np.nan, 50.0, 98.0, 98.5, 99.0]), (0.0, 2.0, 3.0), ideal_z=4.0)
    assert (found.kind, found.toys, found.failed, found.ideal_z) == ("empirical", 5, 1, 4.0)
    assert found.median_z == norm.isf(3 / 100)
    assert not found.median_is_limit
    zero, two, three = found.at
    assert zero.power == 3 / 5
    assert two.power == 2 / 5
    assert two.interval == clopper_pearson(2, 5)
    assert two.t == pytest.approx(98)
    assert (three.power, three.interval, three.null_interval, three.needs_toys) == (None, None, None, 740)


def test_reaching_the_threshold_is_having_that_p_value(rng: np.random.Generator) -> None:
    toys, signal = rng.chisquare(5, 300), rng.noncentral_chisquare(5, 10, 500)
    toys[:2] = np.nan
    for null in (EmpiricalNull(toys), Chi2Null(5), fit_chi2(toys)):
        for at in signal_power(null, signal, (1.0, 1.5, 2.0)).at:
            assert at.power == np.mean([null.pvalue(t) <= norm.sf(at.z) for t in signal])


def test_power_against_a_chi2_is_that_of_the_noncentral_chi2(rng: np.random.Generator) -> None:
    """5000 toys of a noncentral chi2: shares within 4 standard deviations, and a median within 4 of its errors."""
    signal = rng.noncentral_chisquare(13, 20, 5000)
    found = signal_power(Chi2Null(13), signal, (1.0, 2.0, 3.0))
    for at in found.at:
        true = ncx2.sf(chi2.isf(norm.sf(at.z), 13), 13, 20)
        assert at.power == pytest.approx(true, abs=4 * np.sqrt(true * (1 - true) / 5000))
        assert at.null_interval == (at.power, at.power)
        wrong = ncx2.sf(chi2.isf(norm.sf(at.z), 13), 13, 25)
        assert at.power != pytest.approx(wrong, abs=4 * np.sqrt(wrong * (1 - wrong) / 5000))
    quantiles = norm.isf(chi2.sf(ncx2.ppf([norm.sf(1), 0.5, norm.cdf(1)], 13, 20), 13))
    half = (found.median_interval[1] - found.median_interval[0]) / 2
    assert found.median_z == pytest.approx(quantiles[1], abs=4 * half)
    assert found.band == pytest.approx((quantiles[0], quantiles[2]), abs=8 * half)


def test_median_interval_covers_the_true_median(rng: np.random.Generator) -> None:
    """500 ensembles of 101 toys: the interval covers at least 68% (4 standard deviations), and far from always."""
    true = norm.isf(chi2.sf(ncx2.ppf(0.5, 5, 10), 5))
    ends = [signal_power(Chi2Null(5), rng.noncentral_chisquare(5, 10, 101), ()).median_interval for _ in range(500)]
    covered = np.mean([low <= true <= high for low, high in ends])
    assert 0.68 - 4 * np.sqrt(0.68 * 0.32 / 500) <= covered < 0.9


def test_a_median_beyond_all_null_toys_is_a_lower_limit() -> None:
    null = EmpiricalNull(np.arange(99.0))
    low, high = np.full(10, 50.0), np.full(10, 1000.0)
    beyond = signal_power(null, np.concatenate([low[:4], high]), (2.0,))
    assert beyond.median_is_limit
    assert beyond.median_z == norm.isf(1 / 100)
    assert beyond.median_interval[1] == np.inf
    assert beyond.band_is_limit
    below = signal_power(null, np.concatenate([low, high[:4]]), (2.0,))
    assert not below.median_is_limit
    assert signal_power(Chi2Null(5), high, ()).median_is_limit is False


def test_failed_toys_count_against_the_power() -> None:
    signal = np.array([1000.0, 1000.0, np.nan, np.nan])
    toys = np.arange(400.0)
    assert signal_power(EmpiricalNull(toys), signal, (2.0,)).at[0].power == 0.5
    toys[:5] = np.nan
    assert signal_power(EmpiricalNull(toys), signal, (2.0,)).at[0].power == 0.5
    toys[:9] = np.nan
    unknown = signal_power(EmpiricalNull(toys), signal, (2.0,)).at[0]
    # At 9 failed of 400: (1 + 0.0225 n) / (1 + n) <= 0.02275 from n = 3907 on.
    assert (unknown.power, unknown.needs_toys) == (None, 3907)
    toys[:20] = np.nan
    assert signal_power(EmpiricalNull(toys), signal, (2.0,)).at[0].needs_toys is None
    nothing = signal_power(EmpiricalNull(np.arange(400.0)), np.full(3, np.nan), (2.0,))
    assert nothing.median_z == -np.inf
    assert nothing.at[0].power == 0.0
    assert json.loads(json.dumps(nothing.to_dict(), allow_nan=False))["median_z"] is None
    with pytest.raises(ValueError, match="at least one toy with signal"):
        signal_power(Chi2Null(5), np.zeros(0))


def test_null_interval_covers_the_power_at_the_true_threshold(rng: np.random.Generator) -> None:
    """500 nulls of 199 toys: the power at the true threshold lies in the interval in at least 68% of them."""
    signal = rng.noncentral_chisquare(5, 10, 2000)
    true = float((signal >= chi2.isf(norm.sf(2.0), 5)).mean())
    intervals = [signal_power(EmpiricalNull(rng.chisquare(5, 199)), signal, (2.0,)).at[0] for _ in range(500)]
    covered = np.mean([at.null_interval[0] <= true <= at.null_interval[1] for at in intervals if at.null_interval])
    assert covered >= 0.68 - 4 * np.sqrt(0.68 * 0.32 / 500)
    # The power itself scatters from null to null: without the interval nearly all would be called wrong.
    assert np.mean([at.power == pytest.approx(true, abs=0.02) for at in intervals]) < 0.5
