"""The one-step solver against LogisticFalkon's t on samples that are made again here."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.models.kernel.centers import choose_centers
from tests.models.kernel.kernel_problems import prepare, set_up_a

# LogisticFalkon, one Newton step, float64, lambda = 1e-6, width 2.3, M = 1000; its own t moves by up to 0.3 with its
# random centres. The samples are those of `set_up_a`: (seed, number of reference events, with the peak, t).
FALKON = [
    (0, 20_000, False, 6.49648256),
    (0, 20_000, True, 17.98670208),
    (1, 20_000, False, 4.49047391),
    (0, 200_000, False, 8.67494468),
]


def penalty(reference: Sample) -> float:
    return 2 * 1e-6 * (len(reference) + 2000)


@pytest.mark.parametrize(("seed", "n_reference", "with_peak", "expected"), FALKON)
def test_one_step_is_that_of_falkon(seed: int, n_reference: int, with_peak: bool, expected: float) -> None:
    reference, null, signal = set_up_a(seed, n_reference)
    data = signal if with_peak else null
    centers = choose_centers(reference.events, reference.weights, 1000, "covering", 1)
    step = prepare(reference, centers, 2.3, penalty(reference), "falkon-step")
    assert step.fit([data]).t[0] == pytest.approx(expected, abs=0.05)
    # The converged fit has a penalized likelihood that is at least as large.
    full = prepare(reference, centers, 2.3, penalty(reference))

    def penalized(prepared, fits) -> float:
        return float(fits.t[0] / 2 - prepared.modes.penalty @ fits.parameters[0] ** 2 / 2)

    assert penalized(full, full.fit([data])) >= penalized(step, step.fit([data])) - 1e-9
    assert full.fit([data]).converged[0]


def test_t_does_not_depend_on_centres_that_cover_nor_on_the_rank() -> None:
    reference, null, signal = set_up_a()
    values = []
    for seed, cut in ((1, 1e-11), (1, 1e-13), (1, 1e-15), (2, 1e-13), (3, 1e-13)):
        centers = choose_centers(reference.events, reference.weights, 1000, "covering", seed)
        step = prepare(reference, centers, 2.3, penalty(reference), "falkon-step", cut)
        full = prepare(reference, centers, 2.3, penalty(reference), "ml", cut)
        values.append([step.fit([null]).t[0], *full.fit([null, signal]).t])
    assert np.ptp(values, axis=0).max() < 0.005
