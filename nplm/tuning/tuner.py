"""Tunes the weight clipping: the clip at which t on null toys is a chi2 with the network's number of parameters."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nplm.calibration.null_campaign import needs_references
from nplm.models.network.search import AGREEMENT
from nplm.statistic import FitError
from nplm.stats.ensemble_summary import summarize_toys
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK
from nplm.toys.campaign import Campaign
from nplm.toys.engines.base import Engine
from nplm.toys.run import run_campaign
from nplm.toys.samplers import PoolSampler
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from nplm.tuning.cached_ascents import Climbs
from nplm.tuning.control_fits import control_tables, controls_of
from nplm.tuning.path import ClipPath, follow_path
from nplm.tuning.result import Step, Tuned

# The coarse walk: a share of the toys, and the factor from clip to clip.
_SHARE, _FEWEST, _STEP = 0.25, 20, 1.5
_RANGE = (0.2, 100.0)
# Clips of the scan, relative to what the walk found.
_SCAN = (0.75, 1.0, 1.33)
# If the root lies outside of the scan, it moves on, so often.
_MOVES = 3
# How often the toys are fitted at the root again, after what was fitted there has moved it.
_CORRECTIONS = 2
# A root that has moved by less than this share of its interval is not fitted anew.
_NOTICED = 0.05
_TINY = 1e-9
# In the folder of the tuning, beside the stores of the clips.
CLIMBS_FILE = "climbs.npz"
# Share of toys whose fit may fail; one may, however few they are.
_MOST_FAILED = 0.02


@dataclass(frozen=True)
class TuneSettings:
    """How much to spend on tuning.

    Arguments:
        toys: null toys, the same at every clip; numbers 0 to toys - 1.
        start: clip at which the walk begins.
        controls: toys in all that kernel models are fitted to as well, for each of these toys: they are cheap, their t
            goes along with the network's, and so they tell how far the few toys are off by chance; 0 for none.
    """

    toys: int = 100
    start: float = 6.0
    controls: int = 10

    def __post_init__(self) -> None:
        if self.toys < LEAST_TOYS_FOR_CHECK or not self.start > 0:
            raise ValueError(
                f"tuning needs {LEAST_TOYS_FOR_CHECK} toys or more and a positive clip to start at, not {self.toys} and"
                f" {self.start:g}"
            )


class Tuning:
    """Finds the clip for one network, with everything it fits kept in a folder.

    Maxima are followed from clip to clip in toys that share a reference. Where the test itself takes toys with
    references of their own (`needs_references`), whose fluctuation widens t by 1 + N(R)/n_eff, the t of toys that were
    drawn from the reference is multiplied by this number.

    Arguments:
        campaign: null toys of a test whose model is a network; its clip is of no account.
        settings: how much to spend.
        folder: where the toys of each clip are stored; each store is an ordinary one. None to keep nothing.
        engine: what runs the toys.
        batch: how many are fitted together; default: what suits the model.
        on_toys: called with each batch of toys that is run.
        notify: told what is going on.
    """

    def __init__(
        self,
        campaign: Campaign,
        settings: TuneSettings | None = None,
        *,
        folder: Path | None = None,
        engine: Engine | None = None,
        batch: int | None = None,
        on_toys: Callable[[ToyTable], None] = lambda table: None,
        notify: Callable[[str], None] = lambda message: None,
    ) -> None:
        model = campaign.test.model.tunable()
        if campaign.test.nuisances is not None:
            raise ValueError("the clip is tuned without nuisances, and kept for the test with them")
        if campaign.test.shape_only or campaign.reference_sampler is not None:
            raise ValueError("the clip is tuned for tests of shape and yield with one reference for all toys")
        self.campaign = campaign
        self.model = model
        self.settings = settings or TuneSettings()
        self.folder, self.engine, self.batch = folder, engine, batch
        self.on_toys, self.notify = on_toys, notify
        self._tables: dict[float, ToyTable] = {}
        # What was followed last, and the numbers of its toys.
        self._followed: tuple[ClipPath, Int64[np.ndarray, " n"]] | None = None

    @property
    def degrees_of_freedom(self) -> int:
        """The mean of t that is sought."""
        return round(self.campaign.test.degrees_of_freedom)

    @cached_property
    def widening(self) -> float:
        """By how much the fluctuation of the reference, which these toys lack, widens t of the test's own toys."""
        test, sampler = self.campaign.test, self.campaign.sampler
        drawn_from_it = isinstance(sampler, PoolSampler) and sampler.pool is test.reference
        needed = drawn_from_it and needs_references(test, test.reference.total_weight)
        return 1 + test.reference.total_weight / test.reference.effective_size if needed else 1.0

    @property
    def most_toys(self) -> int:
        """About how many fits tuning takes: the walk, three clips of the scan, and the clip found, once corrected."""
        return 3 * self._few + (len(_SCAN) + 2) * self.settings.toys

    @property
    def _few(self) -> int:
        return max(_FEWEST, int(_SHARE * self.settings.toys))

    def run(self) -> Tuned:
        """Walks to a bracket, scans around the root, and looks at the clip found."""
        began = time.perf_counter()
        k = self.degrees_of_freedom
        self._followed = None  # so that a second call takes the same steps
        if self.widening > 1:
            self.notify(
                f"t of the toys is multiplied by {self.widening:.3g}: they share the reference, and its fluctuation"
                " widens t by that much"
            )
        walk, root = self._walk()
        path = None if root is None else self._scan(root)
        found = None if path is None else path.clip_of(k)
        if path is None or found is None:
            seconds, biases = time.perf_counter() - began, self.model.clip_biases
            return Tuned(self.model.hidden, k, None, None, path, walk, None, None, 0.0, 0.0, 0.0, seconds, biases)
        path, clip = self._around(path, _rounded(found, 3))
        table = self.toys_at(clip, range(self.settings.toys))
        check_t = self.widening * table.t
        here = int(np.searchsorted(path.clips, clip))
        behind = path.t[:, here] - path.searched[:, here]
        return Tuned(
            hidden=self.model.hidden,
            degrees_of_freedom=k,
            clip=clip,
            interval=path.interval_of(k),
            path=path,
            walk=walk,
            check_t=check_t,
            check=summarize_toys(check_t),
            missed=float(np.mean(behind > AGREEMENT)),
            shortfall=float(behind.mean()),
            agreeing=float(np.mean(table.starts_agreeing >= 2)),
            seconds=time.perf_counter() - began,
            clip_biases=self.model.clip_biases,
        )

    def at_clip(self, clip: float) -> Campaign:
        """The campaign with another clip; nothing is prepared or compiled again."""
        test = copy.copy(self.campaign.test)
        test.model = self.model.with_clip(clip)
        test.prepared = self.model.clipped(test.prepared, clip)
        return replace(self.campaign, test=test, keep_parameters=True)

    def toys_at(self, clip: float, wanted: range) -> ToyTable:
        """Toys at a clip, fitted as data are; those that were run before are not run again."""
        known = self._tables.get(clip, ToyTable.empty())
        if not set(wanted) <= set(known.index.tolist()):
            campaign = self.at_clip(clip)
            store = None
            if self.folder is not None:
                path = self.folder / f"clip-{clip:.6g}"
                store = Store.create(path, campaign.plan(), wanted, campaign.describe(), self.notify)
            known = run_campaign(
                campaign, wanted, store=store, engine=self.engine, batch=self.batch, on_toys=self.on_toys
            )
            self._tables[clip] = known
        return known.select(np.isin(known.index, wanted))

    def _walk(self) -> tuple[tuple[Step, ...], float | None]:
        """Goes up or down from the first clip until mean t has crossed the target: the steps, and about where."""
        k = self.degrees_of_freedom
        steps = [self._step(self.settings.start)]
        factor = _STEP if steps[0].mean < k else 1 / _STEP
        # Only the end ahead counts: a first clip beyond the other end leads back into the range.
        least, most = (0.0, _RANGE[1]) if factor > 1 else (_RANGE[0], np.inf)
        while least < (clip := _rounded(steps[-1].clip * factor, 6)) < most:
            steps.append(self._step(clip))
            if (steps[-1].mean < k) != (factor > 1):
                low, high = sorted(steps[-2:], key=lambda step: step.clip)
                share = (k - low.mean) / max(high.mean - low.mean, _TINY)
                return _by_clip(steps), low.clip * (high.clip / low.clip) ** share
        return _by_clip(steps), None

    def _step(self, clip: float) -> Step:
        few = self._few
        table = self.toys_at(clip, range(few))
        _require_fits(table, clip)
        mean = self.widening * float(table.t[table.succeeded].mean())
        self.notify(f"clip {clip:.3g}: mean t {mean:.2f} of {few} toys (sought: {self.degrees_of_freedom})")
        return Step(clip, mean, few)

    def _scan(self, root: float) -> ClipPath:
        """The path of all toys around the root; moves on if the root turns out to lie elsewhere."""
        k = self.degrees_of_freedom
        for _ in range(_MOVES):
            path = self._follow([_rounded(root * factor, 4) for factor in _SCAN])
            found = path.clip_of(k)
            if found is not None:
                break
            root = float(path.clips[0] if path.mean[0] > k else path.clips[-1])
        return path

    def _around(self, path: ClipPath, clip: float) -> tuple[ClipPath, float]:
        """The path with the clip found, reaching beyond both ends of its interval, and the clip that is its root."""
        clips = {*path.clips.tolist(), clip}
        extensions, corrections = _MOVES, _CORRECTIONS
        while True:
            path = self._follow(sorted(clips))
            beyond = self._open_ends(path)
            root = _rounded(path.clip_of(self.degrees_of_freedom) or clip, 3)
            if beyond and extensions:
                extensions -= 1
                clips |= beyond
            elif corrections and abs(root - clip) > _NOTICED * self._interval_width(path):
                corrections -= 1
                clip = root
                clips |= {clip}
            else:
                return path, clip

    def _interval_width(self, path: ClipPath) -> float:
        low, high = path.interval_of(self.degrees_of_freedom) or (0.0, np.inf)
        return high - low

    def _open_ends(self, path: ClipPath) -> set[float]:
        """Clips beyond those ends of the path at which the interval is open."""
        low, high = path.interval_of(self.degrees_of_freedom) or (0.0, np.inf)
        beyond = {_rounded(path.clips[0] * _SCAN[0], 4)} if low == 0 else set()
        return beyond | ({_rounded(path.clips[-1] * _SCAN[-1], 4)} if np.isinf(high) else set())

    def _follow(self, clips: list[float]) -> ClipPath:
        """The path through these clips; goes on from the path that was followed last, if its toys are the same."""
        wanted = range(self.settings.toys)
        tables = [self.toys_at(clip, wanted) for clip in clips]
        for clip, table in zip(clips, tables, strict=True):
            _require_fits(table, clip)
        # A toy that failed at one clip is left out of the scan at all.
        good = np.all([table.succeeded for table in tables], axis=0)
        tables = [table.select(good) for table in tables]
        index = tables[0].index
        self.notify(f"following the maxima of {len(index)} toys through clips {clips[0]:.3g} to {clips[-1]:.3g}")
        climbs = self._climbs

        def climb(clip: float, rows: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return climbs(clip, index[rows], points)

        t = np.stack([table.t for table in tables], axis=1)
        parameters = np.stack([_parameters(table) for table in tables], axis=1)
        before = None
        if self._followed is not None and np.isin(index, self._followed[1]).all():
            before = self._followed[0].select(np.isin(self._followed[1], index))
        path = replace(
            follow_path(clips, t, parameters, climb, before), controls=controls_of(self._control_tables, index)
        )
        self._followed = path, index
        return path.times(self.widening)

    @cached_property
    def _control_tables(self) -> list[ToyTable]:
        number = self.settings.controls * self.settings.toys
        return control_tables(self.campaign, number, self.folder, self.engine, self.notify) if number else []

    @cached_property
    def _climbs(self) -> Climbs:
        """Climbs of the toys, kept beside them."""

        def climber(clip: float, toys: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            prepared = self.model.clipped(self.campaign.test.prepared, clip)
            fits = prepared.fit_from([self.campaign.draw(int(toy)) for toy in toys], list(points[:, None]))
            return fits.t, fits.parameters

        file = None if self.folder is None else self.folder / CLIMBS_FILE
        # The campaign's own clip is of no account, so another one must not make the climbs those of other toys.
        plan = self.at_clip(1.0).plan()
        return Climbs(climber, self.campaign.test.prepared.batch_size, file, plan.hash)


def _require_fits(table: ToyTable, clip: float) -> None:
    """Refuses to tune with toys of which many failed: the others are no fair choice."""
    failed = ~table.succeeded
    if failed.sum() > max(1, _MOST_FAILED * len(table)):
        raise FitError(
            f"{failed.sum()} of {len(table)} toys failed at clip {clip:.3g} ({table.failure[failed][0]}), so the clip"
            " cannot be tuned"
        )


def _by_clip(steps: list[Step]) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda step: step.clip))


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _parameters(table: ToyTable) -> np.ndarray:
    assert table.parameters is not None
    return table.parameters
