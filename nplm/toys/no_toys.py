"""Where null toys cannot be drawn at all: known from the weights, before anything is prepared or fitted."""

from __future__ import annotations

from nplm.data.sample import Sample


def why_no_toys(reference: Sample, data: Sample, pool: Sample | None = None, *, shape_only: bool) -> str:
    """Why no null toys can be drawn, as the beginning of a sentence; empty if they can.

    Arguments:
        reference, data: the samples of the test.
        pool: that toys are drawn from; None for the reference.
        shape_only: whether toys are scaled to the yield of the data.
    """
    if reason := why_not_drawn(reference if pool is None else pool):
        return reason
    if shape_only and data.has_negative_weights:
        return (
            f"{data.name} has negative weights, and toys of a shape-only test are scaled to their yield, which then may"
            " be negative"
        )
    return ""


def why_not_drawn(source: Sample) -> str:
    """Why events cannot be drawn from a sample in proportion to their weights; empty if they can."""
    if not source.has_negative_weights:
        return ""
    return f"toys cannot be drawn from {source.name}: it has negative weights, which are not probabilities"
