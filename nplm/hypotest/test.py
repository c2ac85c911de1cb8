"""NPLMTest: ties a reference and a model together, and tests data against them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.whole_numbers import require_few, require_whole
from nplm.calibration.cautions import cautions_of
from nplm.calibration.importance.run import FITS_A_TOY, importance_null, require_importance
from nplm.calibration.methods import Calibrate, Method, calibrated, method_of
from nplm.calibration.null_campaign import null_campaign
from nplm.calibration.null_toys import NullToys
from nplm.data.support import require_toys_of_such_yields
from nplm.hypotest.assembly import result_of
from nplm.hypotest.result import Result
from nplm.io.tables import Tabular, sample_like
from nplm.statistic import FitError, LikelihoodRatio
from nplm.stats.importance import ImportanceNull
from nplm.toys.campaign import Campaign
from nplm.toys.no_toys import why_no_toys
from nplm.toys.nuisance_sampler import NuisanceSampler
from nplm.toys.null_sampler import null_sampler
from nplm.toys.run import run_missing
from nplm.toys.samplers import PoolSampler
from nplm.toys.table import ToyTable
from nplm.wording.projected import QUICKER_TESTS, projection


class Interrupted(KeyboardInterrupt):
    """Raised when the toys are interrupted; `result` holds what was computed until then."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"interrupted after {result.calibration.toys} of {result.calibration.toys_requested} toys")
        self.result = result


class NPLMTest(LikelihoodRatio):
    """Does a data sample agree with the reference? Prepares once, then tests any number of samples.

    Its arguments are those of `LikelihoodRatio`, whose t it calibrates.
    """

    def sampler(self, data: Tabular, pool: Tabular | None = None) -> PoolSampler | NuisanceSampler:
        """Draws toys like `data` under the null, from a pool or, by Poisson bootstrap, from the reference.

        With nuisances toys are drawn at the nu that Delta finds in the data.

        Raises:
            ValueError: if the pool (or the reference, without one) has negative weights, or other features; or the
                data have negative weights in a shape-only test.
        """
        data = sample_like(self.reference, data, "data")
        return null_sampler(self, data, None if pool is None else sample_like(self.reference, pool, "pool"))

    def campaign(
        self, data: Tabular, *, seed: int = 1, pool: Tabular | None = None, reference_per_toy: bool | None = None
    ) -> Campaign:
        """The null toys that `run` calibrates t of these data with; see `nplm.calibration.null_campaign`.

        Arguments:
            data, seed, pool, reference_per_toy: as in `run`.
        """
        data = sample_like(self.reference, data, "data")
        pool = None if pool is None else sample_like(self.reference, pool, "pool")
        return null_campaign(self, data, seed=seed, pool=pool, reference_per_toy=reference_per_toy)

    @usual_errors()
    def run(
        self,
        data: Tabular,
        toys: int | NullToys | None = None,
        *,
        seed: int = 1,
        pool: Tabular | None = None,
        reference_per_toy: bool | None = None,
        calibrate: Calibrate | Method | None = None,
        known: ToyTable | None = None,
        notify: Callable[[str], None] = lambda message: None,
        on_toys: Callable[[ToyTable], None] = lambda table: None,
        on_weighted_toys: Callable[[int], None] = lambda count: None,
    ) -> Result:
        """Tests one data sample: t, calibrated with null toys.

        Arguments:
            data: a Sample, an array of events of shape (n, d), or a table with the reference's features as columns.
            toys: number of null toys to run, or null toys that were run before; 0 leaves the p-value to chi2,
                unchecked, or to the asymptotic null of a kernel model. Default: 200, 5000 for "importance", and none
                for kernels where toys cannot be drawn, as from a reference with negative weights.
            calibrate: "toys" counts toys; "asymptotic" trusts the asymptotic null and runs no toys; "asymptotic+toys"
                takes the asymptotic null if the toys follow it, the same with a scale fitted to the toys if
                they follow that, and counts toys otherwise; "toys+asymptotic" counts toys, and does so only where none
                of them has a t as large; "importance" draws toys of a kernel model where t is as large as that of the
                data, and counts them with weights, see `nplm.calibration.importance.run`; or one of these as an object,
                such as `CheckedByToys(500)`, see `nplm.calibration`. Default: "asymptotic+toys" for a kernel model,
                "toys+asymptotic" for others, and "asymptotic" without toys.
            seed: root of the toys' keys; toy i has fold_in(key(seed), i).
            pool: draw toys from these events instead of those of data and reference.
            reference_per_toy: whether each toy has a reference of its own, so that its fluctuation is in t: events of
                data and reference divided anew where the weights of each are equal, and else drawn from the reference
                with replacement, as the toy's data are. If not, all toys have the reference of this test, and their
                data are drawn from it. Default: where N(R) exceeds 5% of the reference's effective number of events,
                without a pool and without nuisances.
            known: toys that were run before, of the `campaign` of the same arguments; all of them are used, and only
                those of the first `toys` that are not among them are run.
            notify: called with cautions and projected times as they become known.
            on_toys: called with each batch of null toys that is run.
            on_rare_toys: called with the number of weighted toys of each batch that is run.

        Raises:
            ValueError: for bad input, before any fit.
            FitError: if the fit of the data gives no t; no toy is run then.
            ImportanceError: if weighted toys give no p-value that can be trusted.
            Interrupted: on Ctrl-C while toys run, with the result of those that were done.
        """
        require_seed(seed)
        given = sample_like(self.reference, data, "data")
        sample = self.checked(given)
        pool = None if pool is None else sample_like(self.reference, pool, "pool")
        asymptotic = self.asymptotic_null(sample)
        if calibrate is None and toys is None and asymptotic.derived:
            toys = 0 if why_no_toys(self.reference, sample, pool, shape_only=self.shape_only) else None
        method = method_of(calibrate, toys, asymptotic)
        toys = method.number
        kernel = None
        if method.weighted:
            kernel = require_importance(
                self.prepared, self.reference, sample, toys, pool=pool, shape_only=self.shape_only
            )
        done = ToyTable.empty() if known is None else known
        if isinstance(toys, NullToys):
            campaign, requested = None, len(toys.table)
            null: NullToys | None = toys.like(sample)
        else:
            if require_few(require_whole(toys, "toys")) < 0:
                raise ValueError(f"the number of toys must be 0 or more, not {toys}")
            requested = max(toys, len(done))
            counted = requested > 0 and kernel is None
            if counted:
                require_toys_of_such_yields(self.expected_yield(sample), sample.total_weight)
            # A toy's own reference has a range of its own, so its events are those that were given.
            drawn = partial(self.campaign, given, seed=seed, pool=pool, reference_per_toy=reference_per_toy)
            campaign = drawn() if counted else None
            null = None if campaign is None else NullToys.running(campaign, done)
        left = requested - len(done) if campaign is not None or kernel is not None else 0
        notes = cautions_of(self, sample, given, asymptotic, null, pool, method)
        for note in notes:
            notify(note)
        asked = time.perf_counter()
        if campaign is None:
            projected = self.prepared.projected_seconds(sample, 1 + left * FITS_A_TOY)
        else:
            projected = campaign.projected_seconds(sample, left, more=1)
        quicker = QUICKER_TESTS.get(self.model.name, ())
        notify(projection(projected, left, f"the fit and {left} toys", quicker if left else ()))

        began = time.perf_counter()
        fits = self.fit([sample])
        fitted = time.perf_counter()
        if not np.isfinite(fits.t[0]):
            raise FitError(
                f"the fit of {sample.name} failed: there is no t, and so no p-value ({fits.failure[0]}){self._remedy()}"
            )

        def result(null: NullToys | None, complete: bool = True, importance: ImportanceNull | None = None) -> Result:
            seconds = {
                "prepare": self.prepare_seconds,
                "compile": began - asked,
                "fit": fitted - began,
                "toys": time.perf_counter() - fitted,
            }
            stands_on = calibrated(self, sample, asymptotic, float(fits.t[0]), null, importance, method, requested)
            asked_for = {"calibrate": method.name, "toys": requested, "seed": seed}
            found = result_of(self, sample, given, fits, *stands_on, null, asked_for, seconds, notes, complete)
            return replace(found, _of=(self, given))

        if kernel is not None:
            t = float(fits.t[0])
            importance = importance_null(
                kernel, self.reference, t, requested, seed=seed, asymptotic=asymptotic, on_toys=on_weighted_toys
            )
            return result(None, importance=importance)
        if campaign is None:
            return result(null)
        tables = [done]
        try:
            for table in run_missing(campaign, range(requested), done, seconds=projected / (1 + left)):
                tables.append(table)
                on_toys(table)
        except KeyboardInterrupt:
            raise Interrupted(result(NullToys.running(campaign, *tables), complete=False)) from None
        return result(NullToys.running(campaign, *tables))

    def _remedy(self) -> str:
        if not self.reference.has_negative_weights:
            return ""
        return (
            f". {self.reference.name} has negative weights; where they prevail the likelihood has no maximum. Use a"
            " smaller clip, fewer bins, or a reference with more events there"
        )
