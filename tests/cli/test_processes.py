"""A reference of several files: pictures show the files, and never cost the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm.io import ReadError

WORDS = (
    "test",
    "obs.npz",
    "--reference",
    "top.npz=300",
    "jets.npz=700",
    "--where",
    "x < 4",
    "--toys",
    "199",
    "-o",
    "out",
)


@pytest.fixture
def files(folder: Path) -> Path:
    rng = np.random.default_rng(4)
    np.savez(folder / "top.npz", x=rng.normal(1.0, 0.3, 3000))
    np.savez(folder / "jets.npz", x=rng.exponential(size=7000))
    np.savez(folder / "obs.npz", x=np.concatenate([rng.exponential(size=700), rng.normal(2.5, 0.1, 300)]))
    return folder


def test_each_file_is_a_part_of_the_picture(nplm, files: Path) -> None:
    outcome = nplm(*WORDS)
    assert outcome.code == 0, outcome.err
    assert "Filled: the files that the reference is made of." in (files / "out/report.html").read_text()


def test_a_file_that_is_gone_by_then_costs_no_answer(nplm, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: object, **settings: object) -> None:
        raise ReadError("top.npz does not exist")

    for reader in ("read_sample", "row_numbers"):
        monkeypatch.setattr(f"nplm.cli.processes.{reader}", gone)
    outcome = nplm(*WORDS)
    assert outcome.code == 0, outcome.err
    page = (files / "out/report.html").read_text()
    assert "What differs most: x" in page
    assert "Filled: the files" not in page
