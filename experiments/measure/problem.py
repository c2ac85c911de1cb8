"""Three features whose means, widths and correlation are fitted, and what the model may lack."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

NAMES = ("mean 0", "width 0", "mean 1", "width 1", "correlation")
TRUTH = np.zeros(5)


def draw(rng: np.random.Generator, n: int, theta: Float64[np.ndarray, " 5"]) -> Float64[np.ndarray, "n 3"]:
    """Events: the first two features are correlated normal, the third is standard normal."""
    mean_0, width_0, mean_1, width_1, rho = theta
    z = rng.normal(size=(n, 3))
    z[:, 1] = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    return np.column_stack([mean_0 + np.exp(width_0) * z[:, 0], mean_1 + np.exp(width_1) * z[:, 1], z[:, 2]])


def log_density(x: Float64[np.ndarray, "n 3"], theta: Float64[np.ndarray, " 5"]) -> Float64[np.ndarray, " n"]:
    """Its logarithm, but for a constant."""
    mean_0, width_0, mean_1, width_1, rho = theta
    a, b = (x[:, 0] - mean_0) * np.exp(-width_0), (x[:, 1] - mean_1) * np.exp(-width_1)
    square = (a**2 - 2 * rho * a * b + b**2) / (1 - rho**2)
    return np.asarray(-width_0 - width_1 - 0.5 * np.log(1 - rho**2) - 0.5 * square - 0.5 * x[:, 2] ** 2)


def scores(x: Float64[np.ndarray, "n 3"], theta: Float64[np.ndarray, " 5"], free: int) -> Float64[np.ndarray, "n K"]:
    """Its derivatives by the first so many parameters."""
    steps = 1e-5 * np.eye(5)[:free]
    return np.column_stack([(log_density(x, theta + h) - log_density(x, theta - h)) / 2e-5 for h in steps])


def fitted(x: Float64[np.ndarray, "n 3"], free: int) -> Float64[np.ndarray, " 5"]:
    """The maximum of the likelihood in the first so many parameters, the others at 0; exact for 0, 1, 3 (where they
    do not share a feature's likelihood), and 5."""
    own = np.array(
        [x[:, 0].mean(), np.log(x[:, 0].std()), x[:, 1].mean(), np.log(x[:, 1].std()), np.corrcoef(x.T)[0, 1]]
    )
    return np.where(np.arange(5) < free, own, 0.0)


def data(rng: np.random.Generator, n: int, lacking: str, strength: float) -> Float64[np.ndarray, "n 3"]:
    """Data of the model, or with something that it lacks.

    Arguments:
        rng: generator.
        n: events.
        lacking: "nothing", "component" (a share of the events in a narrow peak in all features), "peak" (a share of
            them in a narrower one in the first feature alone), "resolution" (the third feature wider by a share) or
            "correlation" (of the first with the third feature).
        strength: of it.
    """
    x = draw(rng, n, TRUTH)
    if lacking == "component":
        peak = rng.random(n) < strength
        x[peak] = rng.normal(1.2, 0.25, (int(peak.sum()), 3))
    elif lacking == "peak":
        peak = rng.random(n) < strength
        x[peak, 0] = rng.normal(1.2, 0.08, int(peak.sum()))
    elif lacking == "resolution":
        x[:, 2] *= 1 + strength
    elif lacking == "correlation":
        x[:, 2] = strength * x[:, 0] + np.sqrt(1 - strength**2) * x[:, 2]
    return x
