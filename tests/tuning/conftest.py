"""Tuning on toys whose t is a known function of the clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import nplm.tuning.path as path_module
import nplm.tuning.tuner as module
from nplm.toys.campaign import Campaign
from nplm.tuning.path import ClipPath
from nplm.tuning.result import Tuned
from nplm.tuning.tuner import TuneSettings, Tuning
from tests.toys.programs import QUICK, exponential_campaign
from tests.tuning.tuned_toys import Toys


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return exponential_campaign(model=replace(QUICK, hidden=(1,)))


@pytest.fixture
def tune(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tuned]:
    """Tunes on synthetic toys; the network's own climbs are replaced by the gap that they would close.

    200 resamplings know an end of the interval to a tenth of the error of the clip.
    """
    monkeypatch.setattr(path_module, "_RESAMPLINGS", 200)

    def run(toys: Toys, start: float = 6.0, of: Campaign = campaign) -> Tuned:
        def no_climbs(
            clips: list[float], t: np.ndarray, parameters: np.ndarray, climb: object, before: object
        ) -> ClipPath:
            return ClipPath(np.array(clips), t + np.reshape(toys.gap, (-1, 1)), t)

        monkeypatch.setattr(module, "follow_path", no_climbs)
        tuning = Tuning(of, TuneSettings(toys.scan, start, controls=0))
        monkeypatch.setattr(tuning, "toys_at", toys)
        return tuning.run()

    return run
