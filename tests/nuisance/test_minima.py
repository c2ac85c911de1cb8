"""The lowest minimum of Delta where variations go the same way, for all models; against scans of the same function."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from nplm import GaussianConstraint, HistogramModel, KernelModel, NetworkModel, NPLMTest, Nuisances, Sample
from nplm.models.base import Model
from nplm.nuisance import BinnedLogRatio, SumOfLogRatios
from nplm.nuisance.profile import PreparedNuisances

EDGES = [0.0, 0.5, 1.0, 2.0, 99.0]
UP = np.array([0.2, 0.2, 0.25, 0.3])
EVENTS = 20_000


def bins_of(x: np.ndarray) -> np.ndarray:
    return np.searchsorted(EDGES[1:-1], x, side="right")


@pytest.fixture(scope="module")
def reference() -> Sample:
    x = np.random.default_rng(4).exponential(size=EVENTS)
    return Sample(x, np.full(EVENTS, 2000 / EVENTS), features=["x"], name="reference")


def one_way(reference: Sample, name: str = "s", up: np.ndarray = UP, apart: float = 0.0) -> BinnedLogRatio:
    """log r of both variations is `up`, but for a share of it."""
    yields = np.bincount(bins_of(reference.events[:, 0]), reference.weights)
    varied = [({name: 1.0}, yields * np.exp(up)), ({name: -1.0}, yields * np.exp(up * (1 - apart)))]
    return BinnedLogRatio({"x": EDGES}, yields, varied)


def drawn(reference: Sample, log_r: np.ndarray, seed: int, measured: float | None = None) -> Sample:
    """Data of the varied reference."""
    x, rng = reference.events[:, 0], np.random.default_rng(seed)
    counts = rng.poisson(reference.weights * np.exp(log_r)[bins_of(x)])
    data = Sample(np.repeat(x, counts), features=["x"], name="data")
    return data if measured is None else data.with_auxiliary(np.array([measured]))


def prepared(reference: Sample, nuisances: Nuisances) -> PreparedNuisances:
    return PreparedNuisances.of(nuisances, nuisances.columns(reference.events), reference.weights)


def scanned(reference: Sample, data: Sample, ratio: BinnedLogRatio, measured: float = 0.0) -> tuple[float, np.ndarray]:
    """Delta on a fine grid of nu, and the grid's loss."""
    nus = np.linspace(-3, 3, 6001)
    yields, n = (np.bincount(bins_of(s.events[:, 0]), s.weights, 4) for s in (reference, data))
    log_r = np.outer(nus, ratio.values[0]) + np.outer(nus**2 / 2, ratio.values[1])
    constraint = (nus - measured) ** 2 - measured**2
    twice = 2 * (log_r @ n - np.expm1(log_r) @ yields) - constraint
    return float(twice.max()), twice


@pytest.mark.parametrize("apart", [0.0, 1e-3, 0.02])
def test_delta_is_the_highest_point_of_a_scan(reference: Sample, apart: float) -> None:
    ratio, data = one_way(reference, apart=apart), drawn(reference, UP, 1)
    profile = prepared(reference, Nuisances(ratio, GaussianConstraint("s", 1.0)))
    found = profile.fit([data])
    delta, twice = scanned(reference, data, ratio)
    assert found.converged.all()
    assert found.delta[0] == pytest.approx(delta, abs=1e-3)
    # The other minimum is that of the other side.
    inner = twice[1:-1]
    maxima = inner[(inner > twice[:-2]) & (inner > twice[2:])]
    assert found.other_delta[0].tolist() == pytest.approx([min(maxima)], abs=1e-3)
    # Negative control: at nu = 0, where a search begins, Delta is 0 and its slope is (nearly) none.
    assert delta > 20
    assert abs(np.gradient(twice)[3000]) < 0.002 * delta


def test_data_without_an_effect_have_one_minimum(reference: Sample) -> None:
    ratio, data = one_way(reference), drawn(reference, -0.1 * np.ones(4), 1)
    found = prepared(reference, Nuisances(ratio, GaussianConstraint("s", 1.0))).fit([data])
    assert found.nu[0].tolist() == pytest.approx([0.0], abs=1e-6)
    assert [len(others) for others in found.others] == [0]


def test_two_nuisances_that_go_one_way_are_both_found(reference: Sample) -> None:
    """From nu = 0 a first descent ends at a saddle in the other nuisance."""
    first, second = np.array([0.3, 0.3, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 0.4])
    ratio = SumOfLogRatios([one_way(reference, "first", first), one_way(reference, "second", second)])
    profile = prepared(reference, Nuisances(ratio, GaussianConstraint(("first", "second"), [1.0, 1.0])))
    data = drawn(reference, first + second, 2)
    found = profile.fit([data])
    grid = np.linspace(-2, 2, 201)
    one, two = (v.ravel() for v in np.meshgrid(grid, grid))
    log_r = np.outer(one**2, first) + np.outer(two**2, second)
    yields, n = (np.bincount(bins_of(s.events[:, 0]), s.weights, 4) for s in (reference, data))
    delta = (2 * (log_r @ n - np.expm1(log_r) @ yields) - one**2 - two**2).max()
    assert found.converged.all()
    assert found.delta[0] == pytest.approx(delta, abs=0.1)
    assert (np.abs(found.nu[0]) > 0.5).all()


@pytest.mark.parametrize(
    "model",
    [
        HistogramModel(edges=(tuple(EDGES),)),
        pytest.param(KernelModel(width=1.0, centers=50), marks=pytest.mark.slow),
        pytest.param(NetworkModel(hidden=(3,), clip=4.0), marks=pytest.mark.slow),
    ],
    ids=["histogram", "kernel", "network"],
)
def test_what_the_nuisance_explains_is_no_discovery(reference: Sample, model: Model) -> None:
    ratio, data = one_way(reference, apart=1e-3), drawn(reference, UP, 1)
    test = NPLMTest(reference, model, nuisances=Nuisances(ratio, GaussianConstraint("s", 1.0)))
    result = test.run(data, toys=0)
    assert result.nuisances is not None
    # That of the network is with the finite reference.
    assert result.nuisances.delta == pytest.approx(scanned(reference, data, ratio)[0], rel=0.1)
    assert result.p_value > 0.01
    assert result.to_dict()["nuisances"]["other_minima"][0]["nu"][0] == pytest.approx(-result.nuisances.nu[0], abs=0.05)
    assert any("nearly as well at s =" in caution for caution in result.nuisances.cautions())
    assert any("turns round" in note for note in result.notes)
    # Negative control: a nuisance of the other sign cannot explain the data, whatever its minimum.
    other = Nuisances(one_way(reference, up=-UP), GaussianConstraint("s", 1.0))
    assert NPLMTest(reference, model, nuisances=other).run(data, toys=0).p_value < 1e-5


def test_t_of_varied_toys_is_the_chi2_of_the_bins(reference: Sample) -> None:
    """300 samples at nu = +-1, each with its own auxiliary measurement: t of four bins has mean 4."""
    ratio, rng = one_way(reference), np.random.default_rng(8)
    test = NPLMTest(
        reference,
        HistogramModel(edges=(tuple(EDGES),), reference_exact=True),
        nuisances=Nuisances(ratio, GaussianConstraint("s", 1.0)),
    )
    data = [drawn(reference, UP, 100 + i, measured=rng.choice([-1, 1]) + rng.normal()) for i in range(300)]
    t = test.fit(data).t
    assert kstest(t, "chi2", args=(4,)).pvalue > 0.01
    # Negative control: without the nuisance all are discoveries.
    plain = NPLMTest(reference, HistogramModel(edges=(tuple(EDGES),))).fit(data[:20]).t
    assert (plain > 25).all()
