"""What each nuisance does to t."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample
from nplm.models.base import PreparedWithNuisances


def impacts(
    prepared: PreparedWithNuisances, data: Sample, t: float, converged: bool = True
) -> Float64[np.ndarray, " k"]:
    """t with nuisance i held, less t with all profiled, for each i.

    It is held at 0 in tau, in Delta and in the auxiliary likelihood, which then says of the others what it says at
    nu_i = 0. So a large impact is a difference between data and reference that nuisance i can explain, and that t would
    count if nu_i were known to be 0. One more fit for each nuisance, by the code that was compiled for that of the
    data.

    Arguments:
        prepared: model and reference with nuisances.
        data: the sample that was tested.
        t: of its fit.
        converged: whether that has.

    Returns:
        One number for each nuisance; NaN where the fit has no t, or did not converge although that of the data did.
    """
    held = [prepared.fit([data], held=(name,)) for name in prepared.profile.nuisances.names]
    usable = np.array([bool(fits.converged[0]) or not converged for fits in held])
    return np.where(usable, np.array([fits.t[0] for fits in held]) - t, np.nan)
