"""Kernel models with modes that are not there: one compiled fit serves references with different numbers of modes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import block_diag

from nplm.likelihood.log_linear import FEW_MODES

if TYPE_CHECKING:
    from nplm.models.kernel.fit import PreparedKernel

# The penalty of a mode that is not there: its c is 0 to rounding.
_PROHIBITIVE = 1e12
# Few modes are filled up to multiples of this; more to one of four numbers between two powers of two.
_STEP_OF_FEW = 8


def shared_multiple(count: int) -> int:
    """What to fill a number of modes up to multiples of, so that references of one kind share it."""
    return _STEP_OF_FEW if count <= FEW_MODES else 1 << (count.bit_length() - 3)


def filled_up(prepared: PreparedKernel, multiple: int) -> PreparedKernel:
    """The same model with modes that are zero everywhere, and so change no t."""
    modes, blocks, line = prepared.modes, prepared.blocks, prepared.line
    more = -modes.count % multiple
    transform = np.pad(modes.transform, ((0, 0), (0, more)))
    penalty = np.append(modes.penalty, np.full(more, _PROHIBITIVE))
    expected = np.append(prepared.expected, np.zeros(more))
    with jax.enable_x64(True):
        if blocks.transform is None:
            blocks = blocks._replace(x=jnp.pad(blocks.x, ((0, 0), (0, 0), (0, more))))
        else:
            blocks = blocks._replace(transform=jnp.asarray(transform), expected=jnp.asarray(expected))
    r = modes.count
    noise = block_diag(prepared.noise, np.zeros((more, more)))
    # The column of ones is the last one.
    order = [*range(r), *range(r + 1, r + 1 + more), r]
    return replace(
        prepared,
        modes=replace(modes, transform=transform, penalty=penalty),
        blocks=blocks,
        line=None if line is None else replace(line, phi=np.pad(line.phi, ((0, 0), (0, more)))),
        expected=expected,
        noise=noise[np.ix_(order, order)],
    )
