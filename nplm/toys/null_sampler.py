"""What draws toys like some data under the null of a test."""

from __future__ import annotations

from nplm.data.sample import Sample, require_same_features
from nplm.statistic import LikelihoodRatio
from nplm.toys.no_toys import why_no_toys
from nplm.toys.nuisance_sampler import NuisanceSampler, sampler_at
from nplm.toys.samplers import PoolSampler


def null_sampler(test: LikelihoodRatio, data: Sample, pool: Sample | None) -> PoolSampler | NuisanceSampler:
    """Draws toys like `data` from a pool or, by Poisson bootstrap, from the reference.

    With nuisances toys are drawn at the nu that Delta finds in the data.

    Raises:
        ValueError: if the pool (or the reference, without one) has negative weights, or other features; or the data
            have negative weights in a shape-only test.
    """
    if pool is not None:
        require_same_features(test.reference, pool)
    source = test.reference if pool is None else pool
    why = why_no_toys(test.reference, data, pool, shape_only=test.shape_only)
    if why and not source.has_negative_weights:
        raise ValueError(f"{why}: merge the weights, or test shape and yield")
    as_given = PoolSampler(
        source,
        expected_yield=test.expected_yield(data),
        data_weights=data.weights if data.is_weighted else None,
        fixed_size=len(data) if test.shape_only else None,
    )
    profiled = test.prepared.profiled
    if profiled is None:
        return as_given
    profile = profiled.profile
    return sampler_at(as_given, profile.nuisances, profile.fit([test.within(data)]).nu[0])
