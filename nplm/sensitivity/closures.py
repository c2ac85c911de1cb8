"""Closure: does a test find injected signals as it should, next to the best test, and nothing where nothing is?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from nplm._util.floating_point import usual_errors
from nplm._util.json_values import json_value
from nplm._util.seed_range import LARGEST_SEED, require_seed
from nplm._util.whole_numbers import require_whole
from nplm.calibration.null_campaign import needs_references
from nplm.data.sample import require_same_features
from nplm.io.tables import Tabular, sample_like
from nplm.sensitivity.asymptotic_power import expected_power
from nplm.sensitivity.closure_text import closure_text
from nplm.sensitivity.injection import Injection
from nplm.sensitivity.null_check import LEVEL, NullCheck, null_check
from nplm.sensitivity.optimal_test import BestTest, KnownRatio, known_best_test, learned_best_test
from nplm.statistic import LikelihoodRatio
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.null import Null
from nplm.stats.power import Power, signal_power
from nplm.toys.campaign import Campaign
from nplm.toys.run import run_campaign
from nplm.toys.samplers import Sampler
from nplm.toys.table import ToyTable
from nplm.wording.standing import calibration_name, kind_text

SCHEMA = "nplm-closure/1"
USUAL_TOYS = 200
LEAST_TOYS = 20


@dataclass(frozen=True)
class ClosureAt:
    """What was found at one number of signal events.

    Arguments:
        events: N_S, expected.
        technical_t: of the expectation itself, reference and signal with their weights and without fluctuations.
        technical_z: Z of technical_t and the mean of the null together, as fluctuations add about as much to t as they
            do without a signal (technical closure).
        sampled: Z of toys with signal events drawn from the file (sampled closure).
        expected_z: asymptotic median Z of a kernel model; None for other models.
        ideal_z, ideal_spread: median Z of the best test, and what is uncertain about it; None without it. That test
            knows the nuisances, if there are any: what a test can find that does not is less.
    """

    events: float
    technical_t: float
    technical_z: float
    sampled: Power
    expected_z: float | None
    ideal_z: float | None
    ideal_spread: float | None

    @property
    def exceeds(self) -> bool:
        """Whether the median Z is above that of the best test by more than three of its standard errors."""
        if self.ideal_z is None or self.ideal_spread is None or self.sampled.median_is_limit:
            return False
        error = self.sampled.median_z - self.sampled.median_interval[0]
        return self.sampled.median_z - self.ideal_z > 3 * float(np.hypot(error, self.ideal_spread))


@dataclass(frozen=True)
class Closure:
    """The answer of `closure`.

    Arguments:
        at: for each number of signal events.
        null_check: toys without a signal.
        null: what turns t into Z, in words.
        best: the best test, if there is one.
        toys: asked for at each number.
        seed: root of the keys.
        configuration: of the test.
    """

    at: tuple[ClosureAt, ...]
    null_check: NullCheck
    null: str
    best: BestTest | None
    toys: int
    seed: int
    configuration: dict[str, Any]

    @property
    def closed(self) -> bool:
        """Whether the null holds, and the test finds no signal better than the most powerful test, if it is known."""
        return self.null_check.accepted and not (self.known and any(at.exceeds for at in self.at))

    @property
    def nuisances_known(self) -> bool:
        """Whether the best test knows nuisances that the test does not: it is an upper bound then."""
        return self.best is not None and self.configuration["nuisances"] is not None

    @property
    def known(self) -> bool:
        """Whether the best test knows the log-ratio, so that no test can be better."""
        return self.best is not None and self.best.kind == "known"

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values, following nplm-closure/1; numbers that are not finite become None."""
        check, best = self.null_check, None
        if self.best is not None:
            best = {"kind": self.best.kind, "widths": self.best.widths, "nuisances_known": self.nuisances_known}
        document = {
            "schema": SCHEMA,
            "closed": self.closed,
            "null": self.null,
            "null_check": {
                **vars(check),
                "level": LEVEL,
                "size": check.size,
                "accepted": check.accepted,
                "unanimous": check.unanimous,
            },
            "best_test": best,
            "at": [{**vars(at), "sampled": at.sampled.to_dict(), "exceeds": at.exceeds} for at in self.at],
            "toys": self.toys,
            "seed": self.seed,
            "configuration": self.configuration,
        }
        plain: dict[str, Any] = json_value(document)
        return plain

    def __repr__(self) -> str:
        return closure_text(self)


@usual_errors()
def closure(
    test: LikelihoodRatio,
    signal: Tabular,
    numbers: Sequence[float],
    toys: int = USUAL_TOYS,
    seed: int = 1,
    *,
    ideal: KnownRatio | Literal["classifier"] | None = "classifier",
    calibrate: Literal["asymptotic", "toys"] | None = None,
    pool: Tabular | None = None,
    on_toys: Callable[[ToyTable], None] = lambda table: None,
    folder: Path | None = None,
) -> Closure:
    """Injects signals of given sizes, and compares the Z that the test finds with that of the best test.

    Toys have a Poisson number of events from the reference (or the pool) and one from the signal's file; those of the
    first kind alone check the null. The Z of a toy is read from the null of t for such toys: the asymptotic null with
    the reference held fixed, or toys that are counted.

    In a test of the shape only toys have N(R) events, rounded, and those of the signal take the place of others. With
    nuisances toys are drawn at nu = 0 with auxiliary measurements that fluctuate, and the asymptotic null is taken at
    the nu that fits each toy; the best test knows the nuisances, and so is an upper bound.

    Arguments:
        test: of any kind.
        signal: events of the signal; their weights are scaled to each number of events.
        numbers: N_S, numbers of signal events that are expected.
        toys: at each number, and without a signal.
        seed: root of the keys: without a signal seed, at the i-th number seed + i, and seed + 10^6 for toys that
            calibrate.
        ideal: log [s(x)/b(x)] of the normalized densities, as a function of events of shape (n, d); "classifier" learns
            it from half of the events, see `learned_best_test`; None leaves the best test out.
        calibrate: "asymptotic" trusts the asymptotic null; "toys" counts as many toys without a signal, which are
            others than those that check. Default: "toys" for a network, whose asymptotic null holds if it is tuned, and
            for bins of a small reference, which these toys share; else "asymptotic".
        pool: background events; default: the reference itself.
        on_toys: called with each batch of toys, of ten seconds or so, if a toy takes less.
        folder: where toys are stored as they come, each kind in a store of its own; the same call with the same folder
            runs those that are missing. None to keep them in memory only.

    Raises:
        ValueError: if there is no number, one is not positive, or in a test of the shape as large as N(R), there are
            fewer than 20 toys, or signal or reference cannot be drawn from.
    """
    require_seed(seed)
    signal = sample_like(test.reference, signal, "signal")
    require_same_features(test.reference, signal)
    _require(numbers, toys)
    background = test.reference if pool is None else sample_like(test.reference, pool, "pool")
    require_same_features(test.reference, background)
    injection = Injection(test, background, signal, pool is None)
    injection.require(numbers)
    null_sampler, samplers = injection.sampler(), [injection.sampler(float(n)) for n in numbers]
    best: BestTest | None = None
    if ideal == "classifier":
        best = learned_best_test(test.reference, signal, numbers, seed, shape_only=test.shape_only)
    elif ideal is not None:
        best = known_best_test(test.reference, signal, numbers, ideal, shape_only=test.shape_only)

    first = Campaign(test, null_sampler, seed).draw(0)
    seconds = test.prepared.projected_seconds(first, toys) / toys

    def run(sampler: Sampler, root: int) -> ToyTable:
        campaign = Campaign(test, sampler, root % (LARGEST_SEED + 1))
        # Toys of other settings have another name, so that none are mixed and none are in the way.
        store = None if folder is None else folder / campaign.plan().hash[:12]
        table = run_campaign(campaign, toys, store=store, seconds=seconds, on_toys=on_toys)
        return table.select(table.index < toys)

    asymptotic = injection.asymptotic
    null: Null = asymptotic
    # These toys share a reference, and where it is small a chi2 is the null of toys that do not.
    shared = pool is None and needs_references(test, test.reference.total_weight)
    counted = test.model.null_is_tuned or (shared and not asymptotic.derived)
    calibrate = calibration_name(calibrate) or ("toys" if counted else "asymptotic")
    if calibrate == "toys":
        null = EmpiricalNull(run(null_sampler, seed + 10**6).t)

    def t_of(table: ToyTable) -> Float64[np.ndarray, " n"]:
        return injection.as_at_zero(table) if null is injection.asymptotic else table.t

    check = null_check(null, t_of(run(null_sampler, seed)))
    kernel = test.prepared.linear
    known = kernel is not None and kernel.solver == "ml" and not test.shape_only
    expected = expected_power(test, signal, numbers) if known else (None,) * len(numbers)
    at = []
    for i, (number, sampler) in enumerate(zip(numbers, samplers, strict=True)):
        technical_t, technical_z = injection.technical(float(number), null)
        form, ideal_z = expected[i], None if best is None else best.z[i]
        at.append(
            ClosureAt(
                events=float(number),
                technical_t=technical_t,
                technical_z=technical_z,
                sampled=signal_power(null, t_of(run(sampler, seed + 1 + i)), ideal_z=ideal_z),
                expected_z=None if form is None else form.median_z,
                ideal_z=ideal_z,
                ideal_spread=None if best is None else best.spread[i],
            )
        )
    where = (
        ", at nu = 0, and for each toy at the nu that fits it"
        if null is injection.asymptotic and injection.moving
        else ""
    )
    words = f"{kind_text(null.kind)}: {null.describe()}{where}"
    return Closure(tuple(at), check, words, best, toys, seed, test.configuration())


def _require(numbers: Sequence[float], toys: int) -> None:
    if not len(numbers):
        raise ValueError("closure needs a number of signal events, or several")
    for number in numbers:
        if not (np.isfinite(number) and number > 0):
            raise ValueError(
                f"the number of signal events must be positive, not {number:g}; toys without are run anyway"
            )
    if require_whole(toys, "toys") < LEAST_TOYS:
        raise ValueError(f"closure needs {LEAST_TOYS} toys or more at each number of events, not {toys}")
