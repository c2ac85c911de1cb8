"""References of toys have numbers of modes of their own, and share compiled fits all the same."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel


@pytest.mark.parametrize(("dimension", "width", "held"), [(1, 1.0, True), (3, 4.0, True), (3, 1.0, False)])
@pytest.mark.parametrize("exact", [True, False])
def test_modes_that_are_filled_up_change_no_t(
    dimension: int, width: float, held: bool, exact: bool, rng: np.random.Generator
) -> None:
    model = KernelModel(centers=150, width=width, reference_exact=exact)
    kernel = NPLMTest(rng.normal(size=(3000, dimension)), model, expected_yield=600).prepared
    assert isinstance(kernel, PreparedKernel)
    assert (kernel.blocks.centers is None) == held
    filled = kernel.sharing_compilations()
    assert filled.modes.count % 8 == 0
    data = [Sample(rng.normal(0.1, 1, size=(600, dimension))) for _ in range(2)]
    expected, found = kernel.fit(data), filled.fit(data)
    assert found.converged.all()
    np.testing.assert_allclose(found.t, expected.t, rtol=1e-6)
    np.testing.assert_allclose(found.parameters[:, : kernel.modes.count], expected.parameters, atol=1e-4)
    np.testing.assert_allclose(found.parameters[:, kernel.modes.count :], 0.0, atol=1e-12)
    assert filled.null(data[0]).mean == pytest.approx(kernel.null(data[0]).mean, rel=1e-9)


def test_references_of_toys_share_a_few_sizes() -> None:
    references = [np.random.default_rng(seed).exponential(size=(3000, 1)) for seed in range(12)]
    test = NPLMTest(references[0], KernelModel(width=0.3), expected_yield=600)
    samples = [Sample(events, np.full(3000, 0.2)) for events in references]
    shared = [test.with_reference(sample, one_of_many=True).prepared for sample in samples]
    own = [test.with_reference(sample).prepared for sample in samples]

    def shapes(of: list) -> set[tuple[int, ...]]:
        return {kernel.blocks.x.shape for kernel in of}

    assert len(shapes(shared)) <= 3 < len(shapes(own))
