"""The numbers of an ensemble of toys, as text and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import chi2, norm

from nplm.stats.chi2 import fit_chi2
from nplm.stats.empirical import EmpiricalNull
from nplm.toys.ensemble_text import ensemble_dict, ensemble_text
from nplm.wording.numbers import format_p, format_z


def test_text_fits_a_terminal_and_says_what_each_z_stands_on() -> None:
    # Toys at the quantiles of the chi2, which follow it as well as any can.
    t = np.concatenate([chi2.ppf((np.arange(100_000) + 0.5) / 100_000, 13), [np.nan, np.nan, 0.0]])
    text = ensemble_text(t, 13, observed=25.0)
    assert text.isascii()
    assert max(len(line) for line in text.splitlines()) <= 100
    lines = {line[:22].strip(): line[22:] for line in text.splitlines()}
    assert {"Kolmogorov-Smirnov", "Anderson-Darling", "toys beyond 99%"} <= set(lines)
    for words in (
        "toys       100,003",
        "2: they count as exceeding any t",
        "1 with t = 0",
        f"empirical     p = {format_p(EmpiricalNull(t).pvalue(25.0))}, Z = {format_z(EmpiricalNull(t).z(25.0))}",
        f"chi2, given   p = {format_p(float(chi2.sf(25.0, 13)))}",
        "asymptotic, 2 failed left out",
    ):
        assert words in text


def test_an_asymptotic_null_is_extrapolated_beyond_the_toys_only() -> None:
    t = np.append(chi2.ppf((np.arange(400) + 0.5) / 400, 13), np.nan)
    largest = float(np.nanmax(t))
    for observed, words, others in (
        (largest, "asymptotic", "extrapolated"),
        (largest + 1e-6, "extrapolated", "asymptotic"),
    ):
        text = ensemble_text(t, 13, observed=observed)
        assert text.count(words) == 2, "given and fitted"
        assert others not in text


def test_a_rejected_chi2_gives_no_p_value() -> None:
    t = chi2.ppf((np.arange(400) + 0.5) / 400, 13)
    text = ensemble_text(t, 18, observed=1000.0)
    assert "chi2, given   no p-value: the toys do not follow it" in text
    assert "the largest that 400 toys can give (68% interval: above 2.61)" in text
    assert "chi2, fitted  p = " in text
    document = ensemble_dict(t, 18, observed=1000.0)
    assert [null["accepted"] for null in document["observed"]["nulls"]] == [None, False, True]


def test_few_toys_say_why_they_are_not_compared() -> None:
    text = ensemble_text(np.arange(1.0, 11.0), 13, observed=5.0)
    assert "no comparison: 10 toys with a t, and 50 are needed" in text
    assert "unchecked" in text
    assert "chi2, fitted" not in text
    assert ensemble_text(np.array([2.0])).splitlines()[1] == "  mean of t  2.00"
    assert "failed" in ensemble_text(np.array([np.nan]), 13, observed=5.0)
    assert "0 toys with a t" in ensemble_text(np.zeros(0), 13, observed=5.0)


def test_dictionary_is_json_and_has_the_numbers(rng: np.random.Generator) -> None:
    t = rng.chisquare(13, 400)
    document = json.loads(json.dumps(ensemble_dict(t, 13, observed=1e4), allow_nan=False))
    assert document["toys"] == 400
    assert document["largest_z"] == norm.isf(1 / 401)
    assert document["fitted"]["degrees_of_freedom"] == fit_chi2(t).degrees_of_freedom
    assert document["given"]["degrees_of_freedom"] == 13
    counted, given, fitted = document["observed"]["nulls"]
    assert (counted["kind"], given["kind"], fitted["kind"]) == ("empirical", "chi2 given", "chi2 fitted")
    assert counted["p_value"] == 1 / 401
    assert counted["z_interval"][1] is None
    assert given["z"] == pytest.approx(99.53187812, abs=1e-7)  # from log p, as p is zero in its digits
    assert "observed" not in ensemble_dict(t)
    assert ensemble_dict(t)["given"] is None
    assert ensemble_dict(np.zeros(0))["largest_z"] is None


def test_errors_have_two_digits(rng: np.random.Generator) -> None:
    t = rng.chisquare(13, 400)
    assert f"mean of t  {t.mean():.2f} +- {t.std(ddof=1) / 20:.2f}," in ensemble_text(t)
    error = np.sqrt((2 + 6 / t.mean()) / 400)
    assert f"{t.var(ddof=1) / 2 / t.mean():.3f} +- {error:.3f}" in ensemble_text(t)
