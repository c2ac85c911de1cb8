"""A prepared kernel model in a file: the same answers, and refused for another test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.base import PreparedError
from nplm.models.kernel import fit as kernel_fit
from nplm.models.kernel.model import KernelModel

MODEL = KernelModel(width=1.5, centers=60, penalty=1e-4)


@pytest.fixture
def reference(rng: np.random.Generator) -> Sample:
    return Sample(rng.normal(size=(2000, 2)), rng.uniform(0.05, 0.15, 2000))


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("d", [1, 2])
def test_a_saved_model_gives_the_same_answers(
    d: int, held: bool, reference: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not held:
        monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    sample = Sample(reference.events[:, :d], reference.weights)
    data = Sample(sample.events[:210] + 0.1, np.linspace(0.5, 1.5, 210))
    test = NPLMTest(sample, MODEL)
    test.save(tmp_path / "prepared.npz")
    monkeypatch.setattr(KernelModel, "prepare", lambda *arguments: pytest.fail("it was prepared again"))
    loaded = NPLMTest(sample, MODEL, prepared=tmp_path / "prepared.npz")
    assert loaded.statistic(data) == test.statistic(data)
    np.testing.assert_array_equal(loaded.asymptotic_null(data).weights, test.asymptotic_null(data).weights)  # type: ignore[attr-defined]
    fits = loaded.fit([data])
    named = loaded.prepared.named_parameters(fits.parameters[0])
    np.testing.assert_array_equal(named["centers"], test.prepared.named_parameters(fits.parameters[0])["centers"])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": KernelModel(width=1.4, centers=60, penalty=1e-4)}, r"test.model.width: 1.4 here, 1.5 there"),
        ({"model": KernelModel(width=1.5, centers=60, penalty=1e-4, seed=2)}, r"test.model.seed: 2 here, 1 there"),
        ({"coordinates": "raw"}, "test.standardize: false here, true there"),
        ({"shape_only": True}, "test.shape_only: true here, false there"),
        ({"expected_yield": 5.0}, "test.expected_yield"),
    ],
)
def test_another_test_is_refused(settings: dict[str, Any], named: str, reference: Sample, tmp_path: Path) -> None:
    NPLMTest(reference, MODEL).save(tmp_path / "prepared.npz")
    with pytest.raises(PreparedError, match=rf"prepared.npz was prepared for another test \({named}.*prepare it anew"):
        NPLMTest(reference, **{"model": MODEL, **settings}, prepared=tmp_path / "prepared.npz")


def test_another_reference_is_refused(reference: Sample, tmp_path: Path) -> None:
    NPLMTest(reference, MODEL).save(tmp_path / "prepared.npz")
    events = reference.events.copy()
    events[7, 1] += 1e-9
    with pytest.raises(PreparedError, match=r"another test \(reference: "):
        NPLMTest(Sample(events, reference.weights), MODEL, prepared=tmp_path / "prepared.npz")


def test_files_that_are_something_else_are_refused(reference: Sample, tmp_path: Path) -> None:
    other, cut, text = (tmp_path / name for name in ("other.npz", "cut.npz", "text.npz"))
    np.savez(other, x=np.arange(3.0))
    NPLMTest(reference, MODEL).save(cut)
    cut.write_bytes(cut.read_bytes()[:-500])
    text.write_text("not an archive")
    for path in (other, cut, text):
        with pytest.raises(PreparedError, match=rf"{path.name} holds no prepared model.*nplm prepare"):
            NPLMTest(reference, MODEL, prepared=path)
    with pytest.raises(PreparedError, match=r"none\.npz cannot be read: No such file"):
        NPLMTest(reference, MODEL, prepared=tmp_path / "none.npz")


def test_only_kernel_models_are_saved(reference: Sample, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a prepared kernel model is saved, not that of a histogram"):
        NPLMTest(reference, "histogram").save(tmp_path / "prepared.npz")


def rewritten(path: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """The same file with changed arrays, intact as an npz file."""
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays["penalty"].__imul__(2),
        lambda arrays: arrays.update(noise=arrays["noise"].astype(np.float32)),
        lambda arrays: arrays.update(
            header=np.array(str(arrays["header"]).replace('"events": 2000', '"events": 2001'))
        ),
        lambda arrays: arrays.update(more=np.zeros(1)),
        lambda arrays: arrays.pop("digest"),
    ],
)
def test_edited_contents_are_refused(change: Any, reference: Sample, tmp_path: Path) -> None:
    path = tmp_path / "prepared.npz"
    NPLMTest(reference, MODEL).save(path)
    rewritten(path, lambda arrays: None)
    NPLMTest(reference, MODEL, prepared=path)
    rewritten(path, change)
    with pytest.raises(
        PreparedError, match=r"prepared.npz was changed: its contents .* make it anew with nplm prepare"
    ):
        NPLMTest(reference, MODEL, prepared=path)


def test_a_file_of_an_earlier_version_has_no_digest_and_is_read(reference: Sample, tmp_path: Path) -> None:
    path = tmp_path / "prepared.npz"
    test = NPLMTest(reference, MODEL)
    test.save(path)

    def older(arrays: dict[str, np.ndarray]) -> None:
        del arrays["digest"]
        arrays["header"] = np.array(str(arrays["header"]).replace("nplm-prepared/2", "nplm-prepared/1"))

    rewritten(path, older)
    data = Sample(reference.events[:210] + 0.1)
    assert NPLMTest(reference, MODEL, prepared=path).statistic(data) == test.statistic(data)
