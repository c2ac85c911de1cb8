"""What a reader of a measurement should know beside its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from nplm.nuisance.fit_summary import NEARLY, PULLED
from nplm.wording.numbers import count, format_p

if TYPE_CHECKING:
    from nplm.measure.parameters import Parameters
    from nplm.measure.result import MeasureResult

# A reference that makes an error larger by this share deserves a remark; so does a share of its negative weights.
_LARGER = 0.1
# Coverage by toys that differs from its level by more than this many of its errors.
_APART = 2.0


def cautions_of(result: MeasureResult, parameters: Parameters, weighted: bool) -> tuple[str, ...]:
    """Remarks on the reference's size, bounds, other minima, nuisances, learned ranges and coverage."""
    return (
        *_reference(result),
        *_bounds(result, parameters),
        *_minima(result),
        *_nuisances(result),
        *_learned(result, parameters),
        *_weights(weighted),
        *_coverage(result),
        *_few_toys(result),
    )


def _reference(result: MeasureResult) -> list[str]:
    data = np.sqrt(np.maximum(np.diag(result.of_data), 1e-300))[: result.of_interest]
    share = result.errors[: result.of_interest] / data - 1
    if not (share >= _LARGER).any():
        return []
    i = int(np.argmax(share))
    return [
        f"the finite size of the reference makes the error of {result.names[i]} {share[i]:.0%} larger, which is"
        f" counted: {result.errors_of_reference[i]:.2g} beside {data[i]:.2g} of the data; a larger reference would help"
    ]


def _bounds(result: MeasureResult, parameters: Parameters) -> list[str]:
    found = []
    for i, name in enumerate(parameters.names):
        low, high = parameters.limits[i]
        if result.values[i] in (low, high):
            found.append(
                f"{name} is at its bound {result.values[i]:g}: its error is that of a parabola, and intervals may cover"
                " too much; quote the interval, or a limit"
            )
    return found


def _minima(result: MeasureResult) -> list[str]:
    near = [(point, higher) for point, higher in result.others if higher < NEARLY]
    if not near:
        return []
    point, higher = near[0]
    where = ", ".join(f"{n} = {v:.3g}" for n, v in zip(result.names[: result.of_interest], point, strict=False))
    return [
        f"the data are described nearly as well at {where} (-2 log likelihood higher by {higher:.2g}): intervals are"
        " those around the best point"
    ]


def _nuisances(result: MeasureResult) -> list[str]:
    names = result.names[result.of_interest :]
    return [
        f"the data pull nuisance '{name}' by {pull:+.1f} standard deviations of its constraint: look whether that is"
        " plausible"
        for name, pull in zip(names, result.pulls, strict=True)
        if abs(pull) > PULLED
    ]


def _learned(result: MeasureResult, parameters: Parameters) -> list[str]:
    found = []
    for name, (low, high) in parameters.learned_range.items():
        i = result.names.index(name)
        if not low - result.errors[i] <= result.values[i] <= high + result.errors[i]:
            found.append(
                f"{name} = {result.values[i]:.3g}, but its log-ratio was learned between {low:.3g} and {high:.3g}, and"
                " is extrapolated: learn it from samples that reach so far"
            )
    return found


def _weights(weighted: bool) -> list[str]:
    if not weighted:
        return []
    return ["the data are weighted: errors, intervals and contours are those of the sums of squares of the weights"]


def _coverage(result: MeasureResult) -> list[str]:
    found = []
    for each in result.intervals:
        if each.coverage is None:
            continue
        share, low, high = each.coverage
        error = max((high - low) / 2, 1e-9)
        if abs(share - each.level) > _APART * error:
            found.append(
                f"the asymptotic {100 * each.level:.3g}% interval of {each.name} covers {format_p(share)} of the toys:"
                " the interval that is given has its threshold from them"
            )
    return found


def _few_toys(result: MeasureResult) -> list[str]:
    found = []
    for each in result.limits:
        if each.by_toys and not np.isfinite([each.plain, each.cls, *each.expected]).all():
            # CLs = 1 - level for data at -2 standard deviations is that of so small a share of toys.
            enough = int(np.ceil(1 / ((1 - each.level) * ndtr(-2))))
            found.append(f"toys are too few to tell all limits of {each.name}, and some are left open: take {enough}")
    if result.toys is not None and result.toys.failed:
        found.append(
            f"{result.toys.failed} of {count(result.toys.count, 'toy')} at the fitted values had no fit, and count as"
            " exceeding every threshold"
        )
    return found
