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
# # Data quality, window after window
#
# A detector takes data all day. Somebody must notice when a channel dies or a gain drifts, and must not be woken for
# nothing. A monitor compares each window of data with a reference run, shape and rate, and says how often it raises a
# false alarm. Here is a day with a drift and a dead channel.
#
# You should have read [A first search](first_search.ipynb).

# %%
# %matplotlib inline
from pathlib import Path

import numpy as np

from nplm import KernelModel, Monitor, Sample, write_sample
from nplm.monitor import ControlLimits, pvalue_distribution
from nplm.monitor.history import read_history
from nplm.monitor.page import drift_limits
from nplm.monitor.picture import draw_distribution, draw_history

rng = np.random.default_rng(4)
RATE = 500

# %% [markdown]
# ## The reference run
#
# A small detector has a ring of cells. A hit has a charge and the angle of its cell. The reference run is long, and was
# good.


# %%
def take(n: int, gain: float = 1.0, dead: tuple[float, float] | None = None) -> np.ndarray:
    """n hits, less those in a dead sector of angles."""
    charge, angle = gain * rng.gamma(4.0, 0.25, n), rng.uniform(-np.pi, np.pi, n)
    hits = np.column_stack([charge, angle])
    return hits if dead is None else hits[(angle < dead[0]) | (angle > dead[1])]


reference = Sample(take(50_000), features=["charge", "angle"], name="reference run")

# %% [markdown]
# ## The monitor
#
# 500 hits are expected in each window, one window every fifteen minutes. `ControlLimits.per_day` takes what matters to
# those on shift: one false alarm in two days, of all charts together. They are shared by four charts: shape and rate of
# single windows, and their drifts.
#
# A drift chart is a cumulative sum. It adds up Z, window after window, and forgets what is below half of the shift that
# it is made for. A shift too small for a single window adds up.

# %%
limits = ControlLimits.per_day(false_alarms=0.5, windows=96)
monitor = Monitor(reference, KernelModel(width=1.0, centers=100), limits=limits, expected_rate=RATE)
print(f"{limits.alpha:.4f} false alarms a window; a single window alarms at p < {limits.of_chart(monitor.tests):.5f}")

# %% [markdown]
# ## A day
#
# - windows 0 to 39: all is well,
# - windows 40 to 59: the gain drifts upwards, by 0.5% a window,
# - windows 60 to 69: repaired,
# - windows 70 to 73: a sixth of the ring is dead,
# - windows 74 to 79: repaired.


# %%
def window(number: int) -> np.ndarray:
    """The hits of one window of the day."""
    gain = 1 + 0.005 * (number - 39) if 40 <= number < 60 else 1.0
    dead = (0.3, 0.3 + 2 * np.pi / 6) if 70 <= number < 74 else None
    return take(rng.poisson(RATE), gain, dead)


day = [window(number) for number in range(80)]
verdicts = list(monitor.watch(day))
for verdict in verdicts:
    if verdict.alarms:
        print(f"window {verdict.row}: {', '.join(verdict.alarms)}")
        print(f"    {verdict.message}")

# %% [markdown]
# ## The history
#
# Each verdict has p of shape and rate, and the cumulative sums. The picture has the limits too.

# %%
draw_history(verdicts, limits.of_chart(monitor.tests), drift_limits(monitor, RATE))

# %% [markdown]
# The drift is seen by the cumulative sum of the shape before any single window is out of its limit. Nobody told the
# monitor what a drift of the gain looks like. The dead sector is seen at once: a sixth of the hits is missing, in one
# place.
#
# ## False alarms, as stated
#
# Is the promise kept? Six hundred good windows, with limits that allow many false alarms, so that there is something to
# count.

# %%
often = Monitor(
    reference,
    monitor.model,
    limits=ControlLimits(alpha=0.04, drift=False),
    expected_rate=RATE,
)
good = list(often.watch(take(rng.poisson(RATE)) for _ in range(600)))
alarms = sum(len(verdict.alarms) for verdict in good)
print(f"{alarms} false alarms in {len(good)} windows, {0.04 * len(good):.0f} expected")

# %% [markdown]
# And the p-values of good windows are uniform. All windows share one reference, whose own fluctuation moves all of
# their p-values a little to one side, here to the right: what is stated holds on average over references. If p-values
# pile up at 0 or at 1, errors are wrong, and `pvalue_distribution` says by which factor.

# %%
verdict = good[0]
assert verdict.t_mean is not None
assert verdict.t_sd is not None
found = pvalue_distribution([v.p_shape for v in good], degrees_of_freedom=2 * (verdict.t_mean / verdict.t_sd) ** 2)
print(found.sentence)
draw_distribution([v.p_shape for v in good], found, "shape")

# %% [markdown]
# ## The same as a command
#
# `nplm monitor` watches a folder, or a stream on standard input. It writes a history and a page that renews itself, and
# goes on where it was if it is stopped. Its exit code is 7 if there was an alarm.

# %%
Path("runs").mkdir(exist_ok=True)
write_sample(reference, Path("reference.npz"))
for number, hits in enumerate(day[60:]):
    write_sample(Sample(hits, features=["charge", "angle"]), Path(f"runs/run{60 + number}.npz"))

# %% language="bash"
# nplm monitor reference.npz --folder runs --expected-rate 500 --width 1.0 --centers 100 \
#     --false-alarms-per-day 0.5 --windows-per-day 96 --quiet -o quality > verdicts.jsonl || echo "exit code $?"
# grep -c '"ok"' verdicts.jsonl
# ls quality

# %% [markdown]
# `quality/monitor.html` is the page for the control room: the last window on top, the picture above, and the table of
# the last windows. `quality/history` holds all verdicts as Parquet files:

# %%


for verdict in read_history(Path("quality"), 12):
    print(
        f"{verdict.source:12s} {verdict.events:4d} events  p = {verdict.p:8.2g}  {verdict.status:8s} {verdict.message}"
    )

# %% [markdown]
# ## What to read next
#
# - Windows of a fixed number of events, overlapping windows, streams, and a reference that is replaced: [Data
#   quality](../docs/monitor.md).
# - A run against another run, both short: [Validating a generator](generator_validation.ipynb).

# %% [markdown]
# *The last cell checks that this page says the truth about the numbers above.*

# %%
alarmed = {verdict.row: verdict.alarms for verdict in verdicts if verdict.alarms}
first_drift = min(row for row, kinds in alarmed.items() if "shape drift" in kinds)
assert 40 <= first_drift < 60
assert not any("shape" in kinds for row, kinds in alarmed.items() if row < first_drift)
assert all("shape" in alarmed.get(row, ()) for row in range(70, 74))
assert not any(row < 40 for row in alarmed)
assert abs(alarms - 24) < 4 * np.sqrt(24)
assert found.uniform
