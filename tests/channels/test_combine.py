"""Combinations: closed forms, normal integrals, and what overlapping events do to t, drawn from events."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, combine_pvalues, kstest, norm

from nplm import KernelModel, NPLMTest, Sample
from nplm.channels import Channel, combine_results, shared_events
from nplm.channels.combine import _weights_of_sum
from nplm.channels.copula import log_tail_of_product, log_tail_of_smallest
from nplm.stats.weighted_chi2 import WeightedChi2Null


def document(p: float, t: float, weights: list[float], events: int = 1000) -> dict[str, object]:
    return {"schema": "nplm-result/1", "p_value": p, "z": float(norm.isf(p)), "t": t, "n_data": events,
            "null": {"weights": weights}}  # fmt: skip


def test_independent_channels_are_combined_in_closed_form() -> None:
    p = [0.02, 0.3, 0.5, 0.8]
    found = combine_results(p)
    assert found.p_value == pytest.approx(combine_pvalues(p, "fisher").pvalue, rel=1e-12)
    assert combine_results(p, "min-p").p_value == pytest.approx(1 - (1 - 0.02) ** 4, rel=1e-12)
    assert found.leading == "channel 1"
    assert found.adjusted[0] == pytest.approx(0.08)
    assert set(found.tails) == {"min-p", "fisher"}
    # Far out, and where p has no digits left, by their logarithms.
    far = combine_results({"a": 1e-200, "b": 1e-150})
    assert far.tails["fisher"].log_p == pytest.approx(
        math.log(1e-200) + math.log(1e-150) + math.log1p(350 * math.log(10))
    )
    tiny = {**document(0.0, 1.0, []), "z": 50.0}
    assert combine_results({"a": tiny, "b": 0.5}, "min-p").z == pytest.approx(49.986, abs=0.001)


def test_the_sum_of_t_has_the_weights_of_all() -> None:
    """chi2(2) and chi2(3) add up to chi2(5), and two times chi2(1) to what an integral says."""
    two = combine_results({"a": document(0.1, 4.6, [1, 1]), "b": document(0.1, 6.25, [1, 1, 1])}, "sum")
    assert two.p_value == pytest.approx(chi2.sf(10.85, 5), rel=1e-10)
    scaled = combine_results({"a": document(0.1, 5.0, [2.0]), "b": document(0.1, 1.0, [0.5])}, "sum")
    exact = quad(lambda x: chi2.pdf(x, 1) * chi2.sf((6.0 - 2 * x) / 0.5, 1), 0, 3, epsabs=1e-13)[0] + chi2.sf(3, 1)
    assert scaled.p_value == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("rho", [0.6, -0.4])
def test_correlated_channels_are_integrals_of_normal_variables(rho: float) -> None:
    """Two channels: the smallest p-value by an integral over one of them, their product likewise; also at 5 sigma."""
    correlation = np.array([[1, rho], [rho, 1]])
    s = math.sqrt(1 - rho**2)
    for z in (1.0, 2.5, 5.0):
        both = quad(lambda x: norm.pdf(x) * norm.sf((z - rho * x) / s), z, z + 12, epsabs=0, epsrel=1e-10)[0]  # noqa: B023
        log_p, error = log_tail_of_smallest(float(norm.logsf(z)), correlation, 1)
        assert math.exp(log_p) == pytest.approx(2 * norm.sf(z) - both, rel=max(5 * error, 1e-6))
    for statistic in (2.0, 6.0, 18.0):

        def beyond(x: float, statistic: float = statistic) -> float:
            left = statistic + float(norm.logsf(x))
            return float(norm.pdf(x) * (norm.sf((norm.isf(math.exp(-left)) - rho * x) / s) if left > 0 else 1.0))

        edge = norm.isf(math.exp(-statistic))
        exact = quad(beyond, -9, edge, epsabs=0, epsrel=1e-8, limit=300)[0] + norm.sf(edge)
        log_p, error = log_tail_of_product(statistic, correlation, 1)
        assert error < 0.03
        assert math.exp(log_p) == pytest.approx(exact, rel=max(5 * error, 1e-6))
    independent = log_tail_of_product(6.0, np.eye(2), 1)[0]
    assert math.exp(independent) == pytest.approx(chi2.sf(12, 4), rel=0.02)


def test_shared_events_widen_what_is_combined() -> None:
    """1000 pairs of channels of 300 events each, 200 of them shared, in the same four modes: t are sums of squares.

    Known by their weights, the sum has the right size; as independent channels it fires too often.
    """
    rng = np.random.default_rng(3)
    weights = np.array([2.0, 1.0, 0.5, 0.25])
    events = rng.choice([-1.0, 1.0], (1000, 400, 4))
    t = np.array([(part.sum(axis=1) / math.sqrt(300)) ** 2 @ weights for part in (events[:, :300], events[:, 100:])])
    channels = [Channel.of(document(0.5, 1.0, weights.tolist(), 300), name) for name in "ab"]
    sizes = {}
    for what, rho in (("shared", 200 / 300), ("independent", 0.0)):
        null = WeightedChi2Null(_weights_of_sum(channels, np.array([[1, rho], [rho, 1]])))
        sizes[what] = null.pvalues(t.sum(axis=0))
    assert np.mean(sizes["shared"] <= 0.05) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 1000))
    assert kstest(sizes["shared"], "uniform").pvalue > 0.001
    assert np.mean(sizes["independent"] <= 0.01) > 0.018
    shared = {("a", "b"): 200.0}
    given = {name: document(0.5, float(t[i, 0]), weights.tolist(), 300) for i, name in enumerate("ab")}
    assert combine_results(given, "sum", shared=shared).p_value == pytest.approx(sizes["shared"][0], rel=1e-8)


def test_results_objects_and_files_give_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    reference = Sample(rng.normal(size=(3000, 1)), np.full(3000, 0.1), ("x",))
    data = [Sample(rng.normal(size=(300, 1)), features=("x",), name=name) for name in ("first", "second")]
    test = NPLMTest(reference, KernelModel(width=1.0, centers=12), expected_yield=300.0)
    results = [test.run(each, 0) for each in data]
    assert all(result.calibration.kind == "analytic" for result in results)
    by_object = combine_results(dict(zip("ab", results, strict=True)), "sum")
    by_file = combine_results({n: json.loads(r.to_json()) for n, r in zip("ab", results, strict=True)}, "sum")
    assert by_file.p_value == pytest.approx(by_object.p_value, rel=1e-9)
    # The null of each is what its own p-value is read from.
    for result in results:
        alone = Channel.of(result, "a")
        assert alone.p_value == pytest.approx(result.p_value, rel=1e-9)
        assert alone.weights.sum() == pytest.approx(result.calibration.asymptotic.mean, rel=1e-6)
    overlapping = combine_results(dict(zip("ab", results, strict=True)), shared={("a", "b"): 150})
    assert overlapping.correlation[0, 1] == pytest.approx(0.25)
    assert overlapping.correlated == "shared events"
    assert "leads" in repr(overlapping)


def test_shared_events_are_counted_with_their_copies() -> None:
    a = Sample(np.array([[1.0, 0], [1, 0], [2, 1], [3, 2]]), features=("x", "y"))
    b = Sample(np.array([[0.0, 1], [0, 1], [0, 1], [2, 3]]), features=("y", "x"))
    assert shared_events(a, b) == 3
    with pytest.raises(ValueError, match="no feature in common"):
        shared_events(a, Sample(np.ones((1, 1)), features=("z",)))


@pytest.mark.parametrize(
    ("results", "options", "message"),
    [
        ({"a": 0.1}, {}, "two results or more, not 1"),
        ({"a": 0.1, "b": 1.2}, {}, "p-value of b is 1.2, where it must lie between 0 and 1"),
        ({"a": 0.1, "b": -0.1}, {}, "must lie between 0 and 1"),
        ({"a": 0.1, "b": 0.0}, {}, "too small to be combined"),
        ({"a": 0.1, "b": "x"}, {}, "b is a str"),
        ({"a": 0.1, "b": {"p_value": 0.1}}, {}, "without a schema of nplm"),
        ({"a": 0.1, "b": {"schema": "nplm-two-sample-matrix/1"}}, {}, "which is no result with one p-value"),
        ({"a": 0.1, "b": {"schema": "nplm-result/1", "p_value": None}}, {}, "b has no p-value"),
        ({"a": 0.1, "b": 0.2}, {"how": "mean"}, "there is no combination 'mean'"),
        ({"a": document(0.1, 3.0, [1.0]), "b": 0.2}, {"how": "sum"}, "results of different kinds"),
        ({"a": 0.1, "b": 0.2}, {"shared": {("a", "c"): 3}}, "'c' shares events, but is no channel"),
        ({"a": 0.1, "b": 0.2}, {"shared": {("a", "a"): 3}}, "shares events with itself"),
        ({"a": 0.1, "b": 0.2}, {"shared": {("a", "b"): 3}}, "number of events of a is not known"),
        (
            {"a": document(0.1, 3, [1], 9), "b": document(0.1, 3, [1], 5)},
            {"shared": {("a", "b"): 7}},
            "a and b share 7 events, but b has 5",
        ),
        ({"a": 0.1, "b": 0.2}, {"correlation": np.eye(3)}, "need 2 rows and columns"),
        ({"a": 0.1, "b": 0.2}, {"correlation": np.array([[1, 2.0], [2, 1]])}, "are not positive"),
        ({"a": 0.1, "b": 0.2}, {"correlation": np.array([[1, 0.2], [0.3, 1]])}, "symmetric"),
        ({"a": 0.1, "b": 0.2}, {"correlation": 2 * np.eye(2)}, "ones on the diagonal"),
    ],
)
def test_bad_input_is_refused(results: dict[str, object], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        combine_results(results, **options)  # type: ignore[arg-type]
