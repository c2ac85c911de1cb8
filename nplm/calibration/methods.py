"""How t of a test becomes a p-value: methods, each an object that says which null t is compared with.

    NPLMTest(reference).run(data, calibrate=Toys(1000))

is what `toys=1000, calibrate="toys"` asks for by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from nplm.calibration.record import Calibration
from nplm.data.sample import Sample
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull, fit_asymptotic_null, with_scale_of
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.stats.importance import ImportanceNull
from nplm.stats.null import Null
from nplm.toys.no_toys import why_no_toys
from nplm.wording.standing import calibration_name

if TYPE_CHECKING:
    from nplm.calibration.null_toys import NullToys

Calibrate = Literal["toys", "asymptotic", "asymptotic+toys", "toys+asymptotic", "importance"]
CALIBRATIONS: tuple[Calibrate, ...] = get_args(Calibrate)
# Null toys, and weighted ones, where nobody says how many.
USUAL_TOYS, USUAL_WEIGHTED_TOYS = 200, 5000


@dataclass(frozen=True, eq=False)
class RanToys:
    """Toys that have been run, beside what they check.

    Arguments:
        t: of the data.
        asymptotic, for_toys: the asymptotic null of the data, and that of the toys, whose reference may be held fixed.
        counted: the toys.
        ensemble: how they compare with `for_toys`; None where nothing was compared.
    """

    t: float
    asymptotic: AsymptoticNull
    for_toys: AsymptoticNull
    counted: EmpiricalNull
    ensemble: EnsembleSummary | None

    @property
    def trusted(self) -> Null:
        """The null that toys leave standing: the asymptotic one, that with a fitted scale, or the toys."""
        counted, ensemble = self.counted, self.ensemble
        if counted.failed or ensemble is None or ensemble.given is None:
            return counted
        if ensemble.given.accepted:
            return self.asymptotic
        if ensemble.fitted is not None and ensemble.fitted.accepted:
            return with_scale_of(fit_asymptotic_null(counted.t, self.for_toys), self.asymptotic)
        return counted


@dataclass(frozen=True, eq=False)
class Method:
    """What the p-value of a test stands on.

    Arguments:
        toys: number of null toys to run, or null toys that were run before; None for the usual number.
    """

    toys: int | NullToys | None = None
    name: ClassVar[Calibrate]
    usual_toys: ClassVar[int] = USUAL_TOYS
    # Whether the p-value may be that of the asymptotic null; and whether toys of the null are counted, or others.
    may_trust: ClassVar[bool] = True
    weighted: ClassVar[bool] = False

    @property
    def number(self) -> int | NullToys:
        """The toys that it takes."""
        return self.usual_toys if self.toys is None else self.toys

    def standing(self, ran: RanToys) -> Null:
        """The null that t is compared with, once toys have been run."""
        return ran.trusted


class Asymptotic(Method):
    """Trusts the asymptotic null, and runs no toys."""

    name = "asymptotic"
    usual_toys = 0

    @property
    def number(self) -> int:
        return 0


class Toys(Method):
    """Counts toys."""

    name = "toys"
    may_trust = False

    def standing(self, ran: RanToys) -> Null:
        return ran.counted


class CheckedByToys(Method):
    """The asymptotic null if toys follow it, the same with a scale fitted to them if they follow that, else toys."""

    name = "asymptotic+toys"


class ToysThenAsymptotic(Method):
    """Counts toys, and where none of them has a t as large takes the asymptotic null, as `CheckedByToys` does."""

    name = "toys+asymptotic"
    may_trust = False

    def standing(self, ran: RanToys) -> Null:
        return ran.trusted if ran.counted.is_limit(ran.t) else ran.counted


class ImportanceSampling(Method):
    """Draws toys of a kernel model where t is as large as that of the data, and counts them with weights.

    See `nplm.calibration.importance.run`.
    """

    name = "importance"
    usual_toys = USUAL_WEIGHTED_TOYS
    weighted = True


METHODS: Mapping[Calibrate, type[Method]] = {
    each.name: each for each in (Toys, Asymptotic, CheckedByToys, ToysThenAsymptotic, ImportanceSampling)
}


def method_of(calibrate: Calibrate | Method | None, toys: int | NullToys | None, asymptotic: AsymptoticNull) -> Method:
    """The method that is asked for by its name and a number of toys, or as it is.

    Without a name: the asymptotic null without toys, checked by toys where it follows from the reference, and toys
    first where t only tends to it if the model is regularized well.

    Raises:
        ValueError: if there is none of that name, or it needs toys and is to have none, or their number is given twice.
    """
    calibrate = calibration_name(calibrate)
    if isinstance(calibrate, Method):
        if toys is not None:
            raise ValueError(f"the number of toys is given twice: leave out toys, or take calibrate='{calibrate.name}'")
        method = calibrate
    elif calibrate is None:
        usual = CheckedByToys if asymptotic.derived else ToysThenAsymptotic
        method = Asymptotic() if toys == 0 else usual(toys)
    elif calibrate not in METHODS:
        raise ValueError(f"there is no calibration '{calibrate}': choose {', '.join(CALIBRATIONS)}")
    else:
        method = METHODS[calibrate](toys)
    if method.number == 0 and not method.weighted and not isinstance(method, Asymptotic):
        raise ValueError(f"calibration with '{method.name}' needs toys, not 0")
    return method


def calibrated(
    test: LikelihoodRatio,
    data: Sample,
    asymptotic: AsymptoticNull,
    t: float,
    null: NullToys | None,
    importance: ImportanceNull | None,
    method: Method,
    requested: int,
) -> tuple[Null, Calibration]:
    """The null that t of the data is compared with, and what a result says of it.

    Arguments:
        test: that the data went through.
        data: that were tested.
        asymptotic: `test.asymptotic_null(data)`.
        t: of the data.
        null: toys that were counted; None without.
        importance: toys that were weighted; None without.
        method: what the p-value shall stand on.
        requested: toys that were asked for.
    """
    own = None if null is None else null.asymptotic
    fixed = null is not None and not null.resampled
    for_toys = test.asymptotic_null(data, fixed_reference=fixed) if own is None else own
    toys = None if null is None or not len(null.table) else null.table
    counted = None if toys is None else EmpiricalNull(toys.t)
    ensemble = None if counted is None else summarize_toys(counted.t, for_toys)
    standing: Null = asymptotic if importance is None else importance
    if counted is not None:
        standing = method.standing(RanToys(t, asymptotic, for_toys, counted, ensemble))
    run = counted if importance is None else importance
    source = "" if null is None else null.source
    if importance is not None:
        source = f"events of {test.reference.name} in proportion to their weight and to a random signal"
    unchecked = ", unchecked" if run is None else ""
    return standing, Calibration(
        kind=standing.kind,
        null=f"{standing.describe()}{unchecked}",
        mean=standing.mean,
        sd=standing.sd,
        toys_requested=requested,
        toys=0 if run is None else len(run.t),
        toys_failed=0 if run is None else run.failed,
        toys_exceeding=0 if run is None else run.exceeding(t),
        source=source,
        inflation=1.0 if null is None else null.inflation,
        asymptotic=asymptotic,
        asymptotic_for_toys=for_toys,
        asymptotic_p_value=asymptotic.pvalue(t),
        asymptotic_z=asymptotic.z(t),
        ensemble=ensemble,
        importance=None if importance is None else importance.to_dict(t),
        no_toys="" if run is not None else why_no_toys(test.reference, data, shape_only=test.shape_only),
    )
