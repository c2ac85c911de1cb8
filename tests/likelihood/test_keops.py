"""The engine KeOps against XLA and direct sums, and what is said where it is missing."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import nplm.likelihood.keops as module
from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.likelihood.kernel_sums import kernel_product, kernel_sum
from nplm.models.kernel import fit as kernel_fit
from nplm.models.kernel.model import KernelModel

needs_keops = pytest.mark.skipif(find_spec("pykeops") is None, reason="pykeops is not installed")
KERNEL = {"width": 1.3, "centers": 40, "selection": "covering", "penalty": 1e-5, "reference_exact": True}


@pytest.fixture(scope="module")
def cache() -> str:
    """Where KeOps keeps what it compiles: in the folder that `make clean` removes, for all workers of the tests."""
    return os.environ.setdefault("KEOPS_CACHE_FOLDER", str(Path(__file__).parents[2] / "build" / "keops"))


@pytest.fixture
def samples(rng: np.random.Generator) -> tuple[Sample, Sample]:
    """A weighted reference and data that differ, in three dimensions."""
    reference = Sample(rng.normal(size=(3000, 3)), rng.uniform(0.05, 0.15, 3000))
    return reference, Sample(rng.normal(0.2, 1.1, size=(320, 3)))


def test_a_missing_engine_is_named_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'needs pykeops: pip install "nplm-jax\[keops\]"'):
        KernelModel(engine="keops")
    KernelModel(engine="xla")


def test_an_engine_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="the engine xla or keops, not 'cuda'"):
        KernelModel(engine="cuda")


@needs_keops
@pytest.mark.parametrize("width", [0.3, 4.0])
def test_sums_are_direct_ones(cache: str, rng: np.random.Generator, width: float) -> None:
    events, centers = rng.normal(size=(2000, 3)), np.asfortranarray(rng.normal(size=(30, 3)))
    v, a = rng.normal(size=2000), rng.normal(size=30)
    matrix = np.exp(-cdist(events, centers, "sqeuclidean") / (2 * width**2))
    for engine in module.ENGINES:
        np.testing.assert_allclose(kernel_sum(events, v, centers, width, engine), v @ matrix, atol=1e-10)
        np.testing.assert_allclose(kernel_product(events, a, centers, width, engine), matrix @ a, atol=1e-10)
    # It is the engine that is asked for: float32 would be wrong by more than the tolerance.
    rough = np.exp(-cdist(events, centers, "sqeuclidean").astype(np.float32) / np.float32(2 * width**2))
    assert np.abs(v.astype(np.float32) @ rough - v @ matrix).max() > 1e-7


@needs_keops
def test_sums_over_nothing_are_zero(cache: str) -> None:
    for engine in module.ENGINES:
        nothing = np.zeros((0, 3))
        assert not kernel_sum(nothing, np.zeros(0), np.ones((4, 3)), 1.0, engine).any()
        assert kernel_product(nothing, np.ones(4), np.ones((4, 3)), 1.0, engine).shape == (0,)


@needs_keops
@pytest.mark.parametrize("held", [True, False])
def test_both_engines_give_one_test(
    cache: str, samples, held: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reference, data = samples
    settings = KERNEL | {"width": 4.0, "centers": 120}  # fewer modes than half of the centres
    if not held:  # the reference as features, whose sums are those of kernels too
        monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    asked = []
    monkeypatch.setattr(module, "_sums", lambda *a, f=module._sums: asked.append(1) or f(*a))
    xla, keops = (NPLMTest(reference, KernelModel(**settings, engine=engine)) for engine in module.ENGINES)
    # Weak modes turn a rounding of the sums into more of it in t.
    fits = [test.fit([data]) for test in (xla, keops)]
    assert fits[1].t[0] == pytest.approx(fits[0].t[0], abs=1e-6)
    f = [test.prepared.log_ratio(fits[0].parameters[0], data.events) for test in (xla, keops)]
    np.testing.assert_allclose(f[1], f[0], atol=1e-8)
    assert (keops.prepared.blocks.centers is None) is held
    assert len(asked) == 2 + (not held)
    assert capfd.readouterr().out == ""


@needs_keops
def test_what_one_engine_prepared_or_drew_serves_the_other(cache: str, samples, tmp_path: Path) -> None:
    reference, data = samples
    xla, keops = (NPLMTest(reference, KernelModel(**KERNEL, engine=engine)) for engine in module.ENGINES)
    assert xla.campaign(data).plan().hash == keops.campaign(data).plan().hash
    xla.save(tmp_path / "prepared.npz")
    loaded = NPLMTest(reference, keops.model, prepared=tmp_path / "prepared.npz")
    assert loaded.prepared.engine == "keops"
    assert loaded.statistic(data) == pytest.approx(xla.statistic(data), abs=1e-6)
    assert pickle.loads(pickle.dumps(keops)).prepared.engine == "keops"


PROGRAM = """
import numpy as np
from nplm import KernelModel
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
sample = Sample(np.linspace(0, 1, 100))
KernelModel(centers=5, engine="keops").prepare(sample, Scaler.fit(sample))
"""


@needs_keops
def test_a_compiler_that_fails_is_said_to_fail(tmp_path: Path) -> None:
    environment = {**os.environ, "CXX": "/bin/false", "KEOPS_CACHE_FOLDER": str(tmp_path / "keops")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ValueError: KeOps cannot compile its kernels")
    for part in ("C++ compiler", str(tmp_path / "keops"), "engine xla"):
        assert part in last
