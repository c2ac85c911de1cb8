"""The kernel model: preparation, CPU seconds a null toy, and toys beside the asymptotic null, in 1 to 30 dimensions."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from experiments.benchmarks.measure import measured, peak_memory_gib
from nplm import KernelModel, NPLMTest, Sample
from nplm.models.kernel.fit import PreparedKernel
from nplm.toys import Campaign, PoolSampler, run_campaign
from nplm.wording.markdown import markdown_table

_HEAD = [
    "reference",
    "data",
    "M",
    "width",
    "modes",
    "preparation: CPU s",
    "wall s",
    "toys",
    "CPU s a toy",
    "LogisticFalkon, CPU s",
    "CPU s to sum new data",
    "mean t",
    "asymptotic null",
    "sd",
    "asymptotic null",
    "peak memory, GiB",
]


@dataclass(frozen=True)
class Size:
    """What is fitted, to a reference of Gaussian events (in one dimension exponential; or a mixture of two Gaussians).

    Arguments:
        dimension: d.
        reference, data: number of events, and of those expected.
        centers: M.
        width: of the kernels.
        toys: number of null toys.
        falkon: CPU seconds of one fit by LogisticFalkon on a machine of this kind, where that was measured.
        apart: distance of the two Gaussians in each feature.
    """

    dimension: int
    reference: int
    data: int
    centers: int
    width: float
    toys: int
    falkon: str = ""
    apart: float = 0.0

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n events."""
        shape = (n, self.dimension)
        if self.dimension == 1:
            return rng.exponential(size=shape)
        return rng.normal(size=shape) + self.apart * rng.integers(2, size=(n, 1))

    def __str__(self) -> str:
        kind = "exponential" if self.dimension == 1 else "two Gaussians" if self.apart else "Gaussian"
        return f"{kind}, d = {self.dimension}, {self.reference:,}"


SIZES = (
    Size(1, 200_000, 2_000, 1000, 2.3, 10_240, "27"),
    Size(5, 100_000, 20_000, 2000, 4.4, 512, "87"),
    Size(5, 1_000_000, 20_000, 4000, 4.4, 32),
    Size(20, 100_000, 10_000, 2000, 7.6, 512, "92"),
    Size(20, 100_000, 10_000, 2000, 7.6, 512, apart=1.0),
    Size(30, 100_000, 10_000, 2000, 9.3, 512, apart=1.0),
)


def run() -> str:
    """A row for each size, in a process of its own; toys after a first batch, which compiles."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as process:
        return markdown_table(_HEAD, list(process.map(_row, SIZES)))


def _row(size: Size) -> list[object]:
    rng = np.random.default_rng(1)
    weights = np.full(size.reference, size.data / size.reference)
    reference = Sample(size.draw(rng, size.reference), weights)
    with measured() as preparation:
        test = NPLMTest(
            reference, KernelModel(width=size.width, centers=size.centers, reference_exact=True), coordinates="raw"
        )
    prepared = test.prepared
    assert isinstance(prepared, PreparedKernel)
    campaign = Campaign(test, PoolSampler(reference, size.data))
    first = min(size.toys // 2, prepared.batch_size)
    run_campaign(campaign, range(size.toys, size.toys + first))
    with measured() as fitting:
        t = run_campaign(campaign, range(size.toys)).t
    data = Sample(size.draw(rng, size.data))
    with measured() as summing:
        prepared.sums(data)
    asymptotic = test.asymptotic_null(fixed_reference=True)
    return [
        size,
        f"{size.data:,}",
        size.centers,
        f"{size.width:g}",
        prepared.parameters,
        f"{preparation.cpu:.1f}",
        f"{preparation.wall:.1f}",
        len(t),
        f"{fitting.cpu / len(t):.2g}",
        size.falkon,
        f"{summing.cpu:.2g}",
        f"{t.mean():.2f} +- {t.std(ddof=1) / np.sqrt(len(t)):.2f}",
        f"{asymptotic.mean:.2f}",
        f"{t.std(ddof=1):.2f} +- {t.std(ddof=1) / np.sqrt(2 * len(t)):.2f}",
        f"{asymptotic.sd:.2f}",
        f"{peak_memory_gib():.2f}",
    ]
