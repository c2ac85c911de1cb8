"""The kernel model: preparation, CPU seconds a null toy, and toys beside the closed form, in 1 and 5 dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.benchmarks.measure import measured, peak_memory_gib
from nplm import KernelModel, NPLMTest, Sample
from nplm.report.markdown import markdown_table

# CPU seconds of one fit by LogisticFalkon on a machine of this kind.
FALKON = {1: "27", 5: "87"}

_HEAD = [
    "d",
    "reference",
    "data",
    "M",
    "width",
    "modes",
    "preparation: CPU s",
    "wall s",
    "toys",
    "CPU s a toy",
    "of it, sums over events",
    "LogisticFalkon, CPU s",
    "mean t",
    "closed form",
    "sd",
    "closed form",
    "peak memory so far, GiB",
]


@dataclass(frozen=True)
class Size:
    """A reference of Gaussian events (exponential in one dimension), and what is fitted."""

    dimension: int
    reference: int
    data: int
    centers: int
    width: float
    toys: int
    penalty: float = 1e-6


SIZES = (
    Size(1, 200_000, 2_000, 1000, 2.3, 2048),
    Size(5, 100_000, 20_000, 2000, 4.4, 32),
)


def run() -> str:
    """A row for each size, after a first batch that compiles."""
    return markdown_table(_HEAD, [_row(size) for size in SIZES])


def _row(size: Size) -> list[object]:
    rng = np.random.default_rng(1)

    def draw(n: int) -> np.ndarray:
        shape = (n, size.dimension)
        return rng.exponential(size=shape) if size.dimension == 1 else rng.normal(size=shape)

    reference = Sample(draw(size.reference), np.full(size.reference, size.data / size.reference))
    model = KernelModel(width=size.width, centers=size.centers, penalty=size.penalty)
    with measured() as preparation:
        test = NPLMTest(reference, model, standardize=False)
    # Toys are new events: the reference is so large that its own fluctuation moves t by less than they can tell.
    batch = min(size.toys, test.prepared.batch_size)
    toys = [Sample(draw(rng.poisson(size.data))) for _ in range(size.toys)]
    parts = [toys[start : start + batch] for start in range(0, len(toys), batch)]
    test.fit(parts[0])
    with measured() as fitting:
        t = np.concatenate([test.fit(part).t for part in parts])
    with measured() as summing:
        for toy in toys:
            test.prepared.sums(toy)  # type: ignore[attr-defined]
    law = test.formula()
    return [
        size.dimension,
        f"{size.reference:,}",
        f"{size.data:,}",
        size.centers,
        f"{size.width:g}",
        test.prepared.parameters,
        f"{preparation.cpu:.1f}",
        f"{preparation.wall:.1f}",
        len(toys),
        f"{fitting.cpu / len(toys):.2g}",
        f"{summing.cpu / len(toys):.2g}",
        FALKON[size.dimension],
        f"{t.mean():.2f} +- {t.std(ddof=1) / np.sqrt(len(t)):.2f}",
        f"{law.mean:.2f}",
        f"{t.std(ddof=1):.2f}",
        f"{law.sd:.2f}",
        f"{peak_memory_gib():.2f}",
    ]
