"""A bump hunt without a simulation: is anything localized in a resonant feature, in its spectrum or in others?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm._util.whole_numbers import require_whole
from nplm.data.periods import Circular, periods_of, within_periods
from nplm.data.sample import Sample, require_varying
from nplm.family.circular import points_of, with_angles
from nplm.family.ranks import normal_scores
from nplm.hunt.degree import find_trend
from nplm.hunt.joint import DRAWS, log_of_two, log_union_of_forms, log_union_of_normal
from nplm.hunt.result import Dropped, HuntResult, InFeatures, InSpectrum
from nplm.hunt.scores import Scores
from nplm.hunt.spectrum import Spectrum
from nplm.hunt.sums import LARGEST_DEGREE, HuntEvents, Sums
from nplm.hunt.trend import without_trend
from nplm.hunt.windows import Resolution, Windows
from nplm.io.tables import Tabular, as_sample

# Fewer events are no spectrum, and of fewer in a window scores are not normal.
LEAST_EVENTS, LEAST_EXPECTED = 500.0, 25.0
# A window of which polynomials leave less than this share says little that is not of the trend.
LEAST_KEPT = 0.4
# Of so many windows and kernels with the smallest approximate p-values the exact ones are computed.
_EXACT = 5


@usual_errors()
@blas_threads()
def bump_hunt(
    data: Tabular,
    resonance: str,
    resolution: Resolution | None = None,
    *,
    signal_region: tuple[float, float] | None = None,
    circular: Circular = (),
    degree: int | None = None,
    seed: int = 1,
    draws: int = DRAWS,
    notify: Callable[[str], None] = lambda message: None,
) -> HuntResult:
    """Looks for an excess that is localized in one feature m: in its spectrum, and in all other features.

    No simulation is needed: the background is what changes smoothly with m. In windows of m as wide as its resolution
    the distribution of the other features is compared with what polynomials in m expect there, by kernels of several
    widths and penalties (`nplm.hunt.scores`), and the number of events with exp(polynomial in m)
    (`nplm.hunt.spectrum`). Given m the two are independent. One p-value accounts for all windows, kernels and the
    spectrum, without toys (`nplm.hunt.joint`).

    It asks what classifier hunts ask (CWoLa, arXiv:1805.02664), with all events at once: nothing is trained on one part
    of them to be tested on another.

    Arguments:
        data: events with m and one or more other features, all of which are looked at; their weights count.
        resonance: the name of m.
        resolution: of m, in its units: a number, or a function of arrays of m. It may be left out with a region.
        signal_region: (low, high), to look there only; what is outside are the sidebands.
        circular: features that are angles, by name, or each with its period; None for 2 pi or 360. Kernels see them as
            points on a circle.
        degree: of the polynomials in m, 0 to 7. Default: one more than the smallest from 2 to 7 that
            describes the other features.
        seed: of centres and draws.
        draws: from the joint distribution; the relative error of p is about 1 / sqrt(draws).
        notify: called with cautions.

    Returns:
        The result. Where no polynomial describes how the other features change with m, its p-value is NaN.

    Raises:
        ValueError: naming what is wrong with the data, the resolution, the region or a setting.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> m, y = rng.uniform(0, 10, 2000), rng.normal(size=2000)
        >>> bump_hunt({"m": m, "y": y}, "m", 0.5).p_value > 0.01
        True
    """
    started = time.perf_counter()
    sample = as_sample(data, name="data")
    require_seed(seed)
    if require_whole(draws, "draws") < 100:
        raise ValueError(f"take 100 draws or more, not {draws}: of fewer p is hardly known")
    if degree is not None and not 0 <= require_whole(degree, "degrees") <= LARGEST_DEGREE:
        raise ValueError(f"the degree of the trend must be from 0 to {LARGEST_DEGREE}, not {degree}")
    column = resonant_column(sample, resonance)
    periods = _periods(sample, resonance, circular)
    order, events = _events(sample, column, periods)
    low, high = float(events.m[0]), float(events.m[-1])
    if signal_region is not None:
        windows = Windows.of_region(signal_region, low, high)
    elif resolution is not None:
        windows = Windows.scan(low, high, resolution)
    else:
        raise ValueError("give the resolution of the resonant feature, or a signal region to look in")
    spectrum = Spectrum.of(events.m, events.weights, windows)
    windows, dropped = with_events(windows, spectrum)
    prepared = time.perf_counter()
    sums = Sums.of(events, windows, seed)
    trend = find_trend(sums, degree)
    windows, scores, lost = _beyond_trend(sums, windows, trend.taken_out)
    dropped += lost
    fitted = time.perf_counter()
    in_features = _in_features(scores, tuple(test.name for test in sums.basis.tests), trend.enough, seed, draws)
    in_spectrum = _in_spectrum(spectrum, windows, seed, draws)
    counted = time.perf_counter()
    log_p = _together(in_features.log_p, in_spectrum.log_p)
    result = HuntResult(
        log_p=log_p,
        resonance=resonance,
        features=tuple(name for name in sample.features if name != resonance),
        windows=windows,
        in_features=in_features,
        in_spectrum=in_spectrum,
        trend=trend,
        spectrum=spectrum,
        dropped=dropped,
        log_ratio=_log_ratio(sums, scores, events, windows, in_features, order),
        events=len(sample),
        total=sample.total_weight,
        seconds={"prepare": prepared - started, "sums": fitted - prepared, "null": counted - fitted},
        seed=seed,
        versions=versions(),
        configuration=_configuration(resolution, signal_region, periods, degree, draws),
    )
    for note in result.notes:
        notify(note)
    return result


def resonant_column(sample: Sample, resonance: str) -> int:
    """The column of the resonance in a sample that can be hunted in.

    Raises:
        ValueError: if it cannot, saying why.
    """
    if resonance not in sample.features:
        raise ValueError(f"{sample.name} has no feature '{resonance}' to hunt in: it has {', '.join(sample.features)}")
    if sample.dimension < 2:
        raise ValueError(
            f"{sample.name} has no feature beside '{resonance}': a hunt looks at others too, so give one or more"
        )
    sample.require_yield()
    require_varying(sample)
    if sample.effective_size < LEAST_EVENTS:
        raise ValueError(
            f"{sample.name} has {sample.effective_size:.0f} effective events, but a smooth background and what is on"
            f" it are told apart with {LEAST_EVENTS:.0f} or more"
        )
    return sample.features.index(resonance)


def _periods(sample: Sample, resonance: str, circular: Circular) -> dict[str, float]:
    if resonance in circular:
        raise ValueError(f"'{resonance}' cannot be circular, as a bump in it is looked for between two sidebands")
    return periods_of((sample,), circular)


def _events(sample: Sample, column: int, periods: Mapping[str, float]) -> tuple[Int64[np.ndarray, " n"], HuntEvents]:
    """The events in the order of m, and which rows they were.

    An angle keeps its trend, as a feature with repeated values does: less it, a point says by its distance from the
    circle what m is.
    """
    order = np.argsort(sample.events[:, column], kind="stable")
    m, weights = sample.events[order, column], sample.weights[order]
    scores = normal_scores(within_periods(sample, periods).events[order], np.abs(weights))
    circles = np.array([name in periods for name in sample.features])
    lines = ~circles
    lines[column] = False
    rows = without_trend(scores[:, lines], m, weights)
    points = points_of(with_angles(scores[:, circles], [True] * len(periods)), [True] * len(periods))
    return order, HuntEvents(m, np.column_stack([rows, points]) if periods else rows, weights)


def with_events(windows: Windows, spectrum: Spectrum) -> tuple[Windows, tuple[Dropped, ...]]:
    """The windows that have enough events, and the others.

    Raises:
        ValueError: if none has.
    """
    expected = spectrum.events_in(windows)
    kept = expected >= LEAST_EXPECTED
    dropped = tuple(
        Dropped(*windows.ends(j), f"{expected[j]:.3g} events are expected, and {LEAST_EXPECTED:g} are needed")
        for j in np.flatnonzero(~kept).tolist()
    )
    if not kept.any():
        raise ValueError(
            f"no window has {LEAST_EXPECTED:g} expected events, the fullest {expected.max():.3g}: take more data, or a"
            " wider signal region"
        )
    return windows.only(kept), dropped


def _beyond_trend(sums: Sums, windows: Windows, degree: int) -> tuple[Windows, Scores, tuple[Dropped, ...]]:
    """Scores of the windows of which the trend leaves enough."""
    scores = Scores.of(sums, degree, sums.windows)
    kept = scores.kept >= LEAST_KEPT
    if kept.all():
        return windows, scores, ()
    dropped = tuple(
        Dropped(*windows.ends(j), f"{100 * (1 - scores.kept[j]):.0f}% of it is what a trend of degree {degree} may be")
        for j in np.flatnonzero(~kept).tolist()
    )
    if not kept.any():
        raise ValueError(
            f"polynomials of degree {degree} could be anything in these windows ({dropped[0].reason}): give a wider"
            " range of the resonant feature, or a narrower window"
        )
    return windows.only(kept), Scores.of(sums, degree, sums.windows[kept]), dropped


def _in_features(scores: Scores, kernels: tuple[str, ...], smooth: bool, seed: int, draws: int) -> InFeatures:
    """The p-values of windows and kernels, and that of all."""
    local = scores.cumulants.log_p(scores.t)
    for place in np.argsort(local, axis=None)[:_EXACT]:
        j, k = np.unravel_index(place, local.shape)
        local[j, k] = scores.log_p(int(j), int(k))
    if not smooth:
        return InFeatures(local, kernels, np.nan, np.nan)
    log_p, error = log_union_of_forms(
        float(local.min()), scores.correlations, scores.covariance, scores.filters, scores.nulls, seed, draws
    )
    return InFeatures(local, kernels, log_p, error)


def _in_spectrum(spectrum: Spectrum, windows: Windows, seed: int, draws: int) -> InSpectrum:
    bumps = spectrum.bumps(windows)
    log_p = np.nan
    if spectrum.enough:
        log_p = log_union_of_normal(float(bumps.log_p.min()), bumps.correlations, seed, draws)
    observed, expected = (
        sums @ windows(spectrum.centre) * spectrum.unit for sums in (spectrum.observed, spectrum.expected)
    )
    return InSpectrum(bumps.log_p, bumps.z, observed, expected, log_p)


def _together(features: float, spectrum: float) -> float:
    """log p of both, or of the features alone if the spectrum is not smooth; NaN if they are not."""
    return features if np.isnan(features) or np.isnan(spectrum) else log_of_two(features, spectrum)


def _log_ratio(
    sums: Sums,
    scores: Scores,
    events: HuntEvents,
    windows: Windows,
    found: InFeatures,
    order: Int64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """f of one step at the events of the leading window, in their own order; zero elsewhere.

    f(m, y) = g(m) sum_r U_r phi_r(y) / (1 + p_r) / sqrt(sum m^2 G'^2), with g of the window and the masses in place of
    weights: those of one size make no difference.
    """
    j, k = found.leading
    test = sums.basis.tests[k]
    start, stop = windows.ends(j)
    inside = np.flatnonzero((events.m >= start) & (events.m <= stop))
    amplitude = np.zeros(sums.basis.count)
    amplitude[test.columns] = scores.u[j, test.columns] / (1 + test.ratios) / scores.norm[j]
    amplitude *= float(events.weights @ events.weights / events.weights.sum())
    f = np.zeros(len(events))
    f[order[inside]] = windows(events.m[inside])[:, j] * (sums.basis(events.rows[inside]) @ amplitude)
    return f


def _configuration(
    resolution: Resolution | None,
    signal_region: tuple[float, float] | None,
    periods: Mapping[str, float],
    degree: int | None,
    draws: int,
) -> dict[str, Any]:
    return {
        "resolution": "a function of the resonant feature" if callable(resolution) else resolution,
        "signal_region": signal_region,
        "circular": dict(periods),
        "degree": degree,
        "draws": draws,
    }
