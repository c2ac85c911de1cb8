"""The null toys of a test: with one reference for all, or, where it is small, with a reference for each."""

from __future__ import annotations

from nplm.data.sample import Sample
from nplm.statistic import LikelihoodRatio
from nplm.toys.campaign import Campaign
from nplm.toys.null_sampler import null_sampler
from nplm.toys.samplers import LARGEST_POOL_SHARE, BootstrapSampler
from nplm.toys.splitting import Sizes, Split, SplitData, SplitReference, equal_weights

# Sums of weights have rounding errors, which must not decide where a reference is exactly so large.
_ROUNDING = 1e-9


def needs_references(test: LikelihoodRatio, expected_yield: float) -> bool:
    """Whether null toys that are drawn from the reference need references of their own.

    A reference that is the same in all toys does not show its own fluctuation, which widens t by 1 + N / n_eff, with
    n_eff = (sum w)^2 / sum w^2.

    Arguments:
        test: whose reference it is.
        expected_yield: N, of the toys.
    """
    share = expected_yield / test.reference.effective_size
    return not test.holds_reference and share > LARGEST_POOL_SHARE * (1 + _ROUNDING)


def null_campaign(
    test: LikelihoodRatio, data: Sample, *, seed: int, pool: Sample | None, reference_per_toy: bool | None
) -> Campaign:
    """The null toys that calibrate t of these data.

    Where each toy has a reference of its own, and the weights of each sample are equal, toys are a `Split` of data and
    reference. With other weights (event, weight) pairs of the two samples are not alike, and both samples of a toy are
    drawn from the reference, with replacement.

    Arguments:
        test: the test.
        data: as they were given.
        seed: root of the toys' keys.
        pool: draw toys from these events; None for those of data and reference.
        reference_per_toy: whether each toy has a reference of its own; None where the reference is small, see
            `needs_references`, and toys are not drawn from a pool.

    Raises:
        ValueError: if no toys can be drawn, see `null_sampler`.
    """
    sampler = null_sampler(test, data, pool)
    expected = test.expected_yield(data)
    if reference_per_toy is None:
        reference_per_toy = pool is None and needs_references(test, expected)
    if not reference_per_toy:
        return Campaign(test, sampler, seed)
    if pool is None and test.nuisances is None and equal_weights(data) and equal_weights(test.reference):
        sizes: Sizes = "fixed" if test.shape_only else "data" if test.normalized else "both"
        split = Split(data, test.reference, sizes, expected)
        return Campaign(test, SplitData(split), seed, SplitReference(split))
    return Campaign(test, sampler, seed, bootstrapped_reference(test))


def bootstrapped_reference(test: LikelihoodRatio) -> BootstrapSampler:
    """References drawn from that of a test with replacement; their number fluctuates as far as it makes N(R)."""
    return BootstrapSampler(test.reference, fluctuating_size=not (test.shape_only or test.normalized))
