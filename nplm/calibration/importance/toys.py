"""Toys of a known signal f = b . phi: Poisson processes of intensity w exp(f) on the events of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import Rows
from nplm.likelihood.kernel_sums import kernel_blocks
from nplm.models.linear import PreparedLinear

# phi of the reference is held if it fills at most so many bytes; else it is computed for each toy's candidates.
_HELD_BYTES = 1 << 30
# Toys of a batch are drawn from so many envelopes at most. A candidate costs as much as so many events cost where f of
# so many toys at a time is taken at all events of the reference, whose rows are then read in order, by matrix products.
_ENVELOPES, _CANDIDATE, _TOGETHER = 24, 16, 32


class Toys(NamedTuple):
    """A toy for each of B signals: the sums of phi over its events, shape (B, r), and which events they are."""

    sums: Float64[np.ndarray, "B r"]
    rows: list[Int64[np.ndarray, " _"]]


@dataclass(frozen=True, eq=False)
class SignalToys:
    """Draws toys that are exact, whatever the signal, without visiting the whole reference for each.

    For b = v^1/2 z, f(x) = b . phi(x) <= |z| g(x) with g^2 = sum_i v_i phi_i^2. Candidates are drawn with the intensity
    w exp(l g) for a level l >= |z|, which toys of about the same |z| share, and kept with probability exp(f - l g).
    Where that would make too many candidates, as the toys are large or a few events have large phi, f is evaluated at
    all events instead.

    Arguments:
        prepared: the model.
        events: of the reference, of positive weight, in the coordinates of the model, shape (n, d).
        weights: w, shape (n,).
        phi: at all events, shape (n, r); None if it is computed where it is needed.
        scales: v^1/2 of the tilted modes, which come first, shape (m,).
        bound: g at all events, shape (n,).
    """

    prepared: PreparedLinear
    events: Float64[np.ndarray, "n d"]
    weights: Float64[np.ndarray, " n"]
    phi: Float64[np.ndarray, "n r"] | None
    scales: Float64[np.ndarray, " m"]
    bound: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, prepared: PreparedLinear, reference: Sample, variances: Float64[np.ndarray, " m"]) -> SignalToys:
        """The toys of a reference.

        Arguments:
            prepared: the kernel model with this reference.
            reference: without negative weights.
            variances: v_i of the tilted modes.
        """
        used = reference.weights > 0
        events, weights = prepared.scaler(reference.events[used]), reference.weights[used]
        modes, scales = prepared.modes, np.sqrt(variances)
        held = len(events) * modes.count * 8 <= _HELD_BYTES
        phi = modes(events) if held else None
        transform = modes.transform[:, : len(scales)] * scales
        bound = np.zeros(len(events))
        if phi is not None:
            bound[:] = np.sqrt(phi[:, : len(scales)] ** 2 @ variances)
        else:
            for rows, block in kernel_blocks(events, modes.centers, modes.width):
                bound[rows] = np.linalg.norm(block @ transform, axis=1)
        return cls(prepared, events, weights, phi, scales, bound)

    def features(self, rows: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k r"]:
        """phi at some events."""
        return self.prepared.modes(self.events[rows]) if self.phi is None else self.phi[rows]

    def events_of(self, rows: Int64[np.ndarray, " k"]) -> Rows:
        """phi at the events of a toy, or at the points that stand for them, with their weights."""
        ones = np.ones(len(rows))
        line = self.prepared.line
        return (self.features(rows), ones) if line is None else line.rows(self.events[rows], ones)

    def draw(self, rng: np.random.Generator, b: Float64[np.ndarray, "B m"]) -> Toys:
        """One toy for each signal."""
        norm = np.linalg.norm(b / self.scales, axis=1)
        step = norm.max() / _ENVELOPES
        level = np.ceil(norm / step) if step > 0 else norm
        sums = np.zeros((len(b), self.prepared.modes.count))
        events = [np.zeros(0, dtype=np.int64)] * len(b)
        for number in np.unique(level):
            toys = np.flatnonzero(level == number)
            # A little more than the norm, lest rounding put f above its bound.
            exponent = (number * step * (1 + 1e-9)) * self.bound
            with np.errstate(over="ignore"):
                cumulative = np.cumsum(self.weights * np.exp(exponent))
            if _CANDIDATE * cumulative[-1] > len(cumulative):
                sums[toys], found = self._draw_directly(rng, b[toys])
                for toy, rows in zip(toys, found, strict=True):
                    events[toy] = rows
                continue
            for toy in toys:
                rows = _rows(rng, cumulative)
                phi = self.features(rows)
                f = phi[:, : len(self.scales)] @ b[toy]
                kept = np.log1p(-rng.random(len(rows))) < f - exponent[rows]
                sums[toy], events[toy] = phi[kept].sum(axis=0), rows[kept]
        return Toys(sums, events)

    def _draw_directly(self, rng: np.random.Generator, b: Float64[np.ndarray, "B m"]) -> Toys:
        """The same, from the number of times that each event of the reference is drawn."""
        sums = np.zeros((len(b), self.prepared.modes.count))
        events: list[Int64[np.ndarray, " _"]] = []
        for start in range(0, len(b), _TOGETHER):
            at = slice(start, start + _TOGETHER)
            density = self._log_ratios(b[at])
            np.exp(density, out=density)
            density *= self.weights
            drawn = [_rows(rng, np.cumsum(row)) for row in density]
            sums[at] = self._sums(np.stack([_counts(rows, len(self.events)) for rows in drawn]))
            events += drawn
        return Toys(sums, events)

    def _log_ratios(self, b: Float64[np.ndarray, "B m"]) -> Float64[np.ndarray, "B n"]:
        """f of some signals at all events."""
        m = len(self.scales)
        if self.phi is not None:
            return b @ self.phi[:, :m].T
        modes = self.prepared.modes
        coefficients = b @ modes.transform[:, :m].T
        blocks = kernel_blocks(self.events, modes.centers, modes.width)
        return np.concatenate([coefficients @ block.T for _, block in blocks], axis=1)

    def _sums(self, counts: Float64[np.ndarray, "B n"]) -> Float64[np.ndarray, "B r"]:
        """sum of phi over the events, each taken so many times."""
        if self.phi is not None:
            return counts @ self.phi
        modes = self.prepared.modes
        blocks = kernel_blocks(self.events, modes.centers, modes.width)
        return np.add.reduce([counts[:, rows] @ block for rows, block in blocks]) @ modes.transform


def _counts(rows: Int64[np.ndarray, " k"], size: int) -> Float64[np.ndarray, " n"]:
    """How often each event occurs among those that were drawn."""
    return np.bincount(rows, minlength=size).astype(np.float64)


def _rows(rng: np.random.Generator, cumulative: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " k"]:
    """The events of a Poisson process with a given cumulative intensity."""
    places = np.sort(rng.random(rng.poisson(cumulative[-1]))) * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, places, side="right"), len(cumulative) - 1)
