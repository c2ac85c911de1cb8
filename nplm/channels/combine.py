"""Many results as one statement: a global p-value of independent or overlapping channels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.special import gammaln, logsumexp

from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm.channels.channel import Channel
from nplm.channels.combine_result import CombinedResult, GlobalTail
from nplm.channels.copula import log_tail_of_product, log_tail_of_smallest, require_correlation
from nplm.stats.combination import Combination
from nplm.stats.global_pvalue import JointGlobalNull
from nplm.stats.joint_weighted_chi2 import JointNull
from nplm.stats.weighted_chi2 import WeightedChi2Null

How = Literal["min-p", "fisher", "sum"]
HOWS: tuple[How, ...] = get_args(How)
# Scores of fewer events than these cannot be shared.
_ROUNDING = 1e-9


def combine_results(
    results: Mapping[str, Any] | Sequence[Any],
    how: How = "fisher",
    *,
    shared: Mapping[tuple[str, str], float] | None = None,
    correlation: Float64[np.ndarray, "k k"] | None = None,
    seed: int = 1,
) -> CombinedResult:
    """One p-value for several results, and which of them leads.

    - "min-p": the smallest p-value; for what a single channel sees. Independent: 1 - (1 - p)^K.
    - "fisher": the product of p-values, -2 sum log p ~ chi2(2K); for what many channels see.
    - "sum": the sum of t, for results whose t is a weighted sum of chi2 variables (kernels, and others whose p-value is
      read from the asymptotic null): their sum has the weights of all, one after the other, in closed form.

    Channels that share n_ij of their n_i and n_j events have scores, sums over events, with correlations of
    rho_ij = n_ij / sqrt(n_i n_j), if they look at the same modes, and t, which are sums of squares, with rho_ij^2;
    modes that differ share less. So what is computed is at least as wide as what is true: "sum" pairs the k-th largest
    weights of channels, with eigenvalues of [rho_ij sqrt(w_ik w_jk)]; "min-p" and "fisher" take the joint distribution
    of these, or, where weights are not known, a normal copula of Z-scores with the correlation rho_ij^2. A given
    correlation is that of Z-scores, and of t.

    Arguments:
        results: by name, or in order: of `nplm test` and other commands, objects or the JSON values of result.json; or
            p-values.
        how: which combination; it is to be chosen before looking at the results. The others are beside it.
        shared: numbers of shared events of pairs of channels, by their names; others share none.
        correlation: of Z-scores, shape (K, K), in place of shared events.
        seed: of draws, where no closed form is known.

    Raises:
        ValueError: if there are fewer than two results, one has no p-value, names or numbers do not fit, or t cannot be
            summed; the message names the channel.

    Example:
        >>> found = combine_results({"a": 0.01, "b": 0.2, "c": 0.6})
        >>> round(found.p_value, 4), found.leading
        (0.0364, 'a')
    """
    require_seed(seed)
    began = time.perf_counter()
    named = dict(results) if isinstance(results, Mapping) else {f"channel {i}": r for i, r in enumerate(results, 1)}
    if len(named) < 2:
        raise ValueError(f"a combination needs two results or more, not {len(named)}")
    if how not in HOWS:
        raise ValueError(f"there is no combination '{how}': choose {', '.join(HOWS)}")
    channels = tuple(Channel.of(result, str(name)) for name, result in named.items())
    names = tuple(channel.name for channel in channels)
    scores, of_z, source = _correlations(channels, shared, correlation)
    tails: dict[str, GlobalTail] = {}
    for each in HOWS:
        if each == "sum" and (why := why_no_sum(channels)):
            if how == "sum":
                raise ValueError(why)
            continue
        tails[each] = _tail(each, channels, scores, of_z, exact=correlation is None, seed=seed)
    return CombinedResult(
        channels=channels,
        how=how,
        tails=tails,
        correlation=of_z,
        correlated=source,
        seconds={"combination": time.perf_counter() - began},
        seed=seed,
        versions=versions(),
        configuration={"channels": list(names), "how": how, "correlations": source},
    )


def why_no_sum(channels: Sequence[Channel]) -> str:
    """Why t cannot be summed; empty if it can."""
    for channel in channels:
        if not len(channel.weights):
            return (
                f"t of {channel.name} ({channel.kind}) is not known as a weighted sum of chi2 variables, so it cannot"
                " be summed with those of others: results of different kinds are combined by min-p or fisher"
            )
    return ""


def _correlations(
    channels: Sequence[Channel],
    shared: Mapping[tuple[str, str], float] | None,
    correlation: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Correlations of scores and of Z-scores, and where they come from."""
    names, k = [channel.name for channel in channels], len(channels)
    if shared and correlation is not None:
        raise ValueError("give shared events or correlations, not both")
    if correlation is not None:
        given = np.asarray(correlation, dtype=np.float64)
        require_correlation(given, tuple(names))
        return np.sqrt(np.clip(given, 0.0, None)), given, "given"
    scores = np.eye(k)
    for (first, second), many in (shared or {}).items():
        for name in (first, second):
            if name not in names:
                raise ValueError(f"'{name}' shares events, but is no channel: there are {', '.join(names)}")
        i, j = names.index(first), names.index(second)
        if i == j:
            raise ValueError(f"'{first}' shares events with itself; a pair is of two channels")
        for channel in (channels[i], channels[j]):
            if not channel.events > 0:
                raise ValueError(f"the number of events of {channel.name} is not known: give correlations instead")
            if not 0 <= many <= channel.events:
                raise ValueError(
                    f"{first} and {second} share {many:g} events, but {channel.name} has {channel.events:g}"
                )
        scores[i, j] = scores[j, i] = many / np.sqrt(channels[i].events * channels[j].events)
    require_correlation(scores, tuple(names))
    apart = np.allclose(scores, np.eye(k), atol=_ROUNDING)
    return scores, scores**2, "independent" if apart else "shared events"


def _tail(
    how: How, channels: Sequence[Channel], scores: np.ndarray, of_z: np.ndarray, exact: bool, seed: int
) -> GlobalTail:
    log_p = np.array([channel.log_p for channel in channels])
    k = len(channels)
    apart = np.allclose(of_z, np.eye(k), atol=_ROUNDING)
    if how == "sum":
        weights = _weights_of_sum(channels, scores)
        total = float(sum(channel.t for channel in channels))
        null = WeightedChi2Null(weights)
        return GlobalTail(total, null.log_pvalue(total), 0.0, f"closed form: {null.describe()}")
    smallest, product = float(log_p.min()), float(-log_p.sum())
    statistic = smallest if how == "min-p" else 2 * product
    if apart:
        if how == "min-p":
            return GlobalTail(statistic, _log_any(smallest, k), 0.0, f"closed form: 1 - (1 - p)^{k}")
        return GlobalTail(statistic, _log_erlang(product, k), 0.0, f"closed form: chi2({2 * k})")
    if exact and all(len(channel.weights) for channel in channels):
        combination = Combination("min-p" if how == "min-p" else "product")
        drawn = JointGlobalNull(_joint(channels, scores), combination, seed=seed)
        found = drawn.global_p(np.array([channel.t for channel in channels]))
        error = (found.p_interval[1] - found.p_interval[0]) / (2 * found.p_value)
        return GlobalTail(statistic, float(np.log(found.p_value)), error, found.null)
    if how == "min-p":
        log_tail, error = log_tail_of_smallest(smallest, of_z, seed)
    else:
        log_tail, error = log_tail_of_product(product, of_z, seed)
    return GlobalTail(statistic, min(log_tail, 0.0), error, "normal copula of the Z-scores, drawn by importance")


def _log_any(log_p: float, k: int) -> float:
    """log [1 - (1 - p)^k]."""
    p = np.exp(log_p)
    if p >= 1:
        return 0.0
    return float(np.log(k) + log_p) if p < 1e-15 else float(np.log(-np.expm1(k * np.log1p(-p))))


def _log_erlang(x: float, k: int) -> float:
    """log P(chi2(2k) >= 2x) = log [exp(-x) sum_{i<k} x^i / i!]."""
    i = np.arange(k)
    return 0.0 if x <= 0 else min(0.0, float(-x + logsumexp(i * np.log(x) - gammaln(i + 1))))


def _paired(channels: Sequence[Channel], scores: np.ndarray) -> list[np.ndarray]:
    """For each number k the covariance of the scores of the k-th largest weights of all channels that have so many."""
    found = []
    for mode in range(max(len(channel.weights) for channel in channels)):
        there = [i for i, channel in enumerate(channels) if len(channel.weights) > mode]
        roots = np.sqrt([channels[i].weights[mode] for i in there])
        found.append(scores[np.ix_(there, there)] * np.outer(roots, roots))
    return found


def _weights_of_sum(channels: Sequence[Channel], scores: np.ndarray) -> Float64[np.ndarray, " n"]:
    values = np.concatenate([np.linalg.eigvalsh(block) for block in _paired(channels, scores)])
    return np.clip(np.sort(values)[::-1], 0.0, None)


def _joint(channels: Sequence[Channel], scores: np.ndarray) -> JointNull:
    sizes = [len(channel.weights) for channel in channels]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    covariance = np.zeros((starts[-1], starts[-1]))
    for mode, block in enumerate(_paired(channels, scores)):
        at = np.array([starts[i] + mode for i, size in enumerate(sizes) if size > mode])
        covariance[np.ix_(at, at)] = block
    return JointNull.of(covariance, sizes)
