"""p of the kernel model at three and five sigma on set-up A, from 5000 toys that are drawn where t is large."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.measure import measured
from nplm import KernelModel, NPLMTest
from nplm.calibration import importance_null
from nplm.models.kernel.fit import PreparedKernel
from nplm.wording.markdown import markdown_table
from toys.exponential import draw_reference

_HEAD = ["width", "asymptotic Z", "p by toys", "p / asymptotic p", "effective toys", "mean weight", "CPU s", "wall s"]


def run() -> str:
    """A row for each width and depth; compilation is part of the seconds."""
    return markdown_table(_HEAD, [_row(width, z) for width in (2.3, 0.7) for z in (3.0, 5.0)])


def _row(width: float, z: float) -> list[object]:
    reference = draw_reference(np.random.default_rng(1), 200_000)
    test = NPLMTest(reference, KernelModel(width=width, centers=1000, reference_exact=True), coordinates="raw")
    assert isinstance(test.prepared, PreparedKernel)
    asymptotic = test.prepared.null()
    t = asymptotic.threshold_of_z(z)
    with measured() as cost:
        null = importance_null(test.prepared, reference, t)
    p, error = null.pvalue(t), null.error(t)
    mean, mean_error = null.mean_weight
    return [
        f"{width:g}",
        f"{z:g}",
        f"{p:.3g} +- {100 * error / p:.1f}%",
        f"{p / asymptotic.pvalue(t):.2f}",
        f"{null.effective(t):.0f}",
        f"{mean:.3f} +- {mean_error:.3f}",
        f"{cost.cpu:.1f}",
        f"{cost.wall:.1f}",
    ]
