"""Where the nuisances of toys truly are, and how well fits find them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.toys.pulls import Mean, Truth, fitted_nuisances
from nplm.toys.table import ToyTable
from toys.exponential_nuisances import SIGMA, draw_reference, nuisances

TRUTH = Truth(("scale", "norm"), np.array([0.1, 0.0]), np.array([0.2, 0.5]), np.array([0.1, 0.05]))


def table(**columns: np.ndarray) -> ToyTable:
    """Four toys, the last of which has failed."""
    t = np.array([1.0, 2.0, 6.0, np.nan])
    n = np.ones(4)
    plain = ToyTable(np.arange(4), t, n, n > 0, np.ones(4, dtype=int), np.array(["", "", "", "bad"], object), n)
    return replace(plain, **columns)


def test_numbers_by_hand() -> None:
    nu = np.array([[0.1, 0.5], [0.3, -0.5], [-0.1, 0.0], [np.nan, np.nan]])
    toys = table(delta=np.array([0.5, 1.5, 1.0, np.nan]), nu_delta=nu, nu_tau=2 * nu)
    fitted = fitted_nuisances(toys, TRUTH)
    assert fitted is not None
    assert (fitted.tau.mean, fitted.delta.mean) == (4.0, 1.0)
    scale, norm = fitted.pulls
    # (0, 1, -1) and (1, -1, 0): standard deviation 1, which three toys know to a half.
    for one in (scale, norm):
        assert list(vars(one.pull).values()) == pytest.approx([0, 1 / np.sqrt(3), 1, 0.5])
    # 2 nu - truth: (0.1, 0.5, -0.3) / 0.2.
    assert scale.with_f.mean == pytest.approx(0.5)
    assert (scale.name, scale.truth, scale.sigma, scale.expected_sd) == ("scale", 0.1, 0.2, 0.5)
    assert norm.expected_sd == pytest.approx(0.1)
    assert json.loads(json.dumps(fitted.to_dict()))["pulls"][1]["name"] == "norm"


def test_toys_without_nuisances_have_no_pulls_and_unknown_truths_neither() -> None:
    assert fitted_nuisances(table(), TRUTH) is None
    nu = np.zeros((4, 2))
    fitted = fitted_nuisances(table(delta=np.zeros(4), nu_delta=nu, nu_tau=nu), None)
    assert fitted is not None
    assert fitted.pulls == ()
    assert fitted.tau.mean == pytest.approx(3.0)


def test_few_toys_have_no_errors() -> None:
    nu = np.zeros((4, 2))
    toys = table(delta=np.zeros(4), nu_delta=nu, nu_tau=nu)
    one, none = (fitted_nuisances(toys.select(rows), TRUTH) for rows in (slice(0, 1), slice(3, 4)))
    assert one is not None
    assert none is not None
    assert one.tau == Mean(1.0, None, None, None)
    assert none.tau == Mean(None, None, None, None)


def test_a_truth_is_read_back() -> None:
    again = Truth.read(json.loads(json.dumps(TRUTH.document())))
    assert str(again) == str(TRUTH) == "scale = 0.1, norm = 0"
    for name in ("nu", "sigma", "error"):
        np.testing.assert_array_equal(getattr(again, name), getattr(TRUTH, name))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("nu", [(0.0, 0.0), (0.2, -0.3)])
def test_errors_are_those_of_the_information_at_nu(nu: tuple[float, float], exact: bool) -> None:
    """The scores are x e^-scale - 1 and 1, and weights w r; the constraint adds 1 / sigma^2.

    With a finite reference weights of the second derivatives are w r / (1 + w r), and those of the scores' covariance,
    of which the reference that toys share is no part, w r / (1 + w r)^2.
    """
    reference = draw_reference(np.random.default_rng(1), 3000)
    prepared = NPLMTest(
        reference, HistogramModel(bins=5, reference_exact=exact), nuisances=nuisances()
    ).prepared.profiled
    assert prepared is not None
    truth = Truth.of(prepared.profile, np.array(nu))
    x = reference.events[:, 0]
    scores = np.column_stack([x * np.exp(-nu[0]) - 1, np.ones_like(x)])
    weights = reference.weights * np.exp(-nu[0] - x * np.expm1(-nu[0]) + nu[1])
    q = np.ones_like(x) if exact else 1 / (1 + weights)
    information, spread = (
        (scores * (weights * q**power)[:, None]).T @ scores + np.eye(2) / SIGMA**2 for power in (1, 2)
    )
    inverse = np.linalg.inv(information)
    expected = np.sqrt(np.diag(inverse @ spread @ inverse))
    np.testing.assert_allclose(truth.error, expected, rtol=1e-9)
    np.testing.assert_allclose(truth.sigma, SIGMA)
    # 2000 e^norm events know either to about their square root.
    assert truth.error == pytest.approx(1 / np.sqrt(2000 * np.exp(nu[1]) + SIGMA**-2), rel=0.1)
