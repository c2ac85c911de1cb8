"""What the family of tests would see of an operator: samples at theta, and a reference that is independent of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.whole_numbers import require_whole
from nplm.data.sample import Sample
from nplm.family.settings import FamilySettings
from nplm.family.test import USUAL, FamilyTest
from nplm.io.tables import Tabular, as_sample
from nplm.learning.at_theta import log_ratio_at, require_for_operator
from nplm.nuisance.ratios.base import LogRatio
from nplm.stats.neyman_pearson import median_expected_z
from nplm.wording.tables import aligned

FEWEST_SAMPLES = 10
# Events of the reference whose expected number of data events is larger would leave too little of it.
_MOST_TAKEN = 0.5


@dataclass(frozen=True, eq=False)
class FamilyOperatorPower:
    """Z-scores of the family at one theta.

    Arguments:
        theta: values by name.
        yield_ratio: N(theta) / N(0).
        z: of each sample, shape (n,).
        leading: what stood out most in most of the samples.
        dedicated_z: median Z of the most powerful test of 0 against this theta.
    """

    theta: Mapping[str, float]
    yield_ratio: float
    z: Float64[np.ndarray, " n"]
    leading: str
    dedicated_z: float

    @property
    def median_z(self) -> float:
        """The median of the samples."""
        return float(np.median(self.z))

    @property
    def band(self) -> tuple[float, float]:
        """Their 16% and 84% quantiles."""
        low, high = np.quantile(self.z, [0.16, 0.84])
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "theta": dict(self.theta),
            "yield_ratio": self.yield_ratio,
            "family": {
                "median_z": self.median_z,
                "band": list(self.band),
                "z": self.z.tolist(),
                "leading": self.leading,
            },
            "dedicated_z": self.dedicated_z,
        }


@usual_errors()
def family_operator_power(
    reference: Tabular,
    ratio: LogRatio,
    thetas: Sequence[Mapping[str, float]],
    samples: int = 20,
    *,
    settings: FamilySettings = USUAL,
    resamples: int = 199,
    seed: int = 1,
    allow_failed: bool = False,
    on_sample: Callable[[], None] = lambda: None,
) -> tuple[FamilyOperatorPower, ...]:
    """The Z that `FamilyTest`, shapes and yield, finds in samples at several theta, beside the most powerful test.

    Each event of the reference is one of the data with probability w r, and else stays in the reference, with weight
    w / (1 - w r). So no event is in both samples or twice in one, and their difference fluctuates as that of a sample
    at theta and a reference that is independent of it, whose size is that of the reference less the data.

    Arguments:
        reference: weighted events at theta = 0.
        ratio: log r(x; theta), for this reference.
        thetas: values by name; those that are not named are 0.
        samples: at each theta; the median Z of 20 is known to 0.3.
        settings: of the family.
        resamples: samples without a difference of each.
        seed: of all.
        allow_failed: use a learned ratio that failed its checks.
        on_sample: called after each sample.

    Raises:
        ValueError: if the reference has negative weights, is another one than that of the ratio, or has too few events
            for its yield, theta is 0 or out of the reach of the ratio, or samples are fewer than 10.
    """
    require_seed(seed)
    if require_whole(samples, "samples") < FEWEST_SAMPLES:
        raise ValueError(f"{samples} samples do not tell a median Z: take {FEWEST_SAMPLES} or more")
    sample = as_sample(reference, name="reference").require_yield()
    require_for_operator(sample, ratio, allow_failed=allow_failed)
    log_r = [log_ratio_at(ratio, sample, theta) for theta in thetas]
    expected = [sample.weights * np.exp(each) for each in log_r]
    for theta, share in zip(thetas, expected, strict=True):
        if share.max() > _MOST_TAKEN:
            where = ", ".join(f"{name} = {value:g}" for name, value in theta.items())
            raise ValueError(
                f"at {where} an event of {sample.name} stands for {share.max():.2g} events of the data, and"
                f" {_MOST_TAKEN:g} is the most: give a reference of more events, so that samples can be taken from it"
            )
    found = []
    for number, (theta, share) in enumerate(zip(thetas, expected, strict=True)):
        z, leading = [], []
        for i in range(samples):
            rng = np.random.default_rng([seed, number, i])
            taken = rng.random(len(sample)) < share
            left = sample.weights[~taken] / (1 - share[~taken])
            rest = Sample(sample.events[~taken], left, sample.features, sample.name)
            data = Sample(sample.events[taken], features=sample.features, name="data")
            result = FamilyTest(rest, data, settings=settings, expected_ratio=1.0, seed=seed).run(resamples=resamples)
            z.append(result.z)
            leading.append(result.names[result.leading])
            on_sample()
        dedicated = median_expected_z(log_r[number], share)
        often, _ = Counter(leading).most_common(1)[0]
        total = float(share.sum() / sample.total_weight)
        found.append(FamilyOperatorPower(dict(theta), total, np.array(z), often, dedicated))
    return tuple(found)


def family_operator_text(found: Sequence[FamilyOperatorPower]) -> str:
    """A table, one line for each theta."""
    head = ("at", "N / N(0)", "Z, the family", "68% of samples", "leading", "Z, dedicated test")
    rows = [
        (
            ", ".join(f"{name} = {value:g}" for name, value in each.theta.items()),
            f"{each.yield_ratio:.4g}",
            f"{each.median_z:.2f}",
            f"{each.band[0]:.2f} to {each.band[1]:.2f}",
            each.leading,
            f"{each.dedicated_z:.2f}",
        )
        for each in found
    ]
    return "\n".join(aligned([head, *rows]))
