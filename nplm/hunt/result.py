"""The result of a bump hunt, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri_exp

from nplm._util.json_values import json_value
from nplm.hunt.degree import Trend
from nplm.hunt.result_text import hunt_notes, hunt_text
from nplm.hunt.spectrum import Spectrum
from nplm.hunt.windows import Windows
from nplm.hypotest.saved import SavedResult

SCHEMA = "nplm-hunt/1"
Where = Literal["features", "spectrum"]


@dataclass(frozen=True)
class Dropped:
    """A window that is not looked at.

    Arguments:
        start, stop: its ends.
        reason: why not.
    """

    start: float
    stop: float
    reason: str


@dataclass(frozen=True, eq=False)
class InFeatures:
    """What the other features say.

    Arguments:
        local: log p of each window and kernel by itself, shape (J, K).
        kernels: widths and penalties in words.
        log_p: of the smallest one, accounting for all; NaN if the features change with m as no polynomial does.
        error: relative standard error of that p-value, from a finite number of draws.
    """

    local: Float64[np.ndarray, "J K"]
    kernels: tuple[str, ...]
    log_p: float
    error: float

    @property
    def leading(self) -> tuple[int, int]:
        """The window and the kernel with the smallest p-value."""
        j, k = np.unravel_index(int(self.local.argmin()), self.local.shape)
        return int(j), int(k)


@dataclass(frozen=True, eq=False)
class InSpectrum:
    """What the numbers of events in windows say.

    Arguments:
        local: log p of an excess in each window by itself, shape (J,).
        z: of its score; negative for a deficit, shape (J,).
        observed, expected: sums of v g in each window, and those of the smooth fit, shape (J,).
        log_p: of the smallest one, accounting for all; NaN if no smooth fit describes the spectrum.
    """

    local: Float64[np.ndarray, " J"]
    z: Float64[np.ndarray, " J"]
    observed: Float64[np.ndarray, " J"]
    expected: Float64[np.ndarray, " J"]
    log_p: float

    @property
    def leading(self) -> int:
        """The window with the smallest p-value."""
        return int(self.local.argmin())


@dataclass(frozen=True, eq=False)
class HuntResult(SavedResult):
    """The answer of `bump_hunt`.

    Arguments:
        log_p: log of the global p-value, of all windows, kernels and the spectrum; NaN if there is none.
        resonance: name of the resonant feature m.
        features: names of the others.
        windows: of m that were looked at.
        in_features, in_spectrum: what the other features say, and the spectrum of m.
        trend: the polynomials in m that describe how the other features change.
        spectrum: the smooth fit of the spectrum.
        dropped: windows that were not looked at.
        log_ratio: f, the log of the density over the smooth one in the window that leads in the other features, by one
            Newton step; zero outside of it, shape (n,).
        events: number of events.
        total: sum of their weights.
        seconds: wall time by stage: prepare, sums, null.
        seed: of centres and draws.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
    """

    log_p: float
    resonance: str
    features: tuple[str, ...]
    windows: Windows
    in_features: InFeatures
    in_spectrum: InSpectrum
    trend: Trend
    spectrum: Spectrum
    dropped: tuple[Dropped, ...]
    log_ratio: Float64[np.ndarray, " n"]
    events: int
    total: float
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]

    @property
    def p_value(self) -> float:
        """The p-value that accounts for all windows, kernels and the spectrum."""
        return float(np.exp(self.log_p))

    @property
    def pvalue(self) -> float:
        """`p_value` under the name that scipy.stats uses."""
        return self.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return z_of(self.log_p)

    @property
    def leads(self) -> Where:
        """Whether the other features or the spectrum have the smaller p-value."""
        return "spectrum" if self.in_spectrum.log_p < self.in_features.log_p else "features"

    @property
    def leading_window(self) -> int:
        """Number of the window that leads."""
        return self.in_spectrum.leading if self.leads == "spectrum" else self.in_features.leading[0]

    @property
    def local_p(self) -> float:
        """The p-value of the window that leads, by itself."""
        found = self.in_features if self.leads == "features" else self.in_spectrum
        return float(np.exp(found.local.min()))

    @property
    def notes(self) -> tuple[str, ...]:
        """Cautions that belong beside the numbers."""
        return hunt_notes(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-hunt/1, without what belongs to single events.

        Numbers that are not finite become None.
        """
        j = self.leading_window
        low, high = self.windows.ends(j)
        rows = zip(
            self.windows.centre,
            self.windows.sigma,
            self.in_features.local.min(axis=1),
            self.in_spectrum.local,
            self.in_spectrum.z,
            self.in_spectrum.observed,
            self.in_spectrum.expected,
            strict=True,
        )
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "p_value": self.p_value,
                "z": self.z,
                "leading": {
                    "in": self.leads,
                    "low": low,
                    "high": high,
                    "center": self.windows.centre[j],
                    "local_p": self.local_p,
                    "kernel": self.in_features.kernels[self.in_features.leading[1]]
                    if self.leads == "features"
                    else None,
                },
                "features": {
                    "names": self.features,
                    "p_value": np.exp(self.in_features.log_p),
                    "relative_error": self.in_features.error,
                },
                "spectrum": {
                    "p_value": np.exp(self.in_spectrum.log_p),
                    "degree": self.spectrum.degree,
                    "smooth": self.spectrum.enough,
                },
                "trend": {
                    "degree": self.trend.degree,
                    "taken_out": self.trend.taken_out,
                    "next_p_values": self.trend.p_values,
                    "enough": self.trend.enough,
                },
                "windows": [
                    {
                        "center": centre,
                        "sigma": sigma,
                        "features_p": np.exp(of_features),
                        "spectrum_p": np.exp(of_spectrum),
                        "spectrum_z": z,
                        "observed": observed,
                        "expected": expected,
                    }
                    for centre, sigma, of_features, of_spectrum, z, observed, expected in rows
                ],
                "dropped": [{"low": d.start, "high": d.stop, "reason": d.reason} for d in self.dropped],
                "resonance": self.resonance,
                "events": self.events,
                "yield": self.total,
                "seconds": sum(self.seconds.values()),
                "seconds_by_stage": self.seconds,
                "seed": self.seed,
                "versions": self.versions,
                "configuration": self.configuration,
                "notes": self.notes,
            }
        )
        return plain

    def __repr__(self) -> str:
        return hunt_text(self)


def z_of(log_p: float) -> float:
    """The one-sided Z-score of a p-value by its logarithm."""
    return float(-ndtri_exp(log_p)) if not np.isnan(log_p) else np.nan
