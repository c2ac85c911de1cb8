"""A family that is prepared on a reference, once, and looks at many windows of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.data.averaged_weights import averaged
from nplm.data.periods import within_periods
from nplm.data.sample import Sample, require_varying
from nplm.family.build import family_parts
from nplm.family.circular import ends, with_angles
from nplm.family.draws import Draws, window_draws
from nplm.family.fit import MemberFit, fit_rows
from nplm.family.intervals import Interval, Intervals, largest_root, standing_out
from nplm.family.kd_tree import leaves
from nplm.family.local_masses import Marks
from nplm.family.member import Member, Part
from nplm.family.overfit import variance_of_others, without_overfit
from nplm.family.ranks import CELL, Cells, RankScale
from nplm.family.settings import ALL, AS_THEY_ARE, INTERVALS, FamilySettings
from nplm.family.spread import IN_LEAF, Spread, equal_masses
from nplm.family.statistic import Members
from nplm.two_sample.calibration import Kind


@dataclass(frozen=True, eq=False)
class ReferenceFamily(Members):
    """All members, prepared on the reference alone, for windows of about one size.

    Each event of the reference stands for those of both samples near it. With the share q of the masses that the window
    has, it adds q (1 - q) m to the variance of a score by what the window may have there, and q^2 m^2 by itself: (1 +
    n_W / n_R) times what the window alone would add.

    Arguments:
        reference: a sample of the features.
        window: number of events of a window.
        masses: of the reference, w sum(w) / sum(w^2), shape (n,).
        scales: normal scores of each feature.
        z: those of the reference, shape (n, d).
        units: standard deviation of the scores of windows in each part, in those of its modes' own events.
        periods: of circular features, by number; the reference is within them.
    """

    reference: Sample
    window: int
    masses: Float64[np.ndarray, " n"]
    scales: tuple[RankScale, ...]
    z: Float64[np.ndarray, "n d"]
    units: tuple[Float64[np.ndarray, " _"], ...]
    periods: Mapping[int, float]

    @classmethod
    @blas_threads()
    def of(
        cls,
        reference: Sample,
        window: int,
        settings: FamilySettings,
        *,
        periods: Mapping[str, float] | None = None,
        seed: int = 1,
    ) -> ReferenceFamily:
        """Prepares the reference.

        Arguments:
            reference: what is expected.
            window: number of events of a window.
            settings: which members there are.
            periods: of features that are angles.
            seed: of the centres of kernels of all features.

        Raises:
            ValueError: if the reference cannot serve, or no member is left.
        """
        reference.require_yield()
        require_varying(reference)
        if set(settings.classes) <= set(AS_THEY_ARE):
            words = " and ".join(f"'{name}'" for name in settings.classes)
            raise ValueError(f"windows are compared by ranks, not as features are: choose more classes than {words}")
        reference = within_periods(reference, periods or {})
        turns = {reference.features.index(name): period for name, period in (periods or {}).items()}
        circular = tuple(j in turns for j in range(len(reference.features)))
        w = reference.weights
        masses = w * w.sum() / (w @ w)
        scales = tuple(RankScale.of(x, np.abs(w)) for x in reference.events.T)
        z = with_angles(scored(scales, reference.events), circular)
        q = window / (window + masses.sum())
        positive = averaged(z, masses)
        spread = Spread(
            q * (1 - q) * positive + (q * masses) ** 2, q * (1 - q) ** 3 * positive + (q * masses) ** 4, positive
        )
        parts, units = [], []
        fine = [Cells.of(x, CELL) for x in z.T]
        for part in family_parts(z, masses, spread, settings, circular=circular, fine=fine, seed=seed):
            kept: Part | None = part
            variance = np.ones(len(part.variance))
            if part.members[0].kind == ALL:
                variance = variance_of_others(part, z, spread.second, seed)
                kept = without_overfit(part, variance)
            if kept is not None:
                parts.append(kept)
                units.append(np.sqrt(variance))
        intervals: tuple[Intervals, ...] = ()
        if INTERVALS in settings.classes:
            nobody, ones = np.zeros(len(z), dtype=bool), np.ones(len(z))
            counts = (ones, ones)
            if not equal_masses(masses):
                leaf = leaves(z, max(int(np.log2(len(z) / IN_LEAF)), 0))
                counts = (ones, Marks.of(masses, leaf, leaf).unit)
            found = [
                Intervals.of(j, cells, masses, nobody, spread.second, q, settings, counts, circular[j])
                for j, cells in enumerate(fine)
            ]
            intervals = tuple(each.of_expected() for each in found if each is not None)
        if not parts and not intervals:
            raise ValueError(
                f"windows of {window:,} events are too small to compare shapes: each test would rest on a handful"
            )
        return cls(spread, tuple(parts), intervals, q, reference, window, masses, scales, z, tuple(units), turns)

    @property
    def kind(self) -> tuple[Kind, str]:
        """Both samples are drawn anew."""
        return "resampling", "windows drawn from the reference, which fluctuates too"

    def null(self, count: int, seed: int) -> Draws:
        """Windows without a difference, each against a reference of its own."""
        return window_draws(self.spread, self.masses, self.q, self.window, count, seed)

    @cached_property
    def own_scores(self) -> tuple[Float64[np.ndarray, " _"], ...]:
        """sum m phi of the reference in each part, for masses that add up to one."""
        total = float(self.masses.sum())
        return tuple(x / total for x in self.scores(self.z, self.masses))

    def scores(self, z: Float64[np.ndarray, "m d"], masses: Float64[np.ndarray, " m"]) -> list[np.ndarray]:
        """sum_e m phi of events in each part; parts that look at events alike share the sums."""
        total, sums, last = float(masses.sum()), np.empty(0), None
        found = []
        for part in self.parts:
            assert part.look is not None
            if part.look is not last:
                sums, last = part.look.summed(z, masses), part.look
            found.append(part.score(sums, total))
        return found

    @property
    def circular(self) -> tuple[bool, ...]:
        """Which features are angles."""
        return tuple(j in self.periods for j in range(len(self.scales)))

    def _scored(self, events: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "m d"]:
        if self.periods:
            events = events.copy()
            for j, period in self.periods.items():
                events[:, j] %= period
        return with_angles(scored(self.scales, events), self.circular)

    @blas_threads()
    def see(self, events: Float64[np.ndarray, "m d"]) -> Window:
        """A window of events, each of mass one."""
        z = self._scored(events)
        n = len(z)
        q = n / (n + float(self.masses.sum()))
        # y = (1 - q) sum_W phi - q sum_R m phi, whose variance is that of the prepared size times the ratio of q.
        unit = n * (1 - q) / np.sqrt(q / self.q)
        scores = self.scores(z, np.ones(n))
        y = [unit * (own / n - x) / sd for own, x, sd in zip(scores, self.own_scores, self.units, strict=True)]
        found = [x**2 @ part.filters for x, part in zip(y, self.parts, strict=True)]
        t = np.concatenate(found) if found else np.zeros(0)
        return Window(self, z, q, t, tuple(each.of_window(z[:, each.feature], q) for each in self.intervals))


@dataclass(frozen=True, eq=False)
class Window:
    """A window in all members of a family.

    Arguments:
        family: prepared on the reference.
        z: normal scores of its events, shape (m, d).
        q: share of the masses that the window has.
        t: of each kernel or product.
        intervals: of each feature, with the window in them.
    """

    family: ReferenceFamily
    z: Float64[np.ndarray, "m d"]
    q: float
    t: Float64[np.ndarray, " k"]
    intervals: tuple[Intervals, ...]

    @property
    def members(self) -> tuple[tuple[Part, Member], ...]:
        """Members of kernels and products, with their parts, in order."""
        return self.family.members

    @cached_property
    def root(self) -> Float64[np.ndarray, " one"] | None:
        """The largest of all intervals, in absolute value."""
        return largest_root(self.intervals)

    @property
    def surprise(self) -> Float64[np.ndarray, "one c"]:
        """Largest -log p in each class."""
        return self.family.by_class(self.t[None], self.root)

    @property
    def names(self) -> tuple[str, str]:
        """Reference and window."""
        return "the reference", "the window"

    @property
    def unit_masses(self) -> bool:
        """Events of the window count one."""
        return True

    def edges(self, interval: Interval) -> tuple[float, float]:
        """The smallest and the largest value of the feature in the reference, in an interval."""
        family, inside = self.family, interval.holds
        x = family.reference.events[inside, interval.feature]
        return ends(x, family.z[inside, interval.feature], family.circular[interval.feature])

    def width(self, feature: int, scale: float) -> float:
        """A scale in the units of a feature, where it stands out most or else in its middle."""
        found = standing_out([each for each in self.intervals if each.feature == feature])
        middle = 0.0 if found is None else float(np.median(self.family.z[found.holds, feature]))
        ranks = self.family.scales[feature]
        return float(np.ptp(np.interp([middle - scale / 2, middle + scale / 2], ranks.scores, ranks.values)))

    def fit(self, member: int) -> MemberFit:
        """The fit of a kernel or product, to rows of the reference and the events of the window."""
        part, chosen = self.members[member]
        phi = np.concatenate([part.phi_of(slice(None)), part.at(self.z)])[:, chosen.used]
        mass = part.summed(self.family.spread.positive)
        ones = np.ones(len(self.z))
        return fit_rows(
            part, chosen, self.q, phi, np.concatenate([mass, ones]), np.concatenate([np.zeros(len(mass)), ones])
        )


def scored(scales: tuple[RankScale, ...], events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    """Normal scores of events."""
    return np.column_stack([scale(x) for scale, x in zip(scales, events.T, strict=True)])
