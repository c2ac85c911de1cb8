"""Many comparisons: corrections for their number, and the number of events that it takes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import norm

from nplm import n_sweep, validate_matrix
from nplm.two_sample.matrix import adjusted_p
from nplm.two_sample.sweep import _crossing
from tests.two_sample.samples import gaussians, signed

SETTINGS = {"widths": [0.8, 2.5], "penalties": [1e-2, 1e-3], "centers": 40}


def test_corrections_by_hand() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(adjusted_p(p, "bonferroni"), [0.04, 0.16, 0.12, 1.0])
    np.testing.assert_allclose(adjusted_p(p, "holm"), [0.04, 0.09, 0.09, 0.5])
    np.testing.assert_allclose(adjusted_p(p, "false-discovery"), [0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_matrix_finds_the_sample_that_differs(rng) -> None:
    samples = {
        "one": gaussians(rng, 300),
        "two": gaussians(rng, 200),
        "shifted": gaussians(rng, 250, shift=0.8),
        "signed": signed(rng, 400),
    }
    matrix = validate_matrix(samples, resamples=999, draws=2000, **SETTINGS)
    assert len(matrix.results) == 6
    z = matrix.z
    np.testing.assert_array_equal(z, z.T)
    assert np.isnan(np.diag(z)).all()
    different = matrix.names.index("shifted")
    others = [i for i in range(4) if i != different]
    assert (z[different, others] > 2).all()
    assert np.nanmax(z[np.ix_(others, others)]) < 2
    assert "shifted" in matrix.leading
    assert json.loads(matrix.to_json())["correction"] == "holm"
    assert "3 of 6 pairs differ" in repr(matrix)
    with pytest.raises(ValueError, match="two samples or more, not 1"):
        validate_matrix({"one": samples["one"]})
    with pytest.raises(ValueError, match="no correction 'none'"):
        validate_matrix(samples, correction="none")


def test_z_grows_with_the_number_of_events_and_not_without_a_difference(rng) -> None:
    """Median Z of 40 subsamples; without a difference it stays within 0.8 of zero at every size."""
    a = gaussians(rng, 4000)
    sweep = n_sweep(a, gaussians(rng, 4000, shift=0.25), [200, 400, 800, 1600], draws=5000, **SETTINGS)
    assert (np.diff(sweep.median) > 0).all()
    three, five = sweep.crossings
    assert three.kind == "interpolated"
    assert 200 < three.events < five.events
    # Twice the events give a Z that is larger by the root of two, once it is well above the threshold of the test.
    assert sweep.median[-1] / sweep.median[-2] == pytest.approx(np.sqrt(2), rel=0.35)
    none = n_sweep(a, gaussians(rng, 4000), [200, 800], draws=5000, **SETTINGS)
    assert np.abs(none.median).max() < 0.8
    assert {crossing.kind for crossing in none.crossings} == {"unknown"}
    assert "hardly differ" in repr(none)
    assert len(json.loads(sweep.to_json())["sizes"]) == 4


def test_subsamples_without_a_difference_have_standard_normal_z(rng) -> None:
    """200 subsamples of a tenth of the events: mean and deviation of Z within four standard errors of 0 and 1."""
    z = n_sweep(gaussians(rng, 5000), signed(rng, 5000), [500], repeats=200, draws=5000, **SETTINGS).z[0]
    assert abs(z.mean()) < 4 / np.sqrt(200) + 0.1
    assert z.std() == pytest.approx(1, abs=4 / np.sqrt(400) + 0.05)
    assert norm.sf(z).min() > 1e-5


def test_crossings() -> None:
    sizes, median = (100, 400, 900), np.array([1.0, 2.0, 3.0])
    assert _crossing(sizes, median, 2.5).events == pytest.approx(625)
    assert _crossing(sizes, median, 0.5).kind == "below"
    beyond = _crossing(sizes, median, 6.0)
    assert (beyond.events, beyond.kind) == (3600, "extrapolated")
    assert _crossing(sizes, median / 3, 6.0).kind == "unknown"


def test_sizes_that_make_no_sense_are_refused(rng) -> None:
    a, b = gaussians(rng, 60), gaussians(rng, 50)
    for sizes in ([], [1], [51]):
        with pytest.raises(ValueError, match="between 2 and 50"):
            n_sweep(a, b, sizes)
    with pytest.raises(ValueError, match="1 or more, not 0"):
        n_sweep(a, b, [20], repeats=0)
    with pytest.raises(ValueError, match="compares shapes only"):
        n_sweep(a, b, [20], expected_ratio=1.0)
