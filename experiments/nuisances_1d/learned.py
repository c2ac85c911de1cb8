"""Log-ratios of set-up A, learned as users learn theirs: from samples that were simulated at other values of nu."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nplm import LearnedLogRatio, Sample, learn_from_samples, read_ratio, write_ratio
from toys.exponential_nuisances import NUISANCES, draw_reference


def learned_ratio(reference: Sample, sigma: float, events: int, work: Path) -> LearnedLogRatio:
    """log r of scale and normalisation from samples at +-1 sigma of each, kept in a file of the folder `work`."""
    file = work / f"ratio-{sigma:g}-{len(reference)}-{events}.npz"
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(3)
        points = [{name: step} for name in NUISANCES for step in (-sigma, sigma)]
        varied = [(nu, draw_reference(rng, events, reference.total_weight, nu)) for nu in points]
        write_ratio(file, learn_from_samples(reference, varied))
    return read_ratio(file, reference)
