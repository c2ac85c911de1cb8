"""The kernel model in the presence of a signal: the distribution of t, for either likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from nplm.data.averaged_weights import event_weight_of
from nplm.data.sample import Sample
from nplm.likelihood.log_linear import hessian_at
from nplm.models.kernel.moments import second_moment
from nplm.models.kernel.noncentral import ExpectedT, expected_t
from nplm.models.kernel.noncentral_finite import expected_with_signal

if TYPE_CHECKING:
    from nplm.models.kernel.fit import PreparedKernel


def with_signal(kernel: PreparedKernel, signal: Sample, data: Sample | None, *, normalized: bool) -> ExpectedT:
    """See `PreparedKernel.with_signal`."""
    if kernel.event_weight > 0:
        return _of_finite(kernel, signal, data, normalized)
    s = kernel.expected + kernel.sums(signal)
    # Events of the signal carry weights like those of the data.
    size = 1.0 if data is None else float(np.sum(data.weights**2) / data.total_weight)
    second = second_moment(kernel.modes, kernel.line, kernel.scaler(signal.events), size * signal.weights)
    covariance = kernel.covariance(data, False, normalized, False) + second[:-1, :-1]
    fits = kernel.fit_sums(s[None])
    b = fits.parameters[0]
    with jax.enable_x64(True):
        hessian = np.asarray(hessian_at(kernel.blocks, jnp.asarray(b)))
    return expected_t(float(fits.t[0]), b, hessian, kernel.modes.penalty, covariance)


def _of_finite(kernel: PreparedKernel, signal: Sample, data: Sample | None, normalized: bool) -> ExpectedT:
    held = kernel.blocks.centers is None
    events = kernel.features(signal.events) if held else kernel.scaler(signal.events)
    size = 1.0 if data is None else event_weight_of(data)
    return expected_with_signal(
        kernel.blocks,
        kernel.modes.penalty,
        (events, signal.weights),
        kernel.noise,
        kernel.events,
        size=size,
        event_weight=kernel.event_weight,
        normalized=normalized,
    )
