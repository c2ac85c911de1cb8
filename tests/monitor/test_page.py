"""The page of a monitor says nothing of charts and rates that there are none of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor import ControlLimits
from nplm.monitor.page import write_page


@pytest.mark.parametrize("drift", [False, True])
def test_captions_and_columns_are_of_what_is_shown(tmp_path: Path, drift: bool) -> None:
    rng = np.random.default_rng(1)
    reference = Sample(rng.normal(size=(20_000, 1)), features=["pt"])
    monitor = Monitor(reference, KernelModel(width=1.0, centers=40), window=400, limits=ControlLimits(drift=drift))
    verdicts = list(monitor.watch([rng.normal(size=(800, 1))]))
    page = write_page(tmp_path, monitor, verdicts, None).read_text()
    assert ("Below: the cumulative sums" in page) == drift
    assert "p of shape" in page
    assert "p of rate" not in page
