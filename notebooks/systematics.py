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
# # Systematics: when the reference itself is uncertain
#
# A simulation is never exact. If an energy scale is off by a few percent, data and reference differ, and a test that
# knows nothing of this finds a discovery that is none. Here we make such data, fall into the trap, and get out of it
# with nuisances. Then we add a signal and see that it is still found.
#
# You should have read [A first search](first_search.ipynb).

# %%
# %matplotlib inline
from pathlib import Path

import numpy as np

from nplm import GaussianConstraint, KernelModel, NPLMTest, Nuisances, Sample, write_sample
from nplm.learning import RatioSettings, learn_from_samples, write_ratio
from nplm.nuisance import Normalization, SumOfLogRatios, log_ratio
from nplm.plot import plot_learned_ratio, plot_marginal, plot_pulls

rng = np.random.default_rng(11)
EXPECTED = 2000

# %% [markdown]
# ## What may be wrong
#
# One feature, an energy, falls exponentially. Two things are uncertain, and each has a nuisance that is 0 where the
# reference is right as it is:
#
# - **scale**: all energies are multiplied by exp(scale). It is known to 0.1.
# - **lumi**: the yield is multiplied by exp(lumi). It is known to 0.03.


# %%
def draw(n: int, scale: float = 0.0) -> np.ndarray:
    """n energies at a value of the scale."""
    return np.exp(scale) * rng.exponential(1.0, n)


def simulate(scale: float, n: int = 30_000) -> Sample:
    """A simulated sample whose weights add up to the expected yield."""
    return Sample(draw(n, scale), np.full(n, EXPECTED / n), ["energy"], name=f"scale {scale:+g}")


reference = simulate(0.0)
varied = [({"scale": nu}, simulate(nu)) for nu in (-0.2, 0.2)]

# %% [markdown]
# The data are drawn at scale = 0.15 and lumi = 0.02. That is 1.5 and 0.7 standard deviations away from what is known:
# nothing unusual, and nothing new.

# %%
TRUE = {"scale": 0.15, "lumi": 0.02}


def observe(signal: int = 0) -> Sample:
    """Data at the true nuisances, with a narrow peak of a number of events at an energy of 4."""
    background = draw(rng.poisson(EXPECTED * np.exp(TRUE["lumi"])), TRUE["scale"])
    return Sample(np.concatenate([background, rng.normal(4.0, 0.15, signal)]), features=["energy"], name="data")


data = observe()
print(f"{len(data):,} events of data, {EXPECTED:,} expected")

# %% [markdown]
# ## Without nuisances: a discovery that is none

# %%
model = KernelModel(width=0.7, centers=150, reference_exact=True)
naive_test = NPLMTest(reference, model)
naive = naive_test.run(data, 100)
print(naive)

# %%
plot_marginal(naive_test, data, naive, "energy")

# %% [markdown]
# More than five sigma, with nothing there but a wrong scale. The picture shows it: too few events at small energies,
# too many at large ones, smoothly. No amount of toys helps, as they are all drawn from the wrong reference.
#
# ## What a nuisance does to the events
#
# We need the ratio r(x; nu) of the density at nu to that at 0. Two more simulated samples, at scale = -0.2 and +0.2,
# show it. Classifiers learn from them
#
#     log r(x; nu) = nu d1(x) + nu² d2(x) / 2
#
# with a small ensemble of networks for d1 and d2. A fifth of the events is kept aside to check what was learned.

# %%
learned = learn_from_samples(reference, varied, settings=RatioSettings(hidden=(6,), members=3))
assert learned.validation is not None
for check in learned.validation.checks:
    print(check.describe())
print("passed" if learned.validation.passed else "FAILED")

# %%
plot_learned_ratio(learned, "scale")

# %% [markdown]
# Points are the varied samples, which were not used to learn, and lines the reference with weights w r. They agree. A
# ratio that fails such a check is refused by the test.
#
# Here we know the answer, log r = -nu - x (exp(-nu) - 1), and can compare at the true scale:

# %%
x = np.array([0.1, 0.5, 1.0, 2.0, 4.0])
exact = -TRUE["scale"] - x * np.expm1(-TRUE["scale"])
found = log_ratio(learned, x[:, None], {"scale": TRUE["scale"]})
for row in zip(x, exact, found, strict=True):
    print("energy {:.1f}: log r = {:+.3f}, learned {:+.3f}".format(*row))

# %% [markdown]
# ## With nuisances
#
# `Nuisances` holds what the nuisances do, and what is known of them. The yield needs no learning. t is now the
# difference of two fits:
#
# - **tau**: f and nu together, against the reference as given,
# - **Delta**: nu alone.
#
# t = tau - Delta is what f explains *beyond* what nuisances can explain. It does not depend on the true nu, to the
# order that matters. So toys at the nu that Delta finds in the data calibrate it.

# %%
ratio = SumOfLogRatios([learned, Normalization("lumi")])
nuisances = Nuisances(ratio, GaussianConstraint(("scale", "lumi"), [0.1, 0.03]))
test = NPLMTest(reference, model, nuisances=nuisances)
result = test.run(data, 100)
print(result)

# %% [markdown]
# Nothing is left. tau is about as large as t was without nuisances, but Delta explains nearly all of it.
#
# ## Pulls and impacts
#
# What did the nuisances do? The pull is how far the data move each nuisance from what was known, in units of that
# uncertainty. The impact is how much larger t would be if the nuisance were known to be exactly 0.

# %%
summary = result.nuisances
assert summary is not None
for i, name in enumerate(summary.names):
    print(f"{name:6s} true {TRUE[name]:+.2f}, fitted {summary.nu[i]:+.3f} +- {summary.errors[i]:.3f}")
plot_pulls(summary)

# %% [markdown]
# The scale is fitted close to the truth, and with a much smaller error than its constraint: the data know it better.
# Its impact is nearly all of the false discovery. When you see such an impact, ask whether the pull is plausible. Here
# it is less than two standard deviations, which is. A pull above three is named as a caution. Fitted together with f
# (the open squares), the scale goes back towards what is known of it, as f can take the shape as well.
#
# ## Does t forget the true nu?
#
# Forty data sets at each of five true scales, each with a measured scale that fluctuates around the truth. The mean of
# t without nuisances grows with the square of the shift. With nuisances it stays.


# %%
def data_at(scale: float) -> Sample:
    """Data at a true scale, with the auxiliary measurements of an experiment there."""
    events = Sample(draw(rng.poisson(EXPECTED), scale), features=["energy"], name="toy")
    return events.with_auxiliary(rng.normal([scale, 0.0], [0.1, 0.03]))


print(" scale   t without      t with")
mean_t = {}
for scale in (-0.2, -0.1, 0.0, 0.1, 0.2):
    toys = [data_at(scale) for _ in range(40)]
    ignored, profiled = naive_test.fit(toys).t, test.fit(toys).t
    mean_t[scale] = ignored.mean(), profiled.mean()
    print(f"{scale:+6.1f} {ignored.mean():9.1f}     {profiled.mean():6.1f} +- {profiled.std() / np.sqrt(40):.1f}")

# %% [markdown]
# ## And a signal?
#
# The same with a narrow peak of 60 events at an energy of 4. No scale makes a peak, so t keeps it.

# %%
with_peak = observe(signal=60)
seen = test.run(with_peak, 100)
print(seen)

# %%
plot_marginal(test, with_peak, seen, "energy")

# %% [markdown]
# Blue is now the reference at the nuisances that describe the data best, so that only the peak stands out.
#
# ## The same as commands
#
# `nplm learn learn.yaml -o learned` learns what a file asks for:
#
#     central: reference.npz
#     weights: weight
#     features: [energy]
#     nuisances:
#       scale:
#         sigma: 0.1
#         files: {-0.2: down.npz, 0.2: up.npz}
#     settings: {hidden: [6], members: 3}
#
# It writes the log-ratio with its checks to `learned/scale.npz`. We have it already, and write it there ourselves. A
# second file says what is known of the nuisances.

# %%
write_sample(reference, Path("reference.npz"))
write_sample(with_peak, Path("data.npz"))
Path("learned").mkdir(exist_ok=True)
write_ratio(Path("learned/scale.npz"), learned)
known = """\
learned: [learned/scale.npz]
sigma: {scale: 0.1}
normalizations: {lumi: 0.03}
"""
written = Path("nuisances.yaml").write_text(known)

# %% language="bash"
# nplm test data.npz --reference reference.npz --weights weight --nuisances nuisances.yaml \
#     --model kernel --width 0.7 --centers 150 --toys 100 --quiet -o run1

# %% [markdown]
# ## What to read next
#
# - All kinds of log-ratios and constraints, and toys at any nu: [Nuisances](../docs/nuisances.md).
# - If there are event weights for each variation, learn from them: they know d1 better (`learn_from_weights`).
# - The method: [arXiv:2111.13633](https://arxiv.org/abs/2111.13633).
# - Two generators against each other: [Validating a generator](generator_validation.ipynb).

# %% [markdown]
# *The last cell checks that this page says the truth about the numbers above.*

# %%
assert naive.z > 5
assert learned.validation.passed
assert np.abs(found - exact).max() < 0.1
assert result.p_value > 0.05
assert abs(summary.nu[0] - TRUE["scale"]) < 4 * summary.errors[0]
assert seen.z > 3
assert max(with_nu for _, with_nu in mean_t.values()) < 2 * min(with_nu for _, with_nu in mean_t.values())
assert mean_t[0.2][0] > 3 * mean_t[0.0][0]
