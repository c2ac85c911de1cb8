"""Intervals, contours and upper limits around a fit: asymptotic ones, or those of toys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nplm.measure.asked import Asked
from nplm.measure.intervals import Profiler
from nplm.measure.limits import UpperLimit, upper_limit
from nplm.measure.limits_by_toys import limit_by_toys
from nplm.measure.neyman import Construction
from nplm.measure.result import Contour, Interval
from nplm.measure.toys import ToyFits, ToyMaker, toy_fits


@dataclass(frozen=True, eq=False)
class Confidence:
    """What is known of the parameters of interest beside their best values.

    Arguments:
        intervals: of each parameter, at each level.
        contours: of pairs.
        limits: one-sided.
        toys: fits of toys at the fitted values; None without.
        points: number of values at which toys were drawn.
    """

    intervals: tuple[Interval, ...]
    contours: tuple[Contour, ...]
    limits: tuple[UpperLimit, ...]
    toys: ToyFits | None = None
    points: int = 0


def asymptotic(profiler: Profiler, asked: Asked, asimov: Callable[[int], Profiler], *, observed: bool) -> Confidence:
    """With asymptotic thresholds.

    Arguments:
        profiler: of the data.
        asked: levels, limits and contours.
        asimov: the profile of what is expected where a parameter is 0, by its number.
        observed: False where there are no data yet.
    """
    model = profiler.model
    intervals = [
        Interval(model.names[i], level, *profiler.interval(i, level), profiler.threshold([i], level))
        for i in range(model.of_interest)
        for level in asked.levels
    ]
    contours = [
        Contour((model.names[i], model.names[j]), level, profiler.contour(i, j, level))
        for i, j in asked.pairs(model)
        for level in asked.levels
    ]
    limits = [upper_limit(profiler, i, asked.limit_level, asimov(i), observed) for i in asked.limited(model)]
    return Confidence(tuple(intervals), tuple(contours), tuple(limits))


def by_toys(profiler: Profiler, maker: ToyMaker, asked: Asked, asimov: Callable[[int], Profiler]) -> Confidence:
    """With thresholds and p-values of toys; see `nplm.measure.neyman` and `nplm.measure.limits_by_toys`.

    Arguments:
        profiler: of the data.
        maker: draws toys of the fitted values.
        asked: levels, limits, contours, toys at each point, and their seed.
        asimov: as in `asymptotic`.
    """
    model, levels = profiler.model, asked.levels
    made = toy_fits(maker, asked.toys, asked.seed)
    construction = Construction(profiler, maker, asked.toys, asked.seed)
    points, intervals, contours, limits = 1, [], [], []
    for i in range(model.of_interest):
        found, drawn = construction.intervals(i, levels)
        wilks = [profiler.threshold([i], level) for level in levels]
        intervals += [replace(each, coverage=made.coverage(i, limit)) for each, limit in zip(found, wilks, strict=True)]
        points += drawn
    for i, j in asked.pairs(model):
        lines, drawn = construction.contours(i, j, levels)
        names = model.names[i], model.names[j]
        contours += [
            Contour(names, level, line, by_toys=True) for level, line in zip(levels, lines, strict=True) if len(line)
        ]
        points += drawn
    for i in asked.limited(model):
        without = upper_limit(profiler, i, asked.limit_level, asimov(i))
        limit, drawn = limit_by_toys(profiler, maker, without, asked.toys, asked.seed)
        limits.append(limit)
        points += drawn
    return Confidence(tuple(intervals), tuple(contours), tuple(limits), made, points)
