"""Scores in ONNX files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nplm.scored import OnnxScore
from tests.scored.onnx_files import squared_distance


def test_a_model_gives_the_score_of_each_event(tmp_path: Path) -> None:
    events = np.random.default_rng(1).normal(size=(70_000, 3))
    score = OnnxScore(squared_distance(tmp_path / "far.onnx", 3))
    # In single precision, and in two blocks.
    np.testing.assert_allclose(score(events), (events**2).sum(axis=1), rtol=1e-5)
    assert score.__name__ == str(tmp_path / "far.onnx")
    with pytest.raises(ValueError, match=r"far.onnx takes 3 features, but 2 are compared: .* in their order"):
        score(events[:, :2])


def test_other_models_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"two.onnx has 2 inputs \(x, other\), but a score has one"):
        OnnxScore(squared_distance(tmp_path / "two.onnx", 3, inputs=2))
    with pytest.raises(ValueError, match=r"many.onnx gives an array of shape \(5, 3\) for 5 events"):
        OnnxScore(squared_distance(tmp_path / "many.onnx", 3, summed=False))(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"none.onnx: there is no such file"):
        OnnxScore(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match=r"text.onnx is no ONNX model that onnxruntime can run: "):
        OnnxScore(tmp_path / "text.onnx")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"needs onnxruntime: pip install 'nplm-jax\[onnx\]'"):
        OnnxScore(squared_distance(tmp_path / "far.onnx", 3))
