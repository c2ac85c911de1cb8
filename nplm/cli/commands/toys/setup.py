"""Where the reference and the toys of a campaign come from: files, a function, or a problem with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nplm.cli.commands.toys.nuisances import TruePoint
from nplm.cli.commands.toys.options import RunOptions
from nplm.cli.models import nuisances_of
from nplm.cli.reading import Reader, refusing_bad_input

if TYPE_CHECKING:
    from nplm.data.sample import Sample
    from nplm.statistic import LikelihoodRatio
    from nplm.toys.samplers import Sampler


@dataclass(frozen=True, eq=False)
class Setup:
    """Reference and samplers of a campaign, and remarks on where they come from.

    Arguments:
        reference: what is expected.
        sampler: draws the toys of a test.
        reference_samplers: draw a reference for each toy of a test, if that is wanted; those after the first are what
            earlier versions took.
        about: remarks for the store.
        point: nuisances and their true values; None without.
    """

    reference: Sample
    sampler: Callable[[LikelihoodRatio], Sampler]
    reference_samplers: Callable[[LikelihoodRatio], tuple[Sampler, ...]]
    about: dict[str, Any]
    point: TruePoint | None


def setup_of(options: RunOptions, note: Callable[[str], None]) -> Setup:
    """Reads or draws the reference, and says what draws the toys.

    Raises:
        InputError: if a file, a problem, a signal or a nuisance is bad.
    """
    point = None
    with refusing_bad_input():
        nuisances = nuisances_of(options)
        if nuisances is not None:
            point = TruePoint.of(nuisances, options.nu)
    return _from_problem(options, point) if options.problem else _from_files(options, point, note)


def _from_files(options: RunOptions, point: TruePoint | None, note: Callable[[str], None]) -> Setup:
    """Toys from files: a pool or the reference itself, a signal, or a function of the user's."""
    from nplm.data.sample import concatenate
    from nplm.toys.problem import NamedGenerator
    from nplm.toys.samplers import (
        BootstrapSampler,
        ExpectationSampler,
        GeneratorSampler,
        InjectionSampler,
        PoolSampler,
    )

    reference, (pool, signal) = Reader(options, note).read(options.pool, options.signal)

    def sampler(test: LikelihoodRatio) -> Sampler:
        events = events_of(test)
        return events if point is None else point.measured(events)

    def events_of(test: LikelihoodRatio) -> Sampler:
        if options.generator:
            as_they_are = "" if point is None else " as they come"
            return GeneratorSampler(
                NamedGenerator(options.generator), f"toys of {options.generator}{as_they_are}", test.reference.features
            )
        if options.expectation:
            parts = [test.reference, *([] if signal is None else [signal.scaled_to(options.signal_yield or 0.0)])]
            return ExpectationSampler(concatenate(parts))
        expected = options.toy_yield or test.reference.total_weight
        events = test.reference if pool is None else pool
        background = PoolSampler(events, expected, fixed_size=options.events)
        moved = background if point is None else point.reweighted(background)
        if signal is None:
            return moved
        added = options.signal_yield or 0.0
        if options.events is not None:
            # So many events in all, as the data have: a number of them that fluctuates is the signal's.
            parts = [events.scaled_to(expected), signal.scaled_to(added)]
            mixture = concatenate(parts, f"{events.name} with {added:g} events of {signal.name} to {expected:g} of its")
            return PoolSampler(mixture, expected + added, fixed_size=options.events)
        return InjectionSampler(moved, PoolSampler(signal, added))

    about = {
        "reference": [str(file) for file in options.reference],
        "pool": options.pool,
        "signal": options.signal,
        "signal_yield": options.signal_yield,
    }

    def references(test: LikelihoodRatio) -> tuple[Sampler, ...]:
        as_many = BootstrapSampler(reference)
        normalized = test.shape_only or test.normalized
        return (as_many,) if normalized else (replace(as_many, fluctuating_size=True), as_many)

    return Setup(reference, sampler, references, about, point)


def _from_problem(options: RunOptions, point: TruePoint | None) -> Setup:
    """Toys of a problem with known truth."""
    import jax

    from nplm.toys.problem import ProblemData, ProblemReference, load_problem, require_nu, require_signal
    from nplm.toys.samplers import ExpectationSampler, GeneratorSampler, generator

    name = options.problem or ""
    with refusing_bad_input():
        problem = load_problem(name)
        signal = None if options.signal is None else require_signal(problem, options.signal, name)
        nu = () if point is None else tuple(require_nu(problem, point.by_name, name).items())
        expected = options.expected_yield or float(problem.EXPECTED_YIELD)
        draw = ProblemReference(name, options.n_reference, expected)
        with _refusing_bad_problem(name):
            reference = draw(generator(jax.random.key(options.reference_seed)))
        signal_yield = options.signal_yield or (None if signal is None else float(signal.expected))

        def sampler(test: LikelihoodRatio) -> Sampler:
            if options.expectation:
                with _refusing_bad_problem(name):
                    return ExpectationSampler(_expectation(problem, test.reference, signal, signal_yield))
            data = ProblemData(name, options.toy_yield or expected, options.signal, signal_yield, options.events, nu)
            events = GeneratorSampler(data, data.describe())
            return events if point is None else point.measured(events)

        about = {"problem": name, "signal": options.signal, "signal_yield": signal_yield}
        # It is that of yield and shape together, for toys with the background that the reference expects and is known.
        of_this_test = not options.shape_only and options.toy_yield is None and point is None
        if signal is not None and of_this_test and hasattr(problem, "ideal_z"):
            with _refusing_bad_problem(name):
                about["ideal_z"] = float(problem.ideal_z(signal, signal_yield, expected))
    return Setup(reference, sampler, lambda test: (GeneratorSampler(draw, draw.describe()),), about, point)


@contextmanager
def _refusing_bad_problem(name: str) -> Iterator[None]:
    """Names the problem in whatever goes wrong in it: it is the user's."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"the problem {name} failed: {type(error).__name__}: {error}") from error


def _expectation(problem: Any, reference: Sample, signal: Any, signal_yield: float | None) -> Sample:
    """The reference together with the expected signal: each event weighted by exp(log-ratio), which is exact."""
    if signal is None:
        return reference
    import numpy as np

    ratio = np.exp(problem.log_ratio(reference.events, signal, signal_yield, reference.total_weight))
    return type(reference)(
        reference.events, reference.weights * ratio, reference.features, f"{reference.name} with {signal.name}"
    )
