"""Pairs of samples that differ: sharp, broad, rare, in one feature, in a correlation or in many features at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.family.samples import correlated, exponential

Pair = tuple[np.ndarray, np.ndarray]
DIFFERENCES: dict[str, Callable[[np.random.Generator, float], Pair]] = {}


def _difference(name: str) -> Callable[[Callable[[np.random.Generator, float], Pair]], None]:
    def add(pair: Callable[[np.random.Generator, float], Pair]) -> None:
        DIFFERENCES[name] = pair

    return add


@_difference("1-D: peak of width .16 at 1.6 on Exp(1), events")
def _(rng: np.random.Generator, strength: float) -> Pair:
    peak = rng.normal(1.6, 0.16, (round(strength), 1))
    return exponential(rng, 2000), np.concatenate([exponential(rng, 1000), peak])


@_difference("1-D: peak of width .16 at 6.4 on Exp(1), events")
def _(rng: np.random.Generator, strength: float) -> Pair:
    peak = rng.normal(6.4, 0.16, (round(strength), 1))
    return exponential(rng, 2000), np.concatenate([exponential(rng, 1000), peak])


@_difference("1-D: shift of a normal distribution")
def _(rng: np.random.Generator, strength: float) -> Pair:
    return rng.normal(size=(2000, 1)), rng.normal(strength, 1, size=(1000, 1))


@_difference("1-D: share lost within .85 to 1.15 of Exp(1)")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = exponential(rng, 2000)
    lost = (np.abs(data[:, 0] - 1) < 0.15) & (rng.random(len(data)) < strength)
    return exponential(rng, 2000), data[~lost][:1000]


@_difference("1-D: scale of Exp(1)")
def _(rng: np.random.Generator, strength: float) -> Pair:
    return exponential(rng, 2000), strength * exponential(rng, 1000)


@_difference("2-D: correlation .5 against")
def _(rng: np.random.Generator, strength: float) -> Pair:
    return correlated(rng, 2000, 2, 0.5), correlated(rng, 1000, 2, strength)


@_difference("2-D: share lost in a square of .6 about (.5, .5)")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = correlated(rng, 2000, 2, 0.5)
    lost = (np.abs(data - 0.5) < 0.3).all(axis=1) & (rng.random(len(data)) < strength)
    return correlated(rng, 2000, 2, 0.5), data[~lost][:1000]


@_difference("2-D: four components, one of them wider")
def _(rng: np.random.Generator, strength: float) -> Pair:
    def draw(deviation: float) -> np.ndarray:
        mean = rng.choice([-20.0, 20.0], (1000, 2))
        own = np.all(mean > 0, axis=1, keepdims=True)
        return np.asarray(mean + np.where(own, deviation, 1.0) * rng.normal(size=(1000, 2)))

    return draw(1.0), draw(strength)


def _five(rng: np.random.Generator, n: int) -> np.ndarray:
    """Five features, four of them correlated, one of these log-normal; the fifth exponential."""
    x = correlated(rng, n, 5, 0.5)
    x[:, 3] = np.exp(x[:, 3])
    x[:, 4] = rng.exponential(size=n)
    return x


@_difference("5-D correlated: shift of one feature")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = _five(rng, 1000)
    data[:, 0] += strength
    return _five(rng, 2000), data


@_difference("5-D: share lost in a square of .8 of two features")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = _five(rng, 2000)
    lost = (np.abs(data[:, :2] - 0.5) < 0.4).all(axis=1) & (rng.random(len(data)) < strength)
    return _five(rng, 2000), data[~lost][:1000]


@_difference("5-D: ten events of 1000 farther out in one feature by")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = _five(rng, 1000)
    data[:10, 4] += strength
    return _five(rng, 2000), data


@_difference("5-D: share of exact zeros in one feature, .6 against")
def _(rng: np.random.Generator, strength: float) -> Pair:
    def draw(n: int, share: float) -> np.ndarray:
        x = rng.normal(size=(n, 5))
        x[rng.random(n) < share, 1] = 0.0
        x[:, 2] = rng.poisson(3, n)
        return x

    return draw(2000, 0.6), draw(500, strength)


@_difference("6-D: narrow component of one feature, .3 against")
def _(rng: np.random.Generator, strength: float) -> Pair:
    def draw(deviation: float) -> np.ndarray:
        x = rng.normal(size=(1000, 6))
        narrow = rng.random(1000) < 0.3
        x[narrow, 2] = rng.normal(3, deviation, narrow.sum())
        return x

    return draw(0.3), draw(strength)


@_difference("6-D: cluster of deviation .2 in 1500, events")
def _(rng: np.random.Generator, strength: float) -> Pair:
    centre, n = np.array([1.0, 1.0, -1.0, 1.0, 0.0, 0.5]), round(strength)
    data = np.concatenate([rng.normal(size=(1500 - n, 6)), rng.normal(centre, 0.2, (n, 6))])
    return rng.normal(size=(2000, 6)), data


@_difference("6-D: sign of a product of three features, share")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = rng.normal(size=(1000, 6))
    data[(data[:, :3].prod(axis=1) < 0) & (rng.random(1000) < strength), 0] *= -1
    return rng.normal(size=(1000, 6)), data


@_difference("10-D: scale of one feature")
def _(rng: np.random.Generator, strength: float) -> Pair:
    data = rng.normal(size=(1000, 10))
    data[:, 4] *= strength
    return rng.normal(size=(2000, 10)), data


@_difference("20-D: correlation of one pair, 0 against")
def _(rng: np.random.Generator, strength: float) -> Pair:
    def draw(n: int, rho: float) -> np.ndarray:
        x = rng.normal(size=(n, 20))
        x[:, 1] = 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 1]
        x[:, 9] = rho * x[:, 4] + np.sqrt(1 - rho**2) * x[:, 9]
        return x

    return draw(2000, 0.0), draw(1000, strength)


@_difference("20-D: common shift of all features")
def _(rng: np.random.Generator, strength: float) -> Pair:
    return rng.normal(size=(2000, 20)), rng.normal(size=(1000, 20)) + strength
