"""Power of the kernel model on set-up A for three signals, at seven widths and with the smallest p-value of six."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

from experiments.experiment import Check, read_config
from experiments.kernel_power_1d.ensembles import AtWidth, run_toys
from experiments.kernel_power_1d.min_p import MIN_P, MinPNull, statistics
from experiments.kernel_power_1d.picture import Point, draw
from nplm import MultipleTest
from nplm.plot import style
from nplm.stats import EmpiricalNull, Power, signal_power
from nplm.stats.null import Null
from nplm.stats.precision import error_of_z
from nplm.wording.markdown import markdown_table
from toys.exponential import SIGNALS, ideal_z

THRESHOLDS = (2.0, 3.0)
MIN_P_NAME = "min-p"
# P(Z >= 2) and P(Z >= 3) of the bulk peak; their toys had a reference and centres of their own each.
PUBLISHED = {"0.7": (0.913, 0.702), MIN_P_NAME: (0.877, 0.659)}
PUBLISHED_GRID = [0.01, 0.3, 0.7, 1.4, 4.5, 9.0]
# Error of the published powers from counting signal toys, and the null toys that their thresholds rest on.
PUBLISHED_ERROR, PUBLISHED_TOYS = 0.011, 4000
ERRORS = 2.0
# A median Z is counted if at least so many null toys exceed it.
KNOWN = 10


@dataclass(frozen=True)
class Row:
    """One test, a width or the combination of several, with its null and the statistic of the signal toys.

    Arguments:
        name: the width, or what combines several.
        null: counted from toys.
        signals: t, or T of the combination, of the toys of each signal.
        asymptotic_z: Z of the median of each signal by the asymptotic null.
        beyond: share of null toys beyond 2 and 3 sigma of the asymptotic null, and the error of each.
    """

    name: str
    null: Null
    signals: Mapping[str, Float64[np.ndarray, " m"]]
    asymptotic_z: Mapping[str, float]
    beyond: tuple[tuple[float, float], ...]

    def power(self, signal: str) -> Power:
        """P(Z >= 2), P(Z >= 3) and the median Z."""
        return signal_power(self.null, self.signals[signal], THRESHOLDS, ideal_z=ideal_z(SIGNALS[signal]))

    def share(self, signal: str, threshold: int) -> tuple[float, float]:
        """The power at a threshold and its error, from the numbers of signal and of null toys; NaN if not known."""
        at = self.power(signal).at[threshold]
        if at.power is None or at.interval is None or at.null_interval is None:
            return np.nan, np.nan
        from_signal, from_null = (high - low for low, high in (at.interval, at.null_interval))
        return at.power, float(np.hypot(from_signal, from_null)) / 2

    def median(self, signal: str) -> tuple[float, float] | None:
        """The median Z by counting and its error, from both numbers of toys; None where too few null toys exceed."""
        middle = float(np.median(self.signals[signal]))
        p, (p_low, p_high) = self.null.pvalue(middle), self.null.interval(middle)
        # The square of the relative error is one over the number of exceeding toys.
        if p_high - p_low > 2 * p / np.sqrt(KNOWN):
            return None
        from_null = float(norm.isf(p_low) - norm.isf(p_high)) / 2
        low, high = self.power(signal).median_interval
        return float(norm.isf(p)), float(np.hypot(from_null, (high - low) / 2))


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Fits null and signal toys at each width; a second run goes on where the first ended.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("kernel_power_1d", short)
    widths = run_toys(work, config)
    combined = [at for at in widths if at.width in config["combined"]]
    minimum, fewer = _combined(combined)
    rows = [*(_alone(at) for at in widths), minimum]
    points = [_point(row, name) for row in rows for name in SIGNALS]
    shutil.copy(style.save_figure(draw(points), work / "kernel-power")[0], results)
    grid = ", ".join(f"{at.width:g}" for at in combined)
    text = "\n\n".join(
        [
            "Null toys, fitted in full at each width, beside the asymptotic null, and how many of them lie"
            " beyond what is 2 and 3 sigma by the asymptotic null. The asymptotic null is that for references that"
            " fluctuate, and these toys are compared with one: what this one is off by is in the differences too.",
            markdown_table(_NULL_HEAD, [_null_row(at, row) for at, row in zip(widths, rows, strict=False)]),
            f"The smallest p-value of the widths {grid} is compared with {minimum.null.describe()}. Beyond 2 and 3"
            " sigma of the joint normal distribution of these tests, which needs no toys, are"
            f" {_beyond(minimum)[0]} and {_beyond(minimum)[1]} times as many as it says.",
            f"Power with thresholds from counted null toys; {config['signal_toys']} toys of each signal. The errors"
            " are those of both numbers of toys.",
            markdown_table(_POWER_HEAD, [_power_row(row) for row in rows]),
            f"From the {len(combined[0].null):,} toys alone that were fitted at all of the widths, the smallest"
            f" p-value has {_share(fewer, 'bulk', 0)} and {_share(fewer, 'bulk', 1)} for the bulk peak.",
            f"Median Z, counted where {KNOWN} null toys or more lie beyond it, and by the asymptotic null (for min-p:"
            " the joint normal distribution).",
            markdown_table(_MEDIAN_HEAD, [*(_median_row(row) for row in rows), _ideal_row()]),
            "![Median Z and power against the width](kernel-power.png)",
        ]
    )
    return text, _checks(rows, config["combined"])


def _alone(at: AtWidth) -> Row:
    z = {name: at.asymptotic.z(float(np.nanmedian(t))) for name, t in at.signals.items()}
    good = at.null[~np.isnan(at.null)]
    beyond = [
        _ratio((good >= at.asymptotic.threshold_of_z(threshold)).mean(), threshold, len(good))
        for threshold in THRESHOLDS
    ]
    return Row(f"{at.width:g}", EmpiricalNull(at.null), at.signals, z, tuple(beyond))


def _combined(widths: list[AtWidth]) -> tuple[Row, Row]:
    """The smallest p-value of several widths; and the same with the toys alone that all widths have fitted."""
    null = MinPNull.of(widths)
    signals = {name: statistics(widths, [at.signals[name] for at in widths]) for name in SIGNALS}
    asymptotic = MultipleTest([at.test for at in widths], MIN_P.name).global_null()
    z = {}
    for name, t in signals.items():
        middle = int(np.argsort(t)[len(t) // 2])
        z[name] = asymptotic.global_p(np.array([at.signals[name][middle] for at in widths])).z
    # T that has this p by the joint distribution, from its draws.
    drawn = asymptotic.statistics(asymptotic.joint.draw(asymptotic.draws, asymptotic.seed))
    beyond = []
    for threshold in THRESHOLDS:
        at_asymptotic = np.quantile(drawn, norm.cdf(threshold))
        p, error = null.pvalue(at_asymptotic), (null.interval(at_asymptotic)[1] - null.interval(at_asymptotic)[0]) / 2
        expected = float(norm.sf(threshold))
        error = float(np.hypot(error, np.sqrt(expected / asymptotic.draws)))
        beyond.append((p / expected, error / expected))
    whole = np.maximum(null.others[: len(null.first)], null.first)
    fewer = EmpiricalNull(np.where(np.isinf(whole), np.nan, whole))
    return (
        Row(MIN_P_NAME, null, signals, z, tuple(beyond)),
        Row(MIN_P_NAME, fewer, signals, z, ()),
    )


def _ratio(share: float, z: float, toys: int) -> tuple[float, float]:
    expected = float(norm.sf(z))
    return float(share) / expected, float(np.sqrt(share * (1 - share) / toys)) / expected


_NULL_HEAD = ["width", "null toys", "failed", "mean t", "asymptotic null", "sd", "asymptotic null"]
_NULL_HEAD += ["beyond 2 sigma / asymptotic null", "beyond 3 sigma / asymptotic null"]


def _null_row(at: AtWidth, row: Row) -> list[str]:
    good = at.null[~np.isnan(at.null)]
    return [
        row.name,
        f"{len(at.null):,}",
        str(len(at.null) - len(good)),
        f"{good.mean():.3f} +- {good.std() / np.sqrt(len(good)):.3f}",
        f"{at.asymptotic.mean:.3f}",
        f"{good.std(ddof=1):.3f}",
        f"{at.asymptotic.sd:.3f}",
        *_beyond(row),
    ]


def _beyond(row: Row) -> list[str]:
    return [f"{ratio:.3f} +- {error:.3f}" for ratio, error in row.beyond]


_POWER_HEAD = ["width", *(f"{name}: P(Z >= {z:g})" for name in SIGNALS for z in THRESHOLDS)]
_POWER_HEAD += [f"published, bulk: P(Z >= {z:g})" for z in THRESHOLDS]


def _power_row(row: Row) -> list[str]:
    published = PUBLISHED.get(row.name)
    known = [f"{power} +- {PUBLISHED_ERROR}" for power in published] if published else [""] * len(THRESHOLDS)
    return [row.name, *(_share(row, name, i) for name in SIGNALS for i in range(len(THRESHOLDS))), *known]


def _share(row: Row, signal: str, threshold: int) -> str:
    power, error = row.share(signal, threshold)
    return "beyond these null toys" if np.isnan(power) else f"{power:.3f} +- {error:.3f}"


_MEDIAN_HEAD = ["width", *(f"{name}, {how}" for name in SIGNALS for how in ("counted", "asymptotic null"))]


def _median_row(row: Row) -> list[str]:
    cells = [row.name]
    for name in SIGNALS:
        known = row.median(name)
        cells.append("beyond" if known is None else f"{known[0]:.2f} +- {known[1]:.2f}")
        cells.append(f"{row.asymptotic_z[name]:.2f}")
    return cells


def _ideal_row() -> list[str]:
    return ["knows the signal", *(cell for signal in SIGNALS.values() for cell in ("", f"{ideal_z(signal):.2f}"))]


def _point(row: Row, signal: str) -> Point:
    return Point(
        row.name, signal, row.median(signal), row.asymptotic_z[signal], row.share(signal, 1), ideal_z(SIGNALS[signal])
    )


def _checks(rows: list[Row], combined: list[float]) -> list[Check]:
    """Powers within the errors of both, or above; and no test better than the one that knows the signal."""
    checks = []
    for row in rows:
        if row.name not in PUBLISHED or (row.name == MIN_P_NAME and combined != PUBLISHED_GRID):
            continue
        for i, (z, published) in enumerate(zip(THRESHOLDS, PUBLISHED[row.name], strict=True)):
            power, error = row.share("bulk", i)
            theirs = float(np.hypot(PUBLISHED_ERROR, _from_threshold(row, z)))
            least = published - ERRORS * float(np.hypot(error, theirs))
            what = f"{row.name}, bulk: P(Z >= {z:g})"
            checks.append(Check(what, power, error, least, 1.0, f"{published} +- {theirs:.3f}, published"))
    for name, signal in SIGNALS.items():
        best = max(rows, key=lambda row: row.asymptotic_z[name])
        ideal = ideal_z(signal)
        what = f"{name}: largest median Z, of {best.name}"
        checks.append(Check(what, best.asymptotic_z[name], 0.0, 0.0, ideal, f"at most {ideal:.2f}, the ideal test's"))
    return checks


def _from_threshold(row: Row, z: float) -> float:
    """What the published power is uncertain by because its threshold lies between a few null toys."""
    moved = error_of_z(z, PUBLISHED_TOYS)
    low, high = (row.null.threshold(float(norm.sf(z + shift))) for shift in (-moved, moved))
    t = row.signals["bulk"]
    shares = [float((t >= (np.inf if least is None else least)).mean()) for least in (low, high)]
    return (shares[0] - shares[1]) / 2
