"""P-values from weighted toys: against toys that are counted, against the asymptotic null, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from nplm.calibration.importance.run import importance_null
from nplm.calibration.importance.toys import SignalToys
from nplm.calibration.importance.weights import Posteriors, Signals
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.stats.exponential_tilting import Rungs
from nplm.stats.importance import ImportanceError, ImportanceNull
from nplm.stats.weighted_chi2 import WeightedChi2Null

WEIGHT = 0.1


@pytest.fixture(scope="module")
def reference() -> Sample:
    """5000 exponential events for an expected yield of 500, and 100 of weight zero that nothing may depend on."""
    x = np.random.default_rng(1).exponential(size=5100)
    return Sample(x, np.where(np.arange(5100) < 5000, WEIGHT, 0.0))


@pytest.fixture(scope="module")
def prepared(reference: Sample) -> PreparedKernel:
    return kernel_of(reference, reference_exact=True)


def kernel_of(reference: Sample, reference_exact: bool) -> PreparedKernel:
    model = KernelModel(width=2.3, centers=60, selection="covering", reference_exact=reference_exact)
    return model.prepare(reference, Scaler.identity(1))


def counted(prepared: PreparedKernel, reference: Sample, toys: int, seed: int) -> np.ndarray:
    """t of Poisson bootstraps of the reference: null toys, drawn in another way than those to be tested."""
    rng = np.random.default_rng(seed)
    used = reference.events[reference.weights > 0]
    yields = rng.poisson(reference.total_weight, toys)
    batches = np.array_split(yields, max(1, toys // 500))
    draws = ([Sample(used[rng.integers(0, len(used), n)]) for n in batch] for batch in batches)
    return np.concatenate([prepared.fit(batch).t for batch in draws])


def test_rungs_put_the_mean_of_t_at_the_threshold() -> None:
    c = np.array([1.0, 1.0, 0.9, 0.5, 0.1, 1e-4])
    rungs = Rungs.to(40.0, c)
    assert rungs.theta[0] == 0
    assert (np.diff(rungs.theta) > 0).all()
    assert rungs.shares.sum() == pytest.approx(1)
    v = rungs.variances[-1]
    # A tilted mode fluctuates with 1 + v_i, and modes that hardly contribute are left alone.
    assert rungs.modes == 5
    assert c[:5] @ (1 + v) + c[5:].sum() == pytest.approx(40)
    np.testing.assert_allclose(v, 2 * rungs.theta[-1] * c[:5] / (1 - 2 * rungs.theta[-1] * c[:5]))
    assert (rungs.variances[0] == 0).all()


def test_nothing_is_tilted_below_the_mean() -> None:
    rungs = Rungs.to(1.0, np.array([1.0, 0.5]))
    assert (rungs.theta == 0).all()
    assert rungs.modes == 0


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("candidate", [0, np.inf])
def test_toys_have_the_intensity_of_their_signal(
    prepared, reference, monkeypatch, held: bool, candidate: float
) -> None:
    """Drawn from candidates, which cost nothing in the first case, or at all events."""
    monkeypatch.setattr("nplm.calibration.importance.toys._CANDIDATE", candidate)
    if not held:
        monkeypatch.setattr("nplm.calibration.importance.toys._HELD_BYTES", 0)
    source = SignalToys.of(prepared, reference, np.array([4.0, 3.0, 1.0]))
    assert (source.phi is None) == (not held)
    b = np.array([2.0, -3.0, 1.0])
    n = 600
    drawn = source.draw(np.random.default_rng(5), np.tile(b, (n, 1)))
    sums = drawn.sums
    np.testing.assert_allclose(sums[:9], [source.features(rows).sum(axis=0) for rows in drawn.rows[:9]], atol=1e-4)
    phi = prepared.modes(reference.events)
    density = reference.weights * np.exp(phi[:, :3] @ b)
    mean, covariance = density @ phi, (phi * density[:, None]).T @ phi
    difference = sums.mean(axis=0) - mean
    chi2 = n * difference @ np.linalg.solve(covariance, difference)
    # chi2 with one degree of freedom a mode, a test of size 1e-4; the null's sums would be thousands away.
    assert chi2 < 2 * prepared.modes.count + 25
    np.testing.assert_allclose(np.diag(np.cov(sums.T)), np.diag(covariance), rtol=5 * np.sqrt(2 / n))
    null = prepared.expected - mean
    assert n * null @ np.linalg.solve(covariance, null) > 1000


def test_yields_are_those_of_the_events(prepared, reference) -> None:
    b = np.random.default_rng(2).normal(size=(5, 4)) * 2
    f = prepared.modes(reference.events)[:, :4] @ b.T
    expected = reference.weights @ np.expm1(f)
    t = 2 * reference.weights @ (f * np.exp(f) - np.expm1(f))
    largest = float(np.sort(t)[2])
    found = Signals(prepared, largest * (1 + 1e-5)).yields(b)
    np.testing.assert_allclose(found, np.where(t <= largest, expected, np.inf), rtol=1e-5, atol=1e-5)


def test_yields_without_holding_the_modes(monkeypatch) -> None:
    x = np.random.default_rng(3).normal(size=(3000, 2))
    b = np.random.default_rng(4).normal(size=(3, 5)) * 4
    sample = Sample(x, np.full(3000, WEIGHT))
    held = KernelModel(width=2.5, centers=60).prepare(sample, Scaler.identity(2))
    monkeypatch.setattr("nplm.models.kernel.fit._HELD_BYTES", 0)
    made_anew = KernelModel(width=2.5, centers=60).prepare(sample, Scaler.identity(2))
    assert made_anew.blocks.centers is not None
    f = held.modes(x)[:, :5] @ b.T
    for prepared in (held, made_anew):
        np.testing.assert_allclose(Signals(prepared, np.inf).yields(b), sample.weights @ np.expm1(f), rtol=1e-7)


def test_signals_are_drawn_within_bounds(prepared) -> None:
    signals, rng = Signals(prepared, 30.0), np.random.default_rng(2)
    b, yields, tries = signals.draw(rng, np.full((2000, 4), 5.0))
    np.testing.assert_array_equal(signals.yields(b), yields)
    assert np.isfinite(yields).all()
    share = np.isfinite(signals.yields(rng.normal(size=(2000, 4)) * np.sqrt(5))).mean()
    assert 0.3 < share < 0.9
    assert 2000 / tries.sum() == pytest.approx(share, abs=0.05)
    with pytest.raises(ImportanceError, match="out of bounds"):
        Signals(prepared, 1e-3).draw(rng, np.full((3, 4), 1e6))


@pytest.mark.parametrize("line", [True, False])
def test_weights_take_the_signal_back(line: bool) -> None:
    """E[rho / Z h] over toys with signals is E[h] over toys without, for a function of the toy that both reach."""
    rng = np.random.default_rng(4)
    reference = Sample(rng.normal(size=(3000, 1 if line else 2)), rng.uniform(0.05, 0.15, 3000))
    prepared = KernelModel(width=2.5, centers=30).prepare(reference, Scaler.identity(reference.dimension))
    variances = np.array([1.5, 1.5, 1.0, 0.5])
    source = SignalToys.of(prepared, reference, variances)
    posteriors = Posteriors.of(source, rng)
    n = 800

    def bounded(sums: np.ndarray) -> np.ndarray:
        # log Z falls off beside the bulk, where toys with signals are few.
        return expit(posteriors(sums[:, :4], variances).log_z)

    b = rng.normal(size=(n, 4)) * np.sqrt(variances)
    tilted, null = source.draw(rng, b).sums, source.draw(rng, np.zeros((n, 4))).sums
    found = posteriors(tilted[:, :4], variances)
    log_rho = found.log_rho(b, tilted[:, :4], Signals(prepared, np.inf).yields(b))
    values = np.exp(log_rho - found.log_z) * bounded(tilted)
    expected = bounded(null)
    error = np.hypot(values.std(), expected.std()) / np.sqrt(n)
    assert values.mean() == pytest.approx(expected.mean(), abs=4 * error)
    assert error < 0.08 * expected.mean()


@pytest.mark.slow
@pytest.mark.parametrize("exact", [True, False])
def test_two_sigma_as_counted_toys_have_it(reference, exact: bool) -> None:
    prepared = kernel_of(reference, exact)
    t = prepared.null().threshold_of_z(2)
    null = importance_null(prepared, reference, t, 1500, seed=3)
    for_toys = prepared.null(fixed_reference=True).threshold_of_z(2)
    n = 4000
    share = (counted(prepared, reference, n, seed=8) >= for_toys).mean()
    error = np.hypot(null.error(t), np.sqrt(share / n))
    assert null.pvalue(t) == pytest.approx(share, abs=4 * error)
    assert error < 0.17 * share


def test_five_sigma_near_the_asymptotic_null() -> None:
    reference = Sample(np.random.default_rng(6).exponential(size=20_000), np.full(20_000, WEIGHT))
    prepared = kernel_of(reference, reference_exact=True)
    t = prepared.null().threshold_of_z(5)
    null = importance_null(prepared, reference, t, 3000, seed=2)
    p = null.pvalue(t)
    assert null.error(t) < 0.2 * p
    # The asymptotic null holds to second order: 2000 events leave a tenth or two.
    assert p / 2.867e-7 == pytest.approx(1, abs=0.2 + 3 * null.error(t) / p)
    assert null.effective(t) > 50
    assert null.failed == 0
    mean, error = null.mean_weight
    assert abs(mean - 1) < 4 * error < 0.25
    # The same toys know smaller thresholds too, but not much larger ones.
    smaller = prepared.null().threshold_of_z(4.5)
    assert null.pvalue(smaller) > p
    assert null.threshold(null.pvalue(smaller)) == pytest.approx(smaller, rel=0.05)
    with pytest.raises(ImportanceError, match="effective toys lie beyond"):
        null.pvalue(prepared.null().threshold_of_z(8))


def test_the_same_seed_gives_the_same_p(prepared, reference) -> None:
    t = prepared.null().threshold_of_z(1)
    p = [importance_null(prepared, reference, t, 500, seed=seed).pvalue(t) for seed in (1, 1, 2)]
    assert p[0] == p[1] != p[2]


def test_batches_are_counted(prepared, reference) -> None:
    done: list[int] = []
    importance_null(prepared, reference, 3.0, 600, on_toys=done.append)
    assert done == [512, 88]


def test_wrong_yields_are_noticed(prepared, reference, monkeypatch) -> None:
    """As if the probability of a toy with a signal were known but for a factor."""
    t = prepared.null().threshold_of_z(4)
    yields = Signals.yields
    monkeypatch.setattr(Signals, "yields", lambda signals, b: yields(signals, b) + 0.5 * b.any(axis=1))
    with pytest.raises(ImportanceError, match="weights of the toys are not right"):
        importance_null(prepared, reference, t, 1500)


def test_signals_in_too_few_modes_are_refused(prepared, reference, monkeypatch) -> None:
    monkeypatch.setattr("nplm.stats.exponential_tilting._MOST_TILTED", 1)
    with pytest.raises(ImportanceError, match="run more toys"):
        importance_null(prepared, reference, prepared.null().threshold_of_z(6), 1000)


def test_failed_toys_exceed_any_t() -> None:
    asymptotic = WeightedChi2Null(np.ones(3))
    t = np.concatenate([np.linspace(0, 10, 900), np.full(100, np.inf)])
    null = ImportanceNull(t, np.ones(1000), np.zeros(1000, dtype=int), np.zeros((0, 2)), asymptotic, asymptotic)
    assert null.failed == 100
    assert null.pvalue(1e3) == pytest.approx(0.1)
    assert null.threshold(0.05) is None
    assert null.pvalue(null.threshold(0.3)) == pytest.approx(0.3)
    low, high = null.threshold_interval(0.3)
    assert low < null.threshold(0.3) < high


def test_t_of_data_is_that_of_equal_p_for_toys() -> None:
    wide, narrow = WeightedChi2Null(np.full(3, 1.1)), WeightedChi2Null(np.ones(3))
    t = np.random.default_rng(1).chisquare(3, 20_000)
    null = ImportanceNull(t, np.ones(20_000), np.zeros(20_000, dtype=int), np.zeros((0, 2)), wide, narrow)
    assert null.pvalue(11.0) == (t >= 10.0).mean()


def test_what_cannot_be_done_is_refused_before_any_fit(reference, monkeypatch) -> None:
    monkeypatch.setattr(PreparedKernel, "fit", lambda *arguments: pytest.fail("nothing should be fitted"))
    data = Sample(np.random.default_rng(3).exponential(size=500))
    kernel = KernelModel(width=2.3, centers=30)
    signed = Sample(reference.events, np.where(np.arange(5100) % 10 == 0, -WEIGHT, WEIGHT))
    refused = {
        "for the kernel model": (NPLMTest(reference, "histogram"), {}),
        "negative weights": (NPLMTest(signed, kernel), {}),
        "shape and yield": (NPLMTest(reference, kernel, shape_only=True), {}),
        "solver 'ml'": (NPLMTest(reference, KernelModel(width=2.3, centers=30, solver="falkon-step")), {}),
        "leave out the pool": (NPLMTest(reference, kernel), {"pool": data}),
        "such as 5000": (NPLMTest(reference, kernel), {"toys": 0}),
        "unit weights": (NPLMTest(reference, kernel), {"data": Sample(data.events, np.full(500, 1.5))}),
    }
    for reason, (test, settings) in refused.items():
        with pytest.raises(ValueError, match=reason):
            test.run(**{"data": data, "calibrate": "importance", **settings})


def test_several_draws_from_a_posterior_have_its_covariance(prepared, reference) -> None:
    variances = np.array([1.5, 1.0, 0.5])
    rng = np.random.default_rng(7)
    source = SignalToys.of(prepared, reference, variances)
    sums = source.draw(rng, rng.normal(size=(3, 3)) * np.sqrt(variances)).sums
    posterior = Posteriors.of(source, rng)(sums[:, :3], variances)
    second = posterior.of_toys(np.array([False, True, False]))
    draws = second.draw(rng, 20_000)[:, 0]
    covariance = np.linalg.inv(posterior.precision[1])
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.05 * np.diag(covariance).max())
    np.testing.assert_allclose(draws.mean(axis=0), posterior.mode[1], atol=0.03)


@pytest.mark.slow
def test_three_sigma_of_the_published_set_up() -> None:
    """100,000 counted toys with 2000 expected events, some 135 of which exceed three sigma."""
    reference = Sample(np.random.default_rng(3).exponential(size=200_000), np.full(200_000, 0.01))
    prepared = KernelModel(width=2.3, centers=500, selection="covering", reference_exact=True).prepare(
        reference, Scaler.identity(1)
    )
    t = prepared.null().threshold_of_z(3)
    null = importance_null(prepared, reference, t)
    n = 100_000
    share = (counted(prepared, reference, n, seed=9) >= prepared.null(fixed_reference=True).threshold_of_z(3)).mean()
    assert null.error(t) < 0.08 * null.pvalue(t)
    assert null.pvalue(t) == pytest.approx(share, abs=4 * np.hypot(null.error(t), np.sqrt(share / n)))


@pytest.mark.slow
@pytest.mark.parametrize("width", [2.3, 0.7])
def test_five_sigma_of_the_published_set_up(width: float) -> None:
    reference = Sample(np.random.default_rng(3).exponential(size=200_000), np.full(200_000, 0.01))
    prepared = KernelModel(width=width, centers=1000, selection="covering", reference_exact=True).prepare(
        reference, Scaler.identity(1)
    )
    t = prepared.null().threshold_of_z(5)
    null = importance_null(prepared, reference, t)
    error = null.error(t) / null.pvalue(t)
    assert error < 0.15
    assert null.pvalue(t) / 2.867e-7 == pytest.approx(1, abs=0.15 + 4 * error)


@pytest.mark.slow
def test_five_sigma_in_five_dimensions() -> None:
    """Some 140 modes are tilted. Toys of the 64 leading ones alone would need twice as many toys."""
    reference = Sample(np.random.default_rng(1).normal(size=(100_000, 5)), np.full(100_000, 0.2))
    prepared = KernelModel(width=4.4, centers=2000, reference_exact=True).prepare(reference, Scaler.identity(5))
    t = prepared.null().threshold_of_z(5)
    null = importance_null(prepared, reference, t, 1280)
    error = null.error(t) / null.pvalue(t)
    assert error < 0.15
    assert null.pvalue(t) / 2.867e-7 == pytest.approx(1, abs=0.3 + 4 * error)
