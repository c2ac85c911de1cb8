# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Validating a generator
#
# A fast generator has learned from a slow one. Is it good enough? And for how many events? Here the truth is a mixture
# of two Gaussians, and the surrogate is what a normalizing flow is: a smooth, invertible map of Gaussian noise, fitted
# to a training sample. Smooth maps cannot tear noise apart, so such surrogates put events between the modes.
#
# You need not have read the other tutorials.

# %%
# %matplotlib inline
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr

from nplm import Sample, validate, write_sample
from nplm.family import validate_matrix
from nplm.localization import Comparison, localize_samples
from nplm.plot import (
    plot_pair,
    plot_two_sample_marginal,
    plot_two_sample_matrix,
    plot_two_sample_null,
    plot_two_sample_sweep,
)
from nplm.two_sample import n_sweep

rng = np.random.default_rng(3)

# %% [markdown]
# ## Truth and surrogate


# %%
def draw_truth(n: int) -> np.ndarray:
    """n events of a mixture of two correlated Gaussians."""
    left = rng.multivariate_normal([-1.2, -0.6], [[0.4, 0.2], [0.2, 0.4]], n)
    right = rng.multivariate_normal([1.4, 0.9], [[0.3, -0.12], [-0.12, 0.18]], n)
    return np.where(rng.uniform(size=(n, 1)) < 0.4, right, left)


def fit_surrogate(training: np.ndarray, knots: int) -> Callable[[int], np.ndarray]:
    """A flow of two layers, fitted by quantiles and moments.

    u is a monotone spline of the noise z1 through quantiles of the training sample. v = m(u) + s(u) z2, with mean and
    standard deviation interpolated between slices of u. More knots are a more flexible flow.
    """
    z = np.linspace(-3, 3, knots)
    u = np.quantile(training[:, 0], ndtr(z))
    slope = np.diff(u)[[0, -1]] / np.diff(z)[[0, -1]]
    spline = PchipInterpolator([-6, *z, 6], [u[0] - 3 * slope[0], *u, u[-1] + 3 * slope[1]])
    slices = np.array_split(training[np.argsort(training[:, 0])], knots)
    centre, mean, sd = np.array([(part[:, 0].mean(), part[:, 1].mean(), part[:, 1].std()) for part in slices]).T

    def draw(n: int) -> np.ndarray:
        z1, z2 = rng.normal(size=(2, n))
        u = spline(z1)
        return np.column_stack([u, np.interp(u, centre, mean) + np.interp(u, centre, sd) * z2])

    return draw


def sample(events: np.ndarray, name: str) -> Sample:
    """Events with names."""
    return Sample(events, features=["u", "v"], name=name)


N = 1000
training = draw_truth(20_000)
truth = sample(draw_truth(N), "truth")
tunes = {f"{knots} knots": sample(fit_surrogate(training, knots)(N), f"{knots} knots") for knots in (5, 9, 33)}

# %% [markdown]
# The test sample is not the training sample. A surrogate that had learned its training events by heart would look
# perfect against them.
#
# ## Two samples, treated alike
#
# `validate` asks whether two finite samples are from one distribution. Neither is a reference: if they are exchanged,
# the answer is the same. Kernels of four widths, each with three penalties, make twelve tests, and one p-value accounts
# for all of them. It is counted by permuting the labels, which is exact for any number of events.

# %%
SETTINGS = {"centers": 60, "resamples": 499, "draws": 2000}
coarse = tunes["5 knots"]
result = validate(truth, coarse, **SETTINGS)
print(result)

# %%
plot_two_sample_null(result)

# %% [markdown]
# No permutation comes near, so Z is a lower limit, and the asymptotic null says beside it how large Z is.
#
# ## Where
#
# The fitted log-ratio f at each event says where the surrogate has too many events and where too few.

# %%
plot_two_sample_marginal(truth, coarse, result, "u")

# %%
comparison = Comparison(coarse, result.log_ratio_b, truth, result.log_ratio_a)
where = localize_samples(comparison)
for region in where.regions:
    print(f"{region.kind:8s} {region.describe()}: {region.events} events, {region.expected:.0f} expected")
plot_pair(comparison, "u", "v", where.regions)

# %% [markdown]
# Here the surrogate is the data and the truth the reference. There is the bridge between the modes, as announced.
#
# ## Several tunes
#
# A matrix compares each with each, and accounts for the number of pairs. A second sample of the truth is the control:
# it must agree with the first. Where p after this correction is 1, Z is below 0: no difference at all.

# %%
again = sample(draw_truth(N), "truth again")
matrix = validate_matrix({"truth": truth, "truth again": again, **tunes}, **SETTINGS)
print(matrix)

# %%
plot_two_sample_matrix(matrix)

# %% [markdown]
# ## How many events until it is told apart?
#
# That nothing is seen does not mean that nothing is there. With more events the finest tune would be found out as well.
# The sweep draws subsamples of several sizes and says where the median Z reaches 3 and 5. That number of events
# measures how good the surrogate is: it serves for analyses of fewer.

# %%
sweep = n_sweep(truth, coarse, [100, 200, 400], repeats=20, draws=2000, centers=60)
print(sweep)

# %%
plot_two_sample_sweep(sweep)

# %% [markdown]
# ## The same as commands

# %%
for name, events in (("truth", truth), ("coarse", coarse)):
    write_sample(events, Path(f"{name}.npz"))

# %% language="bash"
# nplm validate truth.npz coarse.npz --centers 60 --permutations 499 --quiet -o compared
# ls compared

# %% [markdown]
# ## What to read next
#
# - Weights, yields, bootstrap, and what the p-value stands on: [Two finite samples](../docs/validate.md).
# - Data against a reference that is large and known: [A first search](first_search.ipynb).
# - Run after run: [Data quality](data_quality.ipynb).

# %% [markdown]
# *The last cell checks that this page says the truth about the numbers above.*

# %%
assert result.calibration.limit
assert result.asymptotic is not None
assert result.asymptotic.z > 3
assert where.excess is not None
assert matrix.results["truth", "truth again"].p_value > 0.01
assert matrix.results["truth", "5 knots"].p_value < 0.01 < matrix.results["truth", "33 knots"].p_value
assert np.all(np.diff(sweep.median) > 0)
