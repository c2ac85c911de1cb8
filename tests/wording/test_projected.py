"""What is said before a long run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm import KernelModel, MultipleTest, NPLMTest, Sample
from nplm._util.cores import available_cores
from nplm.cli.main import main
from nplm.hypotest import kernel_widths
from nplm.models.kernel.fit import PreparedKernel
from nplm.wording.projected import projection

MODEL = KernelModel(width=1.0, centers=20)
CORES = len(available_cores())


def test_a_long_run_says_what_would_be_quicker() -> None:
    assert projection(59, 200, "200 toys", ["a kernel"]) == "projected time: at most 59 s for 200 toys"
    expected = "projected time: at most 2.0 h for 200 toys; quicker: a kernel, or fewer toys (with 50 of 200: 30 min)"
    assert projection(7200, 200, "200 toys", ["a kernel"]) == expected
    assert projection(7200, 40, "40 toys", []) == "projected time: at most 2.0 h for 40 toys"


@pytest.fixture
def reference(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """Of a test whose fits are said to take ten seconds each."""
    monkeypatch.setattr(PreparedKernel, "projected_seconds", lambda self, data, fits: 10.0 * fits)
    return Sample(rng.normal(size=2000), np.full(2000, 0.05))


def test_the_toys_of_a_test_come_in_batches_of_seconds(reference: Sample, rng: np.random.Generator) -> None:
    data, said, sizes = rng.normal(size=100), [], []
    test = NPLMTest(reference, MODEL)
    result = test.run(data, 60, notify=said.append, on_toys=lambda table: sizes.append(len(table)))
    assert "projected time: at most 10 min for the fit and 60 toys; quicker: --calibrate asymptotic" in said[-1]
    assert max(sizes) == CORES
    assert sum(sizes) == 60
    # Nothing is quicker than no toys.
    test.run(data, 0, notify=said.append)
    assert said[-1] == "projected time: at most 10 s for the fit and 0 toys"
    assert len(result.toys.t) == 60


def test_toys_with_references_of_their_own_are_fitted_one_by_one(reference: Sample, rng: np.random.Generator) -> None:
    """A core each, after their references were prepared; the fit of the data comes on top."""
    data, test = Sample(rng.normal(size=100)), NPLMTest(reference, MODEL)
    shared, own = (test.campaign(data, reference_per_toy=each) for each in (False, True))
    assert shared.projected_seconds(data, 60, more=1) == 610
    fits = 10.0 * -(-60 // CORES)
    assert fits < own.projected_seconds(data, 60) < 1.5 * fits
    assert fits + 10 < own.projected_seconds(data, 60, more=1) < 1.5 * (fits + 10)


@pytest.mark.slow
def test_so_do_those_of_several_tests(reference: Sample, rng: np.random.Generator) -> None:
    said, sizes = [], []
    test = MultipleTest(kernel_widths(reference, [0.5, 1.0]))
    test.run(rng.normal(size=100), 60, notify=said.append, on_toys=lambda tables: sizes.append(len(tables[0])))
    assert "projected time: at most 20 min for the fits of 2 tests; quicker: " in said[-1]
    assert max(sizes) == CORES


def test_a_closure_says_it_too(
    reference: Sample,
    rng: np.random.Generator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("ref.npz", x=reference.events[:, 0], w=reference.weights)
    np.savez("signal.npz", x=rng.normal(2, 0.1, size=300))
    words = "closure --reference ref.npz --weights w --signal signal.npz --n 5 --toys 40 --ideal none --centers 20"
    assert main([*words.split(), "--width", "1"]) == 0
    said = "projected time: at most 13 min for 80 toys; quicker: fewer --centers, or fewer toys (with 50 of 80: 8 min)"
    assert said in capsys.readouterr().err
