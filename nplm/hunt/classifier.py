"""A bump hunt with a classifier of your own: each block of events is cut by what learned from the blocks before it."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import ArrayLike

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm._util.whole_numbers import require_whole
from nplm.data.normal_scores import NormalScores
from nplm.data.sample import Sample
from nplm.hunt.beside import spectrum_beside
from nplm.hunt.classifier_result import ClassifierHuntResult, Cut
from nplm.hunt.hunt import resonant_column, with_events
from nplm.hunt.result import Dropped
from nplm.hunt.spectrum import Spectrum
from nplm.hunt.trend import LEAST_VARIANCE, MEAN_DEGREE, VARIANCE_DEGREE, polynomials
from nplm.hunt.windows import Resolution, Windows
from nplm.io.tables import Tabular, as_sample

KEEP = (0.1, 0.02, 0.005)
# All events in so many blocks, of which the first ones are for training alone.
BLOCKS, FIRST = 8, 2
# Windows of a scan are so many resolutions apart: each is four of them wide.
STEP = 2
# Fewer events than these make no spectrum, or have no tail that is known, and train no classifier.
LEAST_KEPT, LEAST_EXPECTED, LEAST_TRAINED = 40.0, 1.0, 10
# A window takes so much of its width on either side while the degree of the spectrum is chosen.
_ROOM = 0.25
_STREAM = 0x626C6F63

Inputs = Literal["without trend", "as they are"]


class Classifier(Protocol):
    """What a classifier of scikit-learn has, or any object with these two methods.

    `fit(x, y)` is also given `sample_weight` where events have weights, and starts anew on a copy of the classifier.
    """

    def fit(self, x: Any, y: Any, /) -> Any:
        """Learns from features x, shape (n, d), and y, 1 in the window and 0 in the sidebands."""
        ...

    def predict_proba(self, x: Any, /) -> ArrayLike:
        """The probabilities of 0 and of 1, shape (n, 2)."""
        ...


@usual_errors()
@blas_threads()
def classifier_hunt(
    data: Tabular,
    resonance: str,
    classifier: Classifier,
    resolution: Resolution | None = None,
    *,
    signal_region: tuple[float, float] | None = None,
    keep: Sequence[float] = KEEP,
    blocks: int = BLOCKS,
    inputs: Inputs = "without trend",
    seed: int = 1,
) -> ClassifierHuntResult:
    """Looks for an excess in windows of m among the events that a classifier, window against sidebands, finds most
    window-like in the other features.

    Events are dealt into blocks at random. Each block after the first two is cut by a classifier that was trained on
    all blocks before it, at the quantile of its score in their sidebands. Given what was before, an event is kept or
    not by itself, so that the kept events of all blocks are a Poisson process whose density is that of the spectrum
    times a smooth share, and the excess in the window has the p-value of `nplm.hunt.spectrum`. With folds, each of
    which is cut by what was trained on all others, this is not so: two folds train each other, and a test at 1% fires
    in 2 to 4%.

    The p-value of all windows and cuts is the smallest one times their number (Bonferroni), which is no less than the
    true one however much they have in common.

    Where the other features change with m beyond what `inputs` takes out, a classifier learns to tell m, and a cut on
    it makes a bump of a smooth background; `bump_hunt` takes smooth changes for what they are, and finds more.

    Arguments:
        data: events with m and one or more other features; weights are passed to `fit` by their size.
        resonance: the name of m.
        classifier: with the interface of scikit-learn; it is copied and not changed.
        resolution: of m: windows two of them on either side, two apart. It may be left out with a region.
        signal_region: (low, high), to look there only.
        keep: shares of the sidebands that cuts keep, each a test of its own.
        blocks: how many, at least 3.
        inputs: what the classifier is given: "without trend" normal scores of the features without the mean (cubic in
            m) and the width (parabola in m) that they have in the blocks before; or features "as they are".
        seed: of the blocks.

    Returns:
        The result; its p-value is NaN if no cut leaves a smooth spectrum with enough events.

    Raises:
        ValueError: naming what is wrong with the data, the windows, the classifier or a setting.

    Source: CWoLa hunting, J. Collins, K. Howe, B. Nachman, arXiv:1805.02664, with blocks one after the other in place
        of cross-validation.

    Example:
        >>> class Nearness:
        ...     def fit(self, x, y):
        ...         self.mean = x[y == 1].mean(axis=0)
        ...         return self
        ...
        ...     def predict_proba(self, x):
        ...         near = 1 / (1 + ((x - self.mean) ** 2).sum(axis=1))
        ...         return np.column_stack([1 - near, near])
        >>> rng = np.random.default_rng(1)
        >>> events = {"m": rng.uniform(0, 10, 3000), "y": rng.normal(size=3000)}
        >>> classifier_hunt(events, "m", Nearness(), signal_region=(4, 5), keep=[0.1]).p_value > 0.001
        True
    """
    started = time.perf_counter()
    sample = as_sample(data, name="data")
    require_seed(seed)
    _require_settings(classifier, keep, blocks, inputs)
    column = resonant_column(sample, resonance)
    m = sample.events[:, column]
    ends = (float(m.min()), float(m.max()))
    windows, dropped = _windows(m, sample.weights, ends, resolution, signal_region)
    planned = (len(windows) + len(dropped)) * len(keep)
    dealt = _deal(sample, column, blocks, inputs, seed)
    cuts: list[Cut] = []
    for j in range(len(windows)):
        window = windows.only(np.array([j]))
        for share, kept in zip(keep, _kept(dealt, window.ends(0), classifier, keep), strict=True):
            found = _tested(m[kept], sample.weights[kept], window, ends, share)
            cuts += [found] if isinstance(found, Cut) else []
            dropped += (found,) if isinstance(found, Dropped) else ()
    least = min((cut.log_p for cut in cuts), default=np.nan)
    return ClassifierHuntResult(
        log_p=float(np.minimum(0.0, least + np.log(planned))),
        resonance=resonance,
        features=tuple(name for name in sample.features if name != resonance),
        cuts=tuple(cuts),
        tests=planned,
        dropped=dropped,
        blocks=blocks,
        events=len(sample),
        cut_events=int((dealt.block >= FIRST).sum()),
        seconds=time.perf_counter() - started,
        seed=seed,
        versions=versions(),
    )


def _require_settings(classifier: Classifier, keep: Sequence[float], blocks: int, inputs: str) -> None:
    for method in ("fit", "predict_proba"):
        if not callable(getattr(classifier, method, None)):
            raise ValueError(
                f"a {type(classifier).__name__} has no method {method}: give an object with fit and predict_proba, as"
                " the classifiers of scikit-learn have"
            )
    if isinstance(classifier, type):
        raise ValueError(f"give a classifier and not its class: {classifier.__name__}()")
    if not len(keep) or not all(0 < share < 1 for share in keep):
        raise ValueError(f"the shares that cuts keep must be between 0 and 1, one or more of them, not {tuple(keep)}")
    if require_whole(blocks, "blocks") <= FIRST:
        raise ValueError(f"take more than {FIRST} blocks, as the first {FIRST} are for training alone, not {blocks}")
    if inputs not in ("without trend", "as they are"):
        raise ValueError(f"inputs are 'without trend' or 'as they are', not {inputs!r}")


def _windows(
    m: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
    ends: tuple[float, float],
    resolution: Resolution | None,
    region: tuple[float, float] | None,
) -> tuple[Windows, tuple[Dropped, ...]]:
    if region is not None:
        windows = Windows.of_region(region, *ends)
    elif resolution is not None:
        windows = Windows.scan(*ends, resolution)
        windows = windows.only(np.arange(0, len(windows), STEP))
    else:
        raise ValueError("give the resolution of the resonant feature, or a signal region to look in")
    return with_events(windows, Spectrum.of(m, weights, windows))


@dataclass(frozen=True, eq=False)
class _Dealt:
    """Events in blocks, with what a classifier is given of each block and of those before it.

    Arguments:
        m: the resonant feature, shape (n,).
        weights: None where all are one.
        block: number of each event's block.
        before: of each block that is cut, the rows of the blocks before it, and their inputs.
        own: the rows of the block, and theirs.
    """

    m: Float64[np.ndarray, " n"]
    weights: Float64[np.ndarray, " n"] | None
    block: Int64[np.ndarray, " n"]
    before: tuple[tuple[Int64[np.ndarray, " _"], Float64[np.ndarray, "_ d"]], ...]
    own: tuple[tuple[Int64[np.ndarray, " _"], Float64[np.ndarray, "_ d"]], ...]


def _deal(sample: Sample, column: int, blocks: int, inputs: Inputs, seed: int) -> _Dealt:
    block = np.random.default_rng([seed, _STREAM]).integers(blocks, size=len(sample))
    m, y = sample.events[:, column], np.delete(sample.events, column, axis=1)
    size = np.abs(sample.weights)
    p = polynomials(m, sample.weights, MEAN_DEGREE)
    before, own = [], []
    for number in range(FIRST, blocks):
        earlier, rows = np.flatnonzero(block < number), np.flatnonzero(block == number)
        used = np.concatenate([earlier, rows])
        given = y[used] if inputs == "as they are" else _without_trend(y[used], p[used], size[used], len(earlier))
        before.append((earlier, given[: len(earlier)]))
        own.append((rows, given[len(earlier) :]))
    return _Dealt(m, size if sample.is_weighted else None, block, tuple(before), tuple(own))


def _without_trend(
    y: Float64[np.ndarray, "n d"], p: Float64[np.ndarray, "n k"], weights: Float64[np.ndarray, " n"], learned: int
) -> Float64[np.ndarray, "n d"]:
    """Normal scores without their trends, as `nplm.hunt.trend.without_trend`, all learned from the first events."""
    first = slice(0, learned)
    root = np.sqrt(weights[first])[:, None]
    scores = NormalScores.fit(Sample(y[first], weights[first]))(y)
    left = scores - p @ np.linalg.lstsq(root * p[first], root * scores[first])[0]
    wide = p[:, : VARIANCE_DEGREE + 1]
    variance = wide @ np.linalg.lstsq(root * wide[first], root * left[first] ** 2)[0]
    return np.asarray(left / np.sqrt(np.maximum(variance, LEAST_VARIANCE)))


def _kept(
    dealt: _Dealt, window: tuple[float, float], classifier: Classifier, keep: Sequence[float]
) -> list[Int64[np.ndarray, " k"]]:
    """The rows that each cut keeps."""
    inside = (dealt.m >= window[0]) & (dealt.m <= window[1])
    kept: list[list[np.ndarray]] = [[] for _ in keep]
    for (earlier, x), (rows, own) in zip(dealt.before, dealt.own, strict=True):
        y = inside[earlier]
        if not LEAST_TRAINED <= y.sum() <= len(y) - LEAST_TRAINED:
            raise ValueError(
                f"{y.sum()} of {len(y)} events to train with are between {window[0]:.4g} and {window[1]:.4g}, and"
                f" {LEAST_TRAINED} are needed inside and outside: give another signal region, or fewer blocks"
            )
        if not len(rows):
            continue
        trained = copy.deepcopy(classifier)
        weights = None if dealt.weights is None else dealt.weights[earlier]
        _fit(trained, x, y, weights)
        score, of_block = _score(trained, x[~y]), _score(trained, own)
        for share, found in zip(keep, kept, strict=True):
            found.append(rows[of_block > _threshold(score, None if weights is None else weights[~y], share)])
    return [np.sort(np.concatenate(found)) for found in kept]


def _fit(
    classifier: Any, x: Float64[np.ndarray, "n d"], y: Bool[np.ndarray, " n"], weights: Float64[np.ndarray, " n"] | None
) -> None:
    if weights is None:
        classifier.fit(x, y.astype(np.int64))
        return
    try:
        classifier.fit(x, y.astype(np.int64), sample_weight=weights)
    except TypeError as error:
        raise ValueError(
            f"events have weights, and fit of a {type(classifier).__name__} takes no sample_weight ({error}): give a"
            " classifier whose fit does, or events without weights"
        ) from error


def _score(classifier: Classifier, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
    """The probability of the window."""
    found = np.asarray(classifier.predict_proba(x), dtype=np.float64)
    if found.shape != (len(x), 2):
        raise ValueError(
            f"predict_proba of a {type(classifier).__name__} gave an array of shape {found.shape} for {len(x)} events:"
            " it must give the probabilities of sidebands and window, two columns"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"predict_proba of a {type(classifier).__name__} gave a value that is not finite")
    return found[:, 1]


def _threshold(score: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"] | None, share: float) -> float:
    """The score that at most this share of events is above."""
    order = np.argsort(-score, kind="stable")
    above = np.cumsum(np.ones(len(score)) if weights is None else weights[order])
    place = int(np.searchsorted(above, share * above[-1], side="right"))
    return float(score[order[min(place, len(score) - 1)]])


def _tested(
    m: Float64[np.ndarray, " k"],
    weights: Float64[np.ndarray, " k"],
    window: Windows,
    ends: tuple[float, float],
    share: float,
) -> Cut | Dropped:
    """The excess of kept events in the window, or why there is none."""
    start, stop = window.ends(0)
    total = float(weights.sum())
    effective = total**2 / float(weights @ weights) if total > 0 else 0.0
    where = f"of the events that a cut at {100 * share:g}% keeps"
    if effective < LEAST_KEPT:
        return Dropped(start, stop, f"{where} there are {effective:.3g}, and {LEAST_KEPT:g} make a spectrum")
    room = _ROOM * (stop - start)
    spectrum = spectrum_beside(m, weights, float(window.sigma[0]), (start - room, stop + room), ends, window.region)
    expected, observed = (float(x @ window(spectrum.centre)[:, 0]) for x in (spectrum.expected, spectrum.observed))
    if expected < LEAST_EXPECTED:
        return Dropped(start, stop, f"{where} {expected:.2g} are expected in it, and {LEAST_EXPECTED:g} is needed")
    if not spectrum.enough:
        return Dropped(start, stop, f"{where} no smooth curve describes the sidebands")
    bumps = spectrum.bumps(window)
    return Cut(
        share, start, stop, float(bumps.log_p[0]), float(bumps.z[0]), len(m),
        observed * spectrum.unit, expected * spectrum.unit, spectrum.degree,
    )  # fmt: skip
