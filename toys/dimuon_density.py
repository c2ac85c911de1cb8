"""The density of dimuon events in their features, for muons that no cut has shaped.

A dimuon of mass m, transverse momentum pT and rapidity y that decays at the Collins-Soper angles theta and phi has the
density f(m) p(pT|m) p(y|pT, m) (3/16 pi) (1 + cos^2 theta), see `toys.dimuon`. Two-body phase space turns it into that
of the muons: with massless muons

    pt1 dpt1 deta1 dphi1 pt2 dpt2 deta2 dphi2  is proportional to  m dm pT dpT dPhi dy dcos(theta) dphi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from toys.dimuon import COLLISION_ENERGY, Process, invariant_mass


@dataclass(frozen=True)
class MuonDensity:
    """log density of (pt1, pt2, eta1, eta2, dphi), up to a constant, symmetric in the two muons.

    Arguments:
        process: with the spectrum f(m); its cuts on muons are to be open.
    """

    process: Process

    def __call__(self, events: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, " n"]:
        """log p at events; -inf below the spectrum's lowest mass."""
        pt1, pt2, eta1, eta2, dphi = events.T
        m = invariant_mass(events)
        # pT^2 and m_T of the dimuon, and its rapidity.
        pt_square = (pt1 - pt2) ** 2 + 4 * pt1 * pt2 * np.cos(dphi / 2) ** 2
        m_t = np.sqrt(m**2 + pt_square)
        y = np.log((pt1 * np.exp(eta1) + pt2 * np.exp(eta2)) / (pt1 * np.exp(-eta1) + pt2 * np.exp(-eta2))) / 2
        cos = 2 * pt1 * pt2 * np.sinh(eta1 - eta2) / (m * m_t)
        in_spectrum = m >= self.process.cuts.min_mass
        with np.errstate(divide="ignore"):
            spectrum = np.where(in_spectrum, np.log(self.process.mass_density(m)), -np.inf)
            jacobian = np.log(pt1 * pt2 / (m * np.sqrt(pt_square)))
            return spectrum + _log_motion(m, pt_square, y) + np.log1p(cos**2) + jacobian


def _log_motion(
    m: Float64[np.ndarray, " n"], pt_square: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """log p(pT|m) p(y|pT, m), as `toys.dimuon.draw_dimuons` draws them."""
    s, root_s = COLLISION_ENERGY**2, COLLISION_ENERGY
    scale = 100.0 * m / 91.0
    largest = ((s - m**2) / (2 * root_s)) ** 2 / scale
    y_max = np.arccosh(np.maximum((s + m**2) / (2 * root_s * np.sqrt(m**2 + pt_square)), 1.0))
    of_pt = np.log(pt_square) / 2 - np.log(scale) - 2 * np.log1p(pt_square / scale) + np.log1p(1 / largest)
    return of_pt + np.log(np.maximum(1 - (y / y_max) ** 2, 0.0)) - np.log(y_max)
