"""Events with a lepton in 21 mixed features: draws against densities of each feature, exact shares, and the signals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chisquare, kstest, norm, truncnorm

from toys.single_lepton import (
    BACKGROUND,
    CLIPPED,
    COUNTS,
    FEATURES,
    FLAGS,
    LEVEL_SHARES,
    LEVELS,
    SIGNALS,
    SINGLE_LEPTON,
    Process,
    SingleLepton,
)

# Size of each test below: the chance that it fails a correct program.
SIZE = 1e-4
PROCESSES = {name: process for name, (_, process) in {**BACKGROUND, **SIGNALS}.items()}
AT = {name: j for j, name in enumerate(FEATURES)}

processes = pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())


def test_activity_has_mean_zero_and_variance_one() -> None:
    assert LEVEL_SHARES.sum() == 1
    assert LEVELS @ LEVEL_SHARES == 0
    variance = LEVELS**2 @ LEVEL_SHARES
    assert variance == pytest.approx(1)


@processes
def test_features_lie_where_they_can(process: Process, rng: np.random.Generator) -> None:
    events = process.sample(rng, 2000)
    x = dict(zip(FEATURES, events.T, strict=True))
    for name in CLIPPED:
        assert x[name].min() >= 0
    for name in (*COUNTS, *FLAGS):
        assert (x[name] == np.round(x[name])).all()
    assert set(np.unique(x["charge"])) == {-1.0, 1.0}
    lepton = np.where(x["is_electron"] == 1, x["n_e"], x["n_mu"])
    assert lepton.min() == 1
    for name in ("mu", "e"):
        np.testing.assert_array_equal(x[f"pt_{name}"] == 0, x[f"n_{name}"] == 0)
        np.testing.assert_array_equal(x[f"m_{name}"] == 0, x[f"n_{name}"] < 2)
    for name in ("st", "mj"):
        np.testing.assert_array_equal(x[name] == 0, x["n_jet"] == 0)
    assert (x["n_b"] <= x["n_jet"]).all()
    assert x["mt"].min() > 0
    assert np.isfinite(process.log_density(events)).all()
    assert np.isfinite(SINGLE_LEPTON.log_density(events)).all()  # no signal lies where there is no background


@processes
def test_marginals_that_are_known_are_drawn(process: Process, rng: np.random.Generator) -> None:
    """Given the activity or without it: transverse mass, momenta, counts, and shares of what is zero."""
    n = 4000
    x = dict(zip(FEATURES, process.sample(rng, n).T, strict=True))
    mean, width = process.mt
    assert kstest(x["mt"], truncnorm(-mean / width, np.inf, mean, width).cdf).pvalue > SIZE
    median, log_width = process.pt
    over_levels = [norm(np.log(median) + 0.12 * a, log_width).cdf for a in LEVELS]
    assert kstest(np.log(x["pt_lep"]), lambda v: LEVEL_SHARES @ [cdf(v) for cdf in over_levels]).pvalue > SIZE
    recoil = (x["met_par"] - process.along[0] + 0.3 * (x["mt"] - mean)) / process.along[1]
    assert kstest(recoil, norm.cdf).pvalue > SIZE
    jets = LEVEL_SHARES @ [process.jet_numbers(a) for a in LEVELS]
    held = n * jets > 5
    found = np.bincount(x["n_jet"].astype(int), minlength=len(jets))[held]
    assert chisquare(found, found.sum() * jets[held] / jets[held].sum()).pvalue > SIZE
    assert binom(n, process.electrons).cdf(x["is_electron"].sum()) == pytest.approx(0.5, abs=0.5 - SIZE)
    assert binom(int(x["n_jet"].sum()), process.b).cdf(x["n_b"].sum()) == pytest.approx(0.5, abs=0.5 - SIZE)
    for name, alone in zip(("iso_charged", "iso_neutral", "iso_photon"), process.isolated, strict=True):
        odds = alone / (1 - alone) * np.exp(-0.24 * LEVELS)
        share = LEVEL_SHARES @ (odds / (1 + odds))
        assert binom(n, share).cdf((x[name] == 0).sum()) == pytest.approx(0.5, abs=0.5 - SIZE)


@pytest.mark.parametrize("name", ["W", "Z", "four leptons"])
def test_density_of_the_discrete_features_adds_up_to_one(name: str, rng: np.random.Generator) -> None:
    """Over all values of the counts of leptons and jets and of the flags, given the others: p(discrete) by exact sums.

    The ratio of two densities at events that differ in the number of leptons alone is that of the probabilities.
    """
    process = PROCESSES[name]
    events = np.zeros((2, 21))
    total = 0.0
    for electron in (0.0, 1.0):
        events[:, AT["is_electron"]] = electron
        for muons in range(5):
            events[:, AT["n_mu"]] = muons
            for electrons in range(5):
                events[:, AT["n_e"]] = electrons
                names = ("is_electron", "n_mu", "n_e")
                parts = [process.given(each, events, 0.0).log_density(events[:, AT[each]]) for each in names]
                total += float(np.exp(np.sum(parts, axis=0))[0])
    assert total == pytest.approx(1, rel=1e-12)


def test_importance_weights_of_one_process_to_another_average_to_one(rng: np.random.Generator) -> None:
    """E_b[s / b] = 1 for densities that are normalized, whatever the features: here W with other momenta."""
    w = PROCESSES["W"]
    near = Process(positive=0.5, mt=(68.0, 16.0), jets=(0.7, 0.9), tracks=(80.0, 30.0), isolated=(0.75, 0.7, 0.6))
    events = w.sample(rng, 20_000)
    ratio = np.exp(near.log_density(events) - w.log_density(events))
    assert 0.2 < ratio.std() < 3  # not one
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / np.sqrt(len(ratio)))


def test_the_background_is_the_mixture_of_its_processes(rng: np.random.Generator) -> None:
    events = SINGLE_LEPTON.sample(rng, 500)
    density = sum(share * np.exp(process.log_density(events)) for share, process in BACKGROUND.values())
    np.testing.assert_allclose(SINGLE_LEPTON.log_density(events), np.log(density), rtol=1e-10)
    assert sum(share for share, _ in BACKGROUND.values()) == pytest.approx(1, rel=1e-12)


def test_features_are_correlated_through_what_is_latent(rng: np.random.Generator) -> None:
    x = dict(zip(FEATURES, SINGLE_LEPTON.sample(rng, 5000).T, strict=True))
    # Both kinds of particles follow the activity; the lepton of QCD is soft, its transverse mass small.
    assert np.corrcoef(x["n_charged"], x["n_neutral"])[0, 1] > 0.5
    assert np.corrcoef(x["mt"], x["iso_charged"])[0, 1] < -0.3


def test_yields_of_signals_go_with_that_of_the_background(rng: np.random.Generator) -> None:
    half = SingleLepton(10_000.0)
    assert half.SIGNALS["leptoquark"].expected == 25
    data = half.draw_data(rng, signal=half.SIGNALS["leptoquark"], signal_yield=400.0)
    assert data.features == FEATURES
    assert abs(len(data) - 10_400) < 5 * np.sqrt(10_400)
    assert data["n_b"][-300:].mean() > 2
