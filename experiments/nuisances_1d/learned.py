"""Log-ratios of set-up A, learned as users learn theirs: from samples that were simulated at other values of nu."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nplm import Sample
from nplm.learning import LearnedLogRatio, learn_from_samples, read_ratio, write_ratio
from toys.exponential_nuisances import NUISANCES, draw_reference


def learned_ratio(reference: Sample, sigma: float, events: int, work: Path) -> LearnedLogRatio:
    """log r of scale and normalization from samples at +-1 and +-2 sigma of each, kept in a file of the folder `work`.

    Samples at +-1 sigma alone know d2 too badly for data at 2 sigma, where its error counts four times as much.
    """
    file = work / f"ratio-to-{2 * sigma:g}-{len(reference)}-{events}.npz"
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(3)
        points = [{name: step} for name in NUISANCES for step in (-2 * sigma, -sigma, sigma, 2 * sigma)]
        varied = [(nu, draw_reference(rng, events, reference.total_weight, nu)) for nu in points]
        write_ratio(file, learn_from_samples(reference, varied))
    ratio = read_ratio(file, reference)
    assert isinstance(ratio, LearnedLogRatio)
    return ratio
