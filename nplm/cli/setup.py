"""Where the reference and the toys of a campaign come from: files, a function, or a problem with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nplm.cli.reading import Reader, refusing_bad_input
from nplm.cli.toys_options import RunOptions

if TYPE_CHECKING:
    from nplm.ensemble.sampler import Sampler
    from nplm.hypothesis_test import NPLMTest
    from nplm.sample import Sample


@dataclass(frozen=True, eq=False)
class Setup:
    """Reference and samplers of a campaign, and remarks on where they come from."""

    reference: Sample
    sampler: Callable[[NPLMTest], Sampler]
    reference_sampler: Sampler
    about: dict[str, Any]


def setup_of(options: RunOptions, note: Callable[[str], None]) -> Setup:
    """Reads or draws the reference, and says what draws the toys.

    Raises:
        InputError: if a file, a problem or a signal is bad.
    """
    return _from_problem(options) if options.problem else _from_files(options, note)


def _from_files(options: RunOptions, note: Callable[[str], None]) -> Setup:
    """Toys from files: a pool or the reference itself, a signal, or a function of the user's."""
    from nplm.ensemble.problem import NamedGenerator
    from nplm.ensemble.sampler import (
        BootstrapSampler,
        ExpectationSampler,
        GeneratorSampler,
        InjectionSampler,
        PoolSampler,
    )
    from nplm.sample import concatenate

    reference, (pool, signal) = Reader(options, note).read(options.pool, options.signal)

    def sampler(test: NPLMTest) -> Sampler:
        if options.generator:
            return GeneratorSampler(
                NamedGenerator(options.generator), f"toys of {options.generator}", test.reference.features
            )
        if options.expectation:
            parts = [test.reference, *([] if signal is None else [signal.scaled_to(options.signal_yield or 0.0)])]
            return ExpectationSampler(concatenate(parts))
        expected = options.toy_yield or test.reference.total_weight
        events = test.reference if pool is None else pool
        if signal is None:
            return PoolSampler(events, expected, fixed_size=options.events)
        added = options.signal_yield or 0.0
        if options.events is not None:
            # So many events in all, as the data have: a number of them that fluctuates is the signal's.
            parts = [events.scaled_to(expected), signal.scaled_to(added)]
            mixture = concatenate(parts, f"{events.name} with {added:g} events of {signal.name} to {expected:g} of its")
            return PoolSampler(mixture, expected + added, fixed_size=options.events)
        return InjectionSampler(PoolSampler(events, expected), PoolSampler(signal, added))

    about = {
        "reference": [str(file) for file in options.reference],
        "pool": options.pool,
        "signal": options.signal,
        "signal_yield": options.signal_yield,
    }
    return Setup(reference, sampler, BootstrapSampler(reference), about)


def _from_problem(options: RunOptions) -> Setup:
    """Toys of a problem with known truth."""
    import jax

    from nplm.ensemble.problem import ProblemData, ProblemReference, load_problem, require_signal
    from nplm.ensemble.sampler import ExpectationSampler, GeneratorSampler, generator

    name = options.problem or ""
    with refusing_bad_input():
        problem = load_problem(name)
        signal = None if options.signal is None else require_signal(problem, options.signal, name)
        expected = options.expected_yield or float(problem.EXPECTED_YIELD)
        draw = ProblemReference(name, options.n_reference, expected)
        with _refusing_bad_problem(name):
            reference = draw(generator(jax.random.key(options.reference_seed)))
        signal_yield = options.signal_yield or (None if signal is None else float(signal.expected))

        def sampler(test: NPLMTest) -> Sampler:
            if options.expectation:
                with _refusing_bad_problem(name):
                    return ExpectationSampler(_expectation(problem, test.reference, signal, signal_yield))
            data = ProblemData(name, options.toy_yield or expected, options.signal, signal_yield, options.events)
            return GeneratorSampler(data, data.describe())

        about = {"problem": name, "signal": options.signal, "signal_yield": signal_yield}
        # It is that of yield and shape together, for toys with the background that the reference expects.
        of_this_test = not options.shape_only and options.toy_yield is None
        if signal is not None and of_this_test and hasattr(problem, "ideal_z"):
            with _refusing_bad_problem(name):
                about["ideal_z"] = float(problem.ideal_z(signal, signal_yield, expected))
    return Setup(reference, sampler, GeneratorSampler(draw, draw.describe()), about)


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
