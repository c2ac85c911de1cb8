"""The joint null distribution of t of several kernel models with the same reference, without toys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.linalg import block_diag

from nplm.data.averaged_weights import AveragedWeights
from nplm.data.coordinates import Coordinates, same_coordinates
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.models.kernel.moments import noise_of_averages
from nplm.models.kernel.null import covariance_of_sums, curvature_root, shape_yield
from nplm.models.kernel.quadrature_1d import Line
from nplm.models.linear import PreparedLinear
from nplm.stats.joint_weighted_chi2 import JointNull

# Events whose modes are evaluated at a time.
_ROWS = 16_384


def joint_null(
    kernels: Sequence[PreparedLinear],
    reference: Sample,
    data: Sample | None = None,
    *,
    shape_only: bool = False,
    normalized: bool = False,
    fixed_reference: bool = False,
) -> JointNull:
    """The distribution of t_1 ... t_K of K kernel models under the null, to second order in the fluctuations.

    The vectors u_m = sum_D v phi_m - sum_R w phi_m of all models are linear in the same events. Stacked, they tend to
    one normal vector, whose covariance has the blocks sum v^2 phi_m phi_l^T of the data, sum_R w^2 phi_m phi_l^T of the
    reference and the corrections of `PreparedKernel.null`, which gives the diagonal blocks; and t_m tends to
    u_m^T C_m u_m / (1 + rho). So the correlations of the t are those of their modes, and the price of looking at many
    widths is computed, not simulated.

    Arguments:
        kernels: the models, prepared with this reference.
        reference: with the weights that add up to N(R).
        data, shape_only, normalized, fixed_reference: see `PreparedKernel.null`.
    """
    weights, total = reference.weights, reference.total_weight
    sizes, maps = [kernel.modes.count for kernel in kernels], [kernel.scaler for kernel in kernels]
    averaged = None
    if kernels[0].event_weight > 0 and reference.has_negative_weights:
        averaged = AveragedWeights.of(kernels[0].scaler(reference.events), weights)
    information = _second_moment(kernels, reference, weights if averaged is None else averaged.weights)
    noise = None
    if not fixed_reference:
        used = weights[weights != 0]
        if (used == used[0]).all():
            noise = used[0] * information
        elif averaged is not None and kernels[0].scaler.dimension > 1:
            noise = noise_of_averages(
                lambda at: _columns(kernels, maps, reference.events[at]), sum(sizes) + 1, weights, averaged
            )
        else:
            noise = _second_moment(kernels, reference, weights**2)
    pooled = None
    if data is not None and not fixed_reference and all(kernel.event_weight > 0 for kernel in kernels):
        rho, scale = kernels[0].ratio(data, shape_only), total / data.total_weight if shape_only else 1.0
        of_data = _second_moment(kernels, data, scale * data.weights)
        pooled = ((information + rho * of_data) / (1 + rho))[:-1, :-1]
    covariance = covariance_of_sums(
        information,
        _second_moment(kernels, data, data.weights**2) if data is not None and data.is_weighted else None,
        noise,
        int(np.count_nonzero(weights)),
        shape_of=shape_yield(shape_only, data, total),
        normalized=normalized,
        pooled=pooled,
        event_weight=kernels[0].event_weight,
    )
    roots, stop = [], np.cumsum(sizes)
    for kernel, end in zip(kernels, stop, strict=True):
        mine = slice(end - kernel.modes.count, end)
        root = curvature_root(None if pooled is None else pooled[mine, mine], kernel.modes.penalty)
        roots.append(root / np.sqrt(1 + kernel.ratio(data, shape_only)))
    root = block_diag(*roots)
    return JointNull.of(root.T @ covariance @ root, sizes)


def _second_moment(
    kernels: Sequence[PreparedLinear], sample: Sample, weights: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "r_plus_1 r_plus_1"]:
    """sum_e v_e (phi_1, ..., phi_K, 1)(phi_1, ..., phi_K, 1)^T."""
    events, maps = sample.events, [kernel.scaler for kernel in kernels]
    if not isinstance(maps[0], Scaler) and all(same_coordinates(maps[0], other) for other in maps[1:]):
        # Coordinates that need not have an inverse take the place of the events.
        events, maps = maps[0](events), [Scaler.identity(maps[0].dimension)] * len(maps)
    affine = [each for each in maps if isinstance(each, Scaler)]
    if events.shape[1] == 1 and len(affine) == len(kernels):
        # In the cells of the narrowest kernel all modes are polynomials, and a few points stand for all events.
        modes, scaler = min(
            ((kernel.modes, each) for kernel, each in zip(kernels, affine, strict=True)),
            key=lambda kernel: kernel[0].width * float(kernel[1].scale[0]),
        )
        points, weights = Line.of(modes.centers, modes.width).gauss(scaler(events), weights)
        events = scaler.inverse(points)
    size = sum(kernel.modes.count for kernel in kernels) + 1
    total = np.zeros((size, size))
    for start in range(0, len(events), _ROWS):
        rows, v = events[start : start + _ROWS], weights[start : start + _ROWS]
        phi = _columns(kernels, maps, rows)
        total += (phi * v[:, None]).T @ phi
    return total


def _columns(
    kernels: Sequence[PreparedLinear], maps: Sequence[Coordinates], events: Float64[np.ndarray, "m d"]
) -> Float64[np.ndarray, "m r_plus_1"]:
    """(phi_1, ..., phi_K, 1) at events, which these maps take to the coordinates of each kernel."""
    phi = [kernel.modes(each(events)) for kernel, each in zip(kernels, maps, strict=True)]
    return np.column_stack([*phi, np.ones(len(events))])
