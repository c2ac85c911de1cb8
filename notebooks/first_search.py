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
# # A first search, in ten minutes
#
# You have simulated what you expect, and you have data. Do they agree? If not, how sure can you be, and where do they
# differ? This page goes through one search from beginning to end. It takes less than a minute of computing.
#
# All numbers are made here with NumPy, so you can change them and see what happens.

# %%
# %matplotlib inline
from pathlib import Path

import numpy as np

from nplm import KernelModel, NetworkModel, NPLMTest, Sample, expected_power, localize, write_sample
from nplm.localization import compared
from nplm.plot import plot_closure, plot_log_ratio, plot_marginal, plot_null, plot_pair
from nplm.sensitivity import closure

# %% [markdown]
# ## The reference: weighted events
#
# An event has two features, a mass and the cosine of an angle. The expected density falls like exp(-mass) and is
# proportional to 1 + cos². Our simulation draws more events at large mass than nature does, and flat in the angle.
# Weights set this right: each is the true density over the density that was drawn from. They are scaled to add up to
# the yield that we expect in the data, 2000 events.

# %%
rng = np.random.default_rng(5)
FEATURES = ["mass", "cos"]
EXPECTED = 2000

mass, cos = rng.exponential(1.5, 30_000), rng.uniform(-1, 1, 30_000)
weights = np.exp(-mass) / np.exp(-mass / 1.5) * (1 + cos**2)
weights *= EXPECTED / weights.sum()
reference = Sample(np.column_stack([mass, cos]), weights, FEATURES, name="simulation")
print(
    f"{len(reference):,} events, yield {reference.total_weight:.0f}, as good as {reference.effective_size:,.0f} events"
)

# %% [markdown]
# ## The data, with something hidden
#
# Data come as the truth has it: a Poisson number of unweighted events. We hide a narrow peak of 100 events at a mass of
# 2.4. The test is not told.


# %%
def draw_background(n: int) -> np.ndarray:
    """n events of the expected density; the angle by rejection."""
    cos = rng.uniform(-1, 1, 4 * n)
    cos = cos[rng.uniform(0, 2, 4 * n) < 1 + cos**2][:n]
    return np.column_stack([rng.exponential(1.0, n), cos])


def draw_peak(n: int) -> np.ndarray:
    """n events of the peak, isotropic."""
    return np.column_stack([rng.normal(2.4, 0.12, n), rng.uniform(-1, 1, n)])


observed = np.concatenate([draw_background(rng.poisson(EXPECTED)), draw_peak(100)])
data = Sample(observed, features=FEATURES, name="data")
print(f"{len(data):,} events of data")

# %% [markdown]
# ## The test
#
# `NPLMTest` compares the data with the reference over a whole family of alternatives, n(x) = n(x|R) exp f(x), and takes
# the f that describes the data best. Twice the gain in log-likelihood is t. Here f is a sum of Gaussian kernels of a
# width of one standard deviation. A width must be chosen before one looks at the data; several widths at once, with one
# p-value for all, are `MultipleTest(nplm.hypotest.kernel_widths(...))`.
#
# `run` fits the data and 100 toys, data sets that are drawn from the reference and fitted in the same way.

# %%
test = NPLMTest(reference, KernelModel(width=1.0, centers=150, reference_exact=True))
result = test.run(data, 100)
result

# %% [markdown]
# ## What the p-value stands on
#
# A hundred toys cannot show a p-value below 1 in 101. For a kernel model the distribution of t without a signal is
# known, the asymptotic null: a weighted sum of chi2 variables. Toys check it. If they follow it, the p-value is read
# from it; if not, toys are counted. The result says which.

# %%
print(result.calibration.kind, "| p of the toys against it:", f"{result.calibration.asymptotic_check:.2f}")
plot_null(result)

# %% [markdown]
# More toys make the check stricter. `calibrate="toys"` takes counted toys only, and `calibrate="importance"` draws toys
# where t is as large as in the data, which reaches five sigma with a few thousand of them.
#
# ## Look at the data
#
# Black points are data, blue is the reference, and orange is the reference times exp f: what the fit says that nature
# is. The fitted peak is broader than the one in the data, as the kernels are broader than it.

# %%
plot_marginal(test, data, result, "mass")

# %%
plot_marginal(test, data, result, "cos")

# %% [markdown]
# ## Where it is
#
# `localize` lists the events of largest f, and the boxes where the fit sees the largest excess and the largest deficit.
# With `left_out=True`, the default, it also fits without each feature, to say which of them matter. It shows where to
# look. It gives no significances, for the places were chosen after the data had been seen.

# %%
where = localize(test, data, result, left_out=False)
for region in where.regions:
    print(f"{region.kind:8s} {region.describe()}")
    print(f"         {region.events} events, {region.expected:.1f} expected, {region.fitted:.1f} fitted")

# %%
plot_pair(compared(test, data, result), "mass", "cos", where.regions)

# %% [markdown]
# The values of f at the events: most data are where f is about 0. Those to the right of it are the ones to look at.

# %%
plot_log_ratio(test, data, result)

# %% [markdown]
# ## A network instead
#
# A network with clipped weights is the other family. Its fit takes about a second for each toy, so here it sees only
# the mass, and there are only nine toys. Nine toys cannot show more than p = 1/10, and the result says so. The chi2
# that is named beside it is a good guess only where the clip was chosen for it (`nplm tune`).

# %%
mass_only = [Sample(s.events[:, :1], s.weights, ["mass"], name=s.name) for s in (reference, data)]
network = NPLMTest(mass_only[0], NetworkModel(hidden=(2,), clip=7, reference_exact=True)).run(mass_only[1], 9)
network

# %% [markdown]
# ## What would have been seen
#
# How large a peak does this test see? For kernel models that has an answer without toys: median Z, and where it lies in
# 68% of cases.

# %%
peak = Sample(draw_peak(2000), features=FEATURES, name="peak")
for at in expected_power(test, peak, [25, 50, 75, 100]):
    print(f"{at.events:4.0f} events: median Z {at.median_z:5.2f}, 68% in {at.band[0]:5.2f} .. {at.band[1]:5.2f}")

# %% [markdown]
# `closure` injects events into toys, fits them, and sets the result beside the best test that there could be, one that
# knows the peak. The difference is the price of not knowing what one looks for.


# %%
def known_ratio(events: np.ndarray) -> np.ndarray:
    """log of the peak's density over the background's, both normalized to one."""
    mass, cos = events.T
    log_peak = -0.5 * ((mass - 2.4) / 0.12) ** 2 - np.log(0.12 * np.sqrt(2 * np.pi)) - np.log(2)
    return log_peak - (-mass + np.log(3 / 8 * (1 + cos**2)))


injected = closure(test, peak, [50, 100], toys=40, ideal=known_ratio)
injected

# %%
plot_closure(injected)

# %% [markdown]
# ## The same as commands
#
# What was done above, commands do with files.

# %%
write_sample(reference, Path("reference.npz"))
write_sample(data, Path("data.npz"))
write_sample(peak, Path("peak.npz"))

# %% language="bash"
# nplm test data.npz --reference reference.npz --weights weight \
#     --model kernel --width 1.0 --centers 150 --toys 100 --quiet -o run1
# ls run1

# %% [markdown]
# `run1/report.html` has the pictures above, what the numbers stand on, and how to find them again. Two more commands
# say what would have been seen:
#
#     nplm power --reference reference.npz --weights weight --model kernel --width 1.0 --centers 150 \
#         --signal peak.npz --n 25,50,75,100
#     nplm closure --reference reference.npz --weights weight --model kernel --width 1.0 --centers 150 \
#         --signal peak.npz --n 50,100 --toys 40 -o closure
#
# ## What to read next
#
# - More on where data and reference differ: [Where](../docs/localize.md).
# - The reference is hardly ever exact: [Systematics](systematics.ipynb).
# - Two generators instead of data and reference: [Validating a generator](generator_validation.ipynb).
# - Run after run of a detector: [Data quality](data_quality.ipynb).
# - The statistics behind t and p: [The statistics](../docs/statistics.md).
# - How quick it is: [Measurements](../docs/measurements.md).

# %% [markdown]
# *The last cell checks that this page says the truth about the numbers above.*

# %%
assert result.calibration.kind == "analytic"
assert result.z > 3
assert where.excess is not None
assert where.excess.box.low[0] < 2.4 < where.excess.box.high[0]
assert network.p_value >= 0.1
assert all(at.sampled.median_z < at.ideal_z for at in injected.at)
