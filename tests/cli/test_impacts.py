"""`nplm test --impacts`: shown for models that fit quickly, on request for networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances

TEST = ("test", "data.npz", "--reference", "reference.npz", "--weights", "weight", "--toys", "0", "--json")
KERNEL = ("--model", "kernel", "--width", "1.5", "--centers", "20")
NUISANCES = ("--nuisances", "nuisances.yaml")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.savez("reference.npz", x=rng.exponential(size=2000), weight=np.full(2000, 0.2))
    np.savez("data.npz", x=rng.exponential(size=450))
    Path("nuisances.yaml").write_text("normalizations: {lumi: 0.03, other: 0.01}\n")


def impacts_of(text: str) -> list[float | None]:
    return [row["impact"] for row in json.loads(text)["nuisances"]["fitted"]]


@pytest.mark.slow
def test_kernels_have_them_and_slow_models_on_request(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    always = nplm(*TEST, *KERNEL, *NUISANCES)
    assert always.code == 0, always.err
    shown = impacts_of(always.out)
    assert None not in shown
    # From here on kernels count as slow.
    monkeypatch.setattr(PreparedKernelWithNuisances, "quick", False)
    assert impacts_of(nplm(*TEST, *KERNEL, *NUISANCES).out) == [None, None]
    asked = nplm(*TEST, *KERNEL, *NUISANCES, "--impacts")
    assert impacts_of(asked.out) == pytest.approx(shown)
    assert "one more fit for each of 2 nuisances" in asked.err


def test_without_nuisances_they_are_refused(nplm) -> None:
    for more, message in (((), "give them with --nuisances FILE"), (("--widths", "1,2"), "not for several --widths")):
        outcome = nplm(*TEST, "--model", "kernel", *more, "--impacts")
        assert outcome.code == 2
        assert message in outcome.err
